//! What PostgreSQL has understood of a statement, as `pg_node_tree` writes it: `{LABEL :field value ...}`
//! for an object, lists in parentheses, and words.

use std::iter::Peekable;
use std::vec::IntoIter;

use crate::Result;

pub enum Node {
    Object { label: String, fields: Vec<(String, Vec<Node>)> },
    List(Vec<Node>),
    Word(String),
}

/// Reads a text that PostgreSQL has written.
pub fn parse(text: &str) -> Result<Node> {
    node(&mut words(text).into_iter().peekable())
}

impl Node {
    /// The label of an object.
    pub fn label(&self) -> &str {
        if let Node::Object { label, .. } = self { label } else { "" }
    }

    /// A field of an object; of one that holds several words, the first.
    pub fn field(&self, name: &str) -> Option<&Node> {
        let Node::Object { fields, .. } = self else { return None };
        fields.iter().find(|(field, _)| field == name)?.1.first()
    }

    /// A field that holds a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        if let Node::Word(word) = self.field(name)? { word.parse().ok() } else { None }
    }

    /// What the list in a field holds; nothing where there is none.
    pub fn list(&self, name: &str) -> &[Node] {
        if let Some(Node::List(nodes)) = self.field(name) { nodes } else { &[] }
    }

    /// This node and all below it.
    pub fn all(&self) -> Vec<&Node> {
        let below: Vec<&Node> = match self {
            Node::Object { fields, .. } => fields.iter().flat_map(|(_, values)| values).collect(),
            Node::List(nodes) => nodes.iter().collect(),
            Node::Word(_) => Vec::new(),
        };
        let mut all = vec![self];
        all.extend(below.into_iter().flat_map(Node::all));
        all
    }
}

/// Words, and the signs that PostgreSQL puts between them; a backslash takes from a character what it means.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            '(' | ')' | '{' | '}' | ' ' | '\n' | '\t' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if !character.is_whitespace() {
                    words.push(character.to_string());
                }
            }
            _ => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn node(words: &mut Peekable<IntoIter<String>>) -> Result<Node> {
    let first = words.next().ok_or("the tree is cut off")?;
    match first.as_str() {
        "(" => Ok(Node::List(until(words, |word| word == ")")?)),
        "{" => {
            let label = words.next().ok_or("an object without a label")?;
            let mut fields = Vec::new();
            while let Some(field) = words.next_if(|word| word.starts_with(':')) {
                let is_over = |word: &str| word.starts_with(':') || word == "}";
                fields.push((field[1..].to_owned(), until(words, is_over)?));
            }
            words.next();
            Ok(Node::Object { label, fields })
        }
        _ => Ok(Node::Word(first)),
    }
}

/// Nodes up to a word, of which a closing parenthesis is taken as well.
fn until(words: &mut Peekable<IntoIter<String>>, is_end: impl Fn(&str) -> bool) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    while !is_end(words.peek().ok_or("the tree is cut off")?) {
        nodes.push(node(words)?);
    }
    words.next_if(|word| word == ")");
    Ok(nodes)
}
