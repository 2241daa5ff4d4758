//! What is checked before a session is looked for.

use std::collections::BTreeMap;

use super::answer::{ARGUMENT, TOO_LONG_STATE};
use super::call::{Expiration, Item, Name, Origin, TOO_LONG, Ttl};

pub fn required_or_none(text: Name) -> Result<Name, &'static str> {
    text.map(|text| new_name(Some(text))).transpose()
}

pub fn new_name(name: Name) -> Result<&'static str, &'static str> {
    match name {
        None | Some("") => Err(ARGUMENT),
        Some(TOO_LONG) => Err(TOO_LONG_STATE),
        Some(name) => Ok(name),
    }
}

pub fn check_address(origin: &Origin) -> Result<(), &'static str> {
    origin.address.1.map(|_| ()).ok_or(ARGUMENT)
}

pub fn check_app(origin: &Origin) -> Result<(), &'static str> {
    if origin.app == Some(TOO_LONG) { Err(TOO_LONG_STATE) } else { Ok(()) }
}

/// How many rows at most; none is no limit.
pub fn check_most(most: Option<i64>) -> Result<(), &'static str> {
    if most.is_some_and(|most| most < 0) { Err(ARGUMENT) } else { Ok(()) }
}

pub fn new_password(password: Name) -> Result<&'static str, &'static str> {
    password.filter(|password| password.len() >= 8).ok_or(ARGUMENT)
}

pub fn checked(ttl: Ttl) -> Result<Ttl, &'static str> {
    if ttl == Ttl::Bad { Err(ARGUMENT) } else { Ok(ttl) }
}

/// The items by name, the last of a name, with their own expiration or else the call's.
pub fn read_items(
    items: &[Item],
    expiration: Expiration,
) -> Result<BTreeMap<&'static str, (Item, Ttl)>, &'static str> {
    let of_call = checked(expiration.2)?;
    let mut read = BTreeMap::new();
    for item in items {
        let name = new_name(item.name)?;
        let ttl = item.expiration.map_or(Ok(of_call), |expiration| checked(expiration.2))?;
        read.insert(name, (*item, ttl));
    }
    Ok(read)
}
