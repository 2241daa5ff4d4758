//! Sealed or clear: which of the two a value is to be, decided here and nowhere else.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};

use sso_attr_core::envelope::Place;
use sso_attr_core::error::Names;
use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result};

use crate::pg::datum::Jsonb;
use crate::pg::interrupt;
use crate::pg::report::collected;
use crate::store::attribute::{Attributes, Over, Value, Written};
use crate::store::batch::{Entry, Updated};
use crate::vault;

/// What a caller asks for by `encrypt`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    Clear,
    Sealed,
    /// As the row holds it; clear where there is none.
    AsStored,
}

impl Protection {
    pub fn asked(encrypt: Option<bool>) -> Protection {
        match encrypt {
            Some(true) => Protection::Sealed,
            Some(false) => Protection::Clear,
            None => Protection::AsStored,
        }
    }

    /// Whether to seal; what is stored decides where the caller has not asked.
    fn seals(self, as_stored: impl FnOnce() -> Result<bool>) -> Result<bool> {
        match self {
            Protection::Clear => Ok(false),
            Protection::Sealed => Ok(true),
            Protection::AsStored => as_stored(),
        }
    }
}

/// A verb that replaces values.
#[derive(Clone, Copy)]
pub enum Verb {
    Update,
    Set,
}

/// An attribute to write.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub name: &'a str,
    pub json: Jsonb,
    pub protection: Protection,
    pub expires_at: Option<Timestamp>,
}

/// Whether a key is needed to write these items.
pub fn needs_key(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<bool> {
    if items.iter().any(|item| item.protection == Protection::Sealed) {
        return Ok(true);
    }
    let unasked = items.iter().filter(|item| item.protection == Protection::AsStored);
    let names = collected(unasked.map(|item| Ok(item.name)))?;
    Ok(attributes.find_many(&names)?.contains(&Some(Ok(true))))
}

/// Creates an attribute; false where it is there.
pub fn create(attributes: &Attributes<'_>, item: &Item<'_>) -> Result<bool> {
    let value = protect(attributes, item, item.protection == Protection::Sealed)?;
    attributes.create(item.name, &value, item.expires_at)
}

/// Replaces the value of an attribute; `None` where it is not there and the verb does not create.
pub fn write(verb: Verb, attributes: &Attributes<'_>, item: &Item<'_>) -> Result<Option<Written>> {
    match item.protection {
        Protection::Clear => try_write(verb, attributes, item, false, Over::Any),
        Protection::Sealed => try_write(verb, attributes, item, true, Over::Any),
        Protection::AsStored => write_as_stored(verb, attributes, item),
    }
}

/// Makes a guess, which the statement's condition checks against the row, and looks if it was wrong.
fn write_as_stored(verb: Verb, attributes: &Attributes<'_>, item: &Item<'_>) -> Result<Option<Written>> {
    // Sealed is a guess about a row that is there: what is not there is created in clear.
    if is_likely_sealed(attributes, item) {
        let written = try_write(Verb::Update, attributes, item, true, Over::Alike)?;
        if written.is_some() {
            return Ok(written);
        }
    }
    let mut sealed = false;
    loop {
        let written = try_write(verb, attributes, item, sealed, Over::Alike)?;
        if written.is_some() {
            return Ok(written);
        }
        // Comes round again only if somebody else changed the protection in between.
        match attributes.is_sealed(item.name)? {
            None => return Ok(None),
            Some(found) => sealed = found,
        }
        hint::note(item.name, sealed);
        interrupt::check();
    }
}

fn try_write(
    verb: Verb,
    attributes: &Attributes<'_>,
    item: &Item<'_>,
    sealed: bool,
    over: Over,
) -> Result<Option<Written>> {
    let value = protect(attributes, item, sealed)?;
    match verb {
        Verb::Update => {
            let updated = attributes.update(item.name, &value, over, item.expires_at);
            Ok(updated.then_some(Written::Replaced))
        }
        Verb::Set => attributes.set(item.name, &value, over, item.expires_at),
    }
}

/// Whether a hint says sealed and the value can be sealed: a wrong hint must not ask for a key.
fn is_likely_sealed(attributes: &Attributes<'_>, item: &Item<'_>) -> bool {
    hint::is_sealed(item.name) && vault::sealer(attributes.db()).is_ok()
}

/// Creates attributes; returns the names that are there.
pub fn create_many(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<Names> {
    let entries =
        collected(items.iter().map(|item| entry(attributes, item, item.protection == Protection::Sealed)))?;
    Ok(names_at(items, &attributes.create_many(&entries)?))
}

/// The number of items up to which it is cheaper to write one by one than as a set.
const FEW: usize = 2;

/// Replaces the values of attributes that are there; returns the names that are not, in which
/// case the caller must fail.
pub fn update_many(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<Names> {
    if items.len() <= FEW { update_each(attributes, items) } else { update_set(attributes, items) }
}

fn update_each(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<Names> {
    let mut missing = Vec::with_capacity(FEW);
    for item in items {
        if write(Verb::Update, attributes, item)?.is_none() {
            missing.push(item.name);
        }
    }
    Ok(missing.into_iter().collect())
}

fn update_set(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<Names> {
    let entries = collected(items.iter().map(|item| {
        let sealed = item.protection.seals(|| Ok(is_likely_sealed(attributes, item)))?;
        entry(attributes, item, sealed)
    }))?;
    let updated = attributes.update_many(&entries)?;
    drop(entries);
    let that_are =
        |wanted| updated.iter().zip(items).filter(move |(it, _)| **it == wanted).map(|(_, item)| *item);
    if updated.contains(&Updated::Missing) {
        return Ok(that_are(Updated::Missing).map(|item| item.name).collect());
    }
    let left = collected(that_are(Updated::Left).map(Ok))?;
    if !left.is_empty() {
        attributes.overwrite(&over_rows(attributes, &left)?)?;
    }
    Ok(Names::default())
}

/// Creates or replaces attributes.
pub fn set_many(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<()> {
    if items.len() <= FEW {
        return items.iter().try_for_each(|item| write(Verb::Set, attributes, item).map(|_| ()));
    }
    set_set(attributes, items)
}

/// An item that does not say how to protect it is taken for clear, as a new row would be; a row in the
/// other form is left, locked, and then written as the item asks, or else in the row's own form.
fn set_set(attributes: &Attributes<'_>, items: &[Item<'_>]) -> Result<()> {
    let sealed = |item: &Item<'_>| item.protection == Protection::Sealed;
    let entries = collected(items.iter().map(|item| entry(attributes, item, sealed(item))))?;
    let left = attributes.set_many(&entries)?;
    if left.is_empty() {
        return Ok(());
    }
    drop(entries);
    let mut entries = over_rows(attributes, &collected(left.iter().map(|at| Ok(items[*at])))?)?;
    // Those that have expired are started afresh; the others may still be left.
    let mut left = attributes.set_left(&entries)?.into_iter().peekable();
    let mut at = 0..entries.len();
    entries.retain(|_| left.next_if_eq(&at.next().unwrap_or_default()).is_some());
    if entries.is_empty() { Ok(()) } else { attributes.overwrite(&entries) }
}

/// The entries that replace locked rows, each as its item asks or else in the row's own form.
fn over_rows<'a>(attributes: &Attributes<'_>, items: &[Item<'a>]) -> Result<Vec<Entry<'a>>> {
    let names = collected(items.iter().map(|item| Ok(item.name)))?;
    let rows = attributes.find_many(&names)?;
    collected(items.iter().zip(rows).map(|(item, row)| {
        let sealed = item.protection.seals(|| Ok(row.transpose()?.unwrap_or(false)))?;
        hint::note(item.name, sealed);
        entry(attributes, item, sealed)
    }))
}

/// Writes items as set does and deletes other attributes, in one order of locks: what is to be deleted
/// is first written as expired, among the rest.
pub fn save(attributes: &Attributes<'_>, items: &[Item<'_>], doomed: &[&str]) -> Result<()> {
    let mut all = Vec::new();
    all.try_reserve_exact(items.len() + doomed.len()).map_err(|_| Error::OutOfMemory)?;
    all.extend_from_slice(items);
    all.extend(doomed.iter().map(|name| Item {
        name,
        json: Jsonb::null(),
        protection: Protection::Clear,
        expires_at: Some(attributes.now),
    }));
    all.sort_unstable_by(|one, other| one.name.cmp(other.name));
    set_many(attributes, &all)?;
    if !doomed.is_empty() {
        attributes.delete_expired(doomed)?;
    }
    Ok(())
}

/// The value as jsonb.
pub fn reveal(attributes: &Attributes<'_>, name: &str, value: Value) -> Result<Jsonb> {
    match value {
        Value::Clear(json) => Ok(json),
        Value::Sealed(mut envelope) => {
            interrupt::check();
            vault::open(place(attributes, name), envelope.bytes_mut())?;
            hint::note(name, true);
            Ok(envelope.into_json())
        }
    }
}

fn place<'a>(attributes: &Attributes<'_>, name: &'a str) -> Place<'a> {
    Place { session: attributes.session, name }
}

fn protect(attributes: &Attributes<'_>, item: &Item<'_>, sealed: bool) -> Result<Value> {
    if !sealed {
        return Ok(Value::Clear(item.json));
    }
    let sealer = vault::sealer(attributes.db())?;
    Ok(Value::Sealed(sealer.seal(place(attributes, item.name), item.json)?))
}

fn entry<'a>(attributes: &Attributes<'_>, item: &Item<'a>, sealed: bool) -> Result<Entry<'a>> {
    interrupt::check();
    Ok(Entry { name: item.name, value: protect(attributes, item, sealed)?, expires_at: item.expires_at })
}

fn names_at(items: &[Item<'_>], places: &[usize]) -> Names {
    places.iter().map(|at| items[*at].name).collect()
}

/// The names under which this backend has lately seen sealed values, in any session, so that a write
/// that does not say `encrypt` makes the right guess. Nothing depends on a hint being right.
mod hint {
    use super::{Cell, DefaultHasher, Hash, Hasher};

    /// A few pages of memory; a name that is crowded out costs one more statement.
    const SLOTS: usize = 1024;

    thread_local! {
        static SEALED: Cell<Option<Box<[u64; SLOTS]>>> = const { Cell::new(None) };
    }

    pub fn is_sealed(name: &str) -> bool {
        let Some(slots) = SEALED.take() else { return false };
        let hash = hash(name);
        let sealed = slots[slot(hash)] == hash;
        SEALED.set(Some(slots));
        sealed
    }

    pub fn note(name: &str, sealed: bool) {
        let hash = hash(name);
        let mut slots = SEALED.take().unwrap_or_else(|| Box::new([0; SLOTS]));
        let slot = &mut slots[slot(hash)];
        if sealed {
            *slot = hash;
        } else if *slot == hash {
            *slot = 0;
        }
        SEALED.set(Some(slots));
    }

    fn hash(name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish()
    }

    fn slot(hash: u64) -> usize {
        hash as usize % SLOTS
    }
}
