//! What a page says must be what happens: every block of SQL in the documents runs, in the order of its page.
//!
//! A page begins with an empty database on a server that has no roles. What block N of a page needs beyond that
//! (the extension, roles, psql's variables, with `1` for `$1`) is in documents/PAGE.N.sql beside this test. A
//! page shows output in comments, at a statement's end or in the lines that follow it: `-- => ` and a row, or
//! `-- ERROR: `, `-- DETAIL: ` and `-- HINT: `. Shown output is compared; an error or a warning must be shown.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use sso_attr_client_tests::document::{Block, ROOT, blocks};
use sso_attr_client_tests::{Result, Server};

const NEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");

/// A line that psql reads.
struct Line {
    text: String,
    /// Where it is written.
    place: String,
    is_of_page: bool,
}

/// The documents, by their paths from the root on.
fn pages() -> Result<Vec<String>> {
    let mut folders = vec![PathBuf::from(ROOT), Path::new(ROOT).join("docs")];
    for package in std::fs::read_dir(Path::new(ROOT).join("clients"))? {
        folders.push(package?.path());
    }
    let mut pages = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for file in std::fs::read_dir(folder)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "md") {
                pages.push(file.strip_prefix(ROOT)?.display().to_string());
            }
        }
    }
    pages.sort();
    Ok(pages)
}

fn lines(text: &str, file: &str, first: usize, is_of_page: bool) -> Vec<Line> {
    let line = |(index, text): (usize, &str)| Line {
        text: text.to_owned(),
        place: format!("{file}:{}", first + index),
        is_of_page,
    };
    text.lines().enumerate().map(line).collect()
}

/// All that psql is to read for a page, and the number of blocks in it.
fn script(page: &str, blocks: Vec<Block>, needs: &mut Vec<PathBuf>) -> Result<(Vec<Line>, usize)> {
    let mut script = Vec::new();
    let mut count = 0;
    for block in blocks.into_iter().filter(|block| block.language == "sql") {
        count += 1;
        let file = Path::new(NEEDS).join(format!("{}.{count}.sql", page.trim_end_matches(".md")));
        if let Some(place) = needs.iter().position(|need| *need == file) {
            let need = std::fs::read_to_string(needs.remove(place))?;
            script.extend(lines(&need, &file.display().to_string(), 1, false));
        }
        script.extend(lines(&with_variables(&block.text), page, block.line, true));
    }
    Ok((script, count))
}

/// A driver's `$1` as psql's variable `1`.
fn with_variables(sql: &str) -> String {
    (1..=9).fold(sql.to_owned(), |sql, number| sql.replace(&format!("${number}"), &format!(":'{number}'")))
}

/// What the lines say that the statement ending with the first of them puts out.
fn shown(lines: &[Line]) -> Vec<&str> {
    let inline = lines[0].text.split_once("-- => ").map(|(_, row)| row);
    let below = lines[1..].iter().map_while(|line| {
        let comment = line.text.strip_prefix("-- ")?;
        let is_message = ["ERROR: ", "DETAIL: ", "HINT: "].iter().any(|kind| comment.starts_with(kind));
        comment.strip_prefix("=> ").or(is_message.then_some(comment))
    });
    inline.into_iter().chain(below).collect()
}

fn is_trouble(output: &str) -> bool {
    let troubles =
        ["ERROR:", "FATAL:", "WARNING:", "invalid command", "no rows returned", "more than one row returned"];
    troubles.iter().any(|trouble| output.starts_with(trouble))
}

/// Compares what psql printed with what the page shows; returns the number of statements of the page.
fn compare(script: &[Line], printed: &str) -> Result<usize> {
    let mut outputs = vec![Vec::new(); script.len()];
    let mut statements = 0;
    let mut read = 0;
    for line in printed.lines() {
        // psql prints each line as it reads it, but not one that is empty.
        let next = read + script[read..].iter().take_while(|line| line.text.is_empty()).count();
        if script.get(next).is_some_and(|script| script.text == line) {
            read = next + 1;
        } else if read == 0 {
            return Err(format!("{}: {line}", script[0].place).into());
        } else if line.starts_with("Time: ") {
            statements += usize::from(script[read - 1].is_of_page);
        } else if !line.is_empty() {
            outputs[read - 1].push(line);
        }
    }
    if let Some(line) = script[read..].iter().find(|line| !line.text.is_empty()) {
        return Err(format!("{}: psql did not get here\n{printed}", line.place).into());
    }
    for (index, output) in outputs.iter().enumerate() {
        let line = &script[index];
        let shown = if line.text.starts_with("--") { Vec::new() } else { shown(&script[index..]) };
        if (!shown.is_empty() || output.iter().any(|output| is_trouble(output))) && *output != shown {
            return Err(format!("{} shows {shown:#?}, but it is {output:#?}", line.place).into());
        }
    }
    Ok(statements)
}

/// Drops what a page has left behind.
fn clean(server: &Server) -> Result {
    let mut client = server.connect("postgres")?;
    client.batch_execute("DROP DATABASE my_database")?;
    for role in client.query("SELECT rolname FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'", &[])? {
        client.batch_execute(&format!("DROP ROLE {}", role.get::<_, &str>(0)))?;
    }
    Ok(())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

#[test]
fn every_block_of_sql_does_what_its_page_shows() -> Result {
    let server =
        Server::create("wal_level = logical\nshared_preload_libraries = 'sso_attr, pg_stat_statements'")?;
    server.start()?;
    let mut needs = files_below(Path::new(NEEDS))?;
    let mut failures = Vec::new();
    let mut other: BTreeMap<String, usize> = BTreeMap::new();
    let (mut ran, mut statements) = (0, 0);
    for page in pages()? {
        let blocks = blocks(&page)?;
        for block in blocks.iter().filter(|block| block.language != "sql") {
            *other.entry(block.language.clone()).or_default() += 1;
        }
        let (script, count) = script(&page, blocks, &mut needs)?;
        if count == 0 {
            continue;
        }
        server.run(&["createdb", "my_database"])?;
        let psql =
            "exec psql --no-psqlrc --quiet --echo-all --no-align --tuples-only --dbname=my_database 2>&1";
        let text: String = script.iter().map(|line| format!("{}\n", line.text)).collect();
        let printed = server.run_with_input(&["sh", "-c", psql], &format!("\\timing on\n{text}"))?;
        match compare(&script, printed.trim_start_matches("\\timing on\n")) {
            Ok(count) => statements += count,
            Err(failure) => failures.push(failure.to_string()),
        }
        ran += count;
        clean(&server)?;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(needs.is_empty(), "no such block: {needs:?}");
    // Not by println!, which cargo test keeps to itself.
    let other: Vec<String> = other.iter().map(|(language, count)| format!("{count} {language}")).collect();
    writeln!(
        std::io::stderr(),
        "documents: {ran} blocks of SQL with {statements} statements; other blocks: {}",
        other.join(", ")
    )?;
    Ok(())
}
