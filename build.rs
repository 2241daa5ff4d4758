//! Keeps what pgrx puts into the library, and tells the library which pgrx that is.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // The linker would drop the parts of the install script: nothing refers to them.
    if std::env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-cdylib=-Wl,--no-gc-sections");
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock")?;
    let (_, pgrx) = lock.split_once("name = \"pgrx\"\nversion = \"").ok_or("Cargo.lock has no pgrx")?;
    let (version, _) = pgrx.split_once('"').ok_or("Cargo.lock is cut off")?;
    println!("cargo::rustc-env=PGRX_VERSION={version}");
    Ok(())
}
