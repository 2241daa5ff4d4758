//! Writes what `CREATE EXTENSION` reads, the control file and the install script, as `cargo pgrx
//! install` would. The script's parts are in a section of the built library, where pgrx's macros
//! have put them.
//!
//!     sso_attr_schema LIBRARY CONTROL_FILE DIRECTORY

use std::error::Error;
use std::fs;
use std::path::Path;

use object::{Object, ObjectSection};
use pgrx_sql_entity_graph::section::{ELF_SECTION_NAME, decode_entities};
use pgrx_sql_entity_graph::{ControlFile, PgrxSql, SqlGraphEntity};

const NAME: &str = "sso_attr";
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, control, directory] = arguments.as_slice() else {
        return Err("usage: sso_attr_schema LIBRARY CONTROL_FILE DIRECTORY".into());
    };
    let control = fs::read_to_string(control)?.replace("@CARGO_VERSION@", VERSION);
    let library = fs::read(library)?;
    let object = object::File::parse(library.as_slice())?;
    let section = object.section_by_name(ELF_SECTION_NAME).ok_or("the library has no schema in it")?;

    let mut entities = vec![SqlGraphEntity::ExtensionRoot(ControlFile::from_str(&control)?)];
    entities.extend(decode_entities(section.data()?)?);
    let script = PgrxSql::build(entities.into_iter(), NAME.to_owned(), false)?.to_sql()?;

    let directory = Path::new(directory);
    fs::create_dir_all(directory)?;
    fs::write(directory.join(format!("{NAME}.control")), control)?;
    fs::write(directory.join(format!("{NAME}--{VERSION}.sql")), script)?;
    Ok(())
}
