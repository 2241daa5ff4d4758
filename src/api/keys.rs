//! `sso_attr_keys` and `sso_attr_rekey`.

use std::collections::BTreeMap;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::Result;

use super::call::{changing, reading};
use super::cluster::{everything_or, on_every_node};
use crate::maintenance::rekey::{self, Pass};
use crate::pg::datum::TimestampTz;
use crate::pg::report::Answer;
use crate::pg::spi::{Access, as_owner, batch_as_owner};
use crate::store::key::{self, Use};
use crate::vault;

/// Every key that is in the keyring or has written data.
#[pg_extern(stable)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns off the signature")]
fn sso_attr_keys() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(key_id, i64),
            name!(is_primary, bool),
            name!(available, bool),
            name!(matches, Option<bool>),
            name!(attributes, i64),
            name!(last_expires_at, Option<TimestampTz>),
        ),
    >,
    ErrorReport,
> {
    reading("sso_attr_keys", |_| {
        let ring = vault::keyring()?;
        let (checks, uses) = as_owner(Access::Read, |db| (key::all_check_values(db), key::uses(db)));
        let mut known: BTreeMap<u32, (Vec<Vec<u8>>, Option<Use>)> = BTreeMap::new();
        for key in ring.keys() {
            known.entry(key.id()).or_default();
        }
        for (id, check) in checks {
            known.entry(id).or_default().0.push(check);
        }
        for used in uses {
            let (_, known) = known.entry(used.key_id).or_default();
            *known = Some(used);
        }
        let rows: Vec<_> = known
            .into_iter()
            .map(|(id, (checks, uses))| {
                let held = ring.get(id);
                let matches = held
                    .filter(|_| !checks.is_empty())
                    .map(|held| checks.iter().all(|check| *check == held.check_value()));
                (
                    i64::from(id),
                    id == ring.primary().id(),
                    held.is_some(),
                    matches,
                    uses.as_ref().map_or(0, |uses| uses.attributes),
                    uses.and_then(|uses| uses.last_expires_at.finite()).map(TimestampTz::from),
                )
            })
            .collect();
        Ok(TableIterator::new(rows))
    })
}

/// Encrypts values of other keys anew under the primary one, on each other node of a cluster first.
#[pg_extern]
fn sso_attr_rekey(max_rows: default!(Option<i64>, "NULL")) -> Answer<i64> {
    changing("sso_attr_rekey", |call| {
        let most = everything_or("max_rows", max_rows)?;
        if most == 0 {
            return Ok(0);
        }
        let resealed = on_every_node("rekey_node", most, reseal)?;
        call.audit(|line| line.count(resealed.unsigned_abs()));
        Ok(resealed)
    })
}

/// What sso_attr_rekey does on this node alone. sql/distribute.sql creates the function.
#[pg_extern(sql = false)]
fn rekey_node(max_rows: i64) -> Answer<i64> {
    changing("sso_attr_rekey", |call| {
        let resealed = reseal(max_rows)?;
        call.audit(|line| line.count(resealed.unsigned_abs()));
        Ok(resealed)
    })
}

fn reseal(most: i64) -> Result<i64> {
    vault::renew();
    let sealer = as_owner(Access::Write, vault::sealer)?;
    let mut pass = as_owner(Access::Write, Pass::start);
    let done = |pass: &Pass| i64::try_from(pass.resealed()).unwrap_or(i64::MAX);
    while !pass.is_over() && done(&pass) < most {
        let limit = rekey::BATCH_SIZE.min(most - done(&pass));
        // A connection for each batch: what it has read is freed with it.
        batch_as_owner(Access::Write, |db| rekey::batch(db, &sealer, &mut pass, limit))?;
    }
    pass.warn_of_unopened();
    Ok(done(&pass))
}
