//! Pages of the documentation, whose blocks are run as they stand there.

use std::path::Path;

use crate::Result;

/// The root of the checkout.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A part of a page between two fences.
pub struct Block {
    /// The heading that it stands under.
    pub heading: String,
    pub language: String,
    /// The number of its first line.
    pub line: usize,
    pub text: String,
}

/// The blocks of a page, which is named by its path from the root on.
pub fn blocks(page: &str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut heading = String::new();
    let mut is_open = false;
    for (index, line) in std::fs::read_to_string(Path::new(ROOT).join(page))?.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            is_open = !is_open;
            if is_open {
                let (heading, language) = (heading.clone(), language.to_owned());
                blocks.push(Block { heading, language, line: index + 2, text: String::new() });
            }
        } else if let (true, Some(block)) = (is_open, blocks.last_mut()) {
            block.text += &format!("{line}\n");
        } else if line.starts_with('#') {
            heading = line.trim_start_matches(['#', ' ']).to_owned();
        } else if ["    SELECT ", "    CREATE ", "    ALTER "].iter().any(|sql| line.starts_with(sql)) {
            return Err(format!("{page}:{}: SQL without a fence is not run", index + 1).into());
        }
    }
    match blocks.iter().find(|block| block.language.is_empty()) {
        Some(block) => Err(format!("{page}:{}: a block without a language", block.line).into()),
        None if is_open => Err(format!("{page}: a fence is not closed").into()),
        None => Ok(blocks),
    }
}

/// The blocks of a language below a heading of docs/operations.md.
pub fn operations(heading: &str, language: &str) -> Result<Vec<String>> {
    let is_wanted = |block: &Block| block.heading == heading && block.language == language;
    Ok(blocks("docs/operations.md")?.into_iter().filter(is_wanted).map(|block| block.text).collect())
}
