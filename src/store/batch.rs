//! The table sso_attr.attribute, as one session sees it: many rows in one step.
//!
//! What can create is one INSERT ... ON CONFLICT: it looks each name up in the index, in the order of
//! the list, whatever the statistics say, and locks what it finds there. Its DO UPDATE sees only the
//! row and the row that would be inserted, so an item whose protection, or whose wish never to expire,
//! is at odds with the row is left for a second statement.
//!
//! What must not create is one UPDATE or DELETE, which goes along the index on the names and looks each
//! row up in the list, by [`Way::Hash`](crate::pg::planner::Way::Hash) or, in a short list, by comparing: it
//! locks in the order of the names too, and nothing of a value that has no row is ever written.

use sso_attr_core::expiry::Timestamp;
use sso_attr_core::{Error, Result};

use super::attribute::{Attributes, Value, is_sealed};
use crate::pg::report::{collected, push};
use crate::pg::sql::{Array, ArrayOf, Bool, Envelope, Id, Json, Name, Null, Text, Time};
use crate::pg::statement::statement;
use crate::pg::text::TextDatum;
use crate::pg::version::by_release;
use crate::pg::{citus, interrupt, transaction};

/// What became of an attribute that was to be replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    Written,
    /// It is sealed and the value is not, or the other way round.
    Left,
    Missing,
}

/// One attribute to write, sealed or clear.
pub struct Entry<'a> {
    pub name: &'a str,
    pub value: Value,
    /// `None` keeps that of a row that is there.
    pub expires_at: Option<Timestamp>,
}

statement! {
    CREATE(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Array<Null<Time>>,
           Array<Null<Time>>, Time) -> (Name) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, purge_bin, created_at, updated_at)
          SELECT s.id, d.name, d.value, d.sealed, COALESCE(d.expires_at, 'infinity'),
                 COALESCE(d.purge_bin, 'infinity'), $7, $7
          FROM sso_attr.session AS s CROSS JOIN ROWS FROM (
              pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
              pg_catalog.unnest($6)) AS d(name, value, sealed, expires_at, purge_bin)
          WHERE s.id OPERATOR(pg_catalog.=) $1
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, expires_at = EXCLUDED.expires_at,
              purge_bin = EXCLUDED.purge_bin, created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $7
          RETURNING a.name"
}
statement! {
    SET(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Array<Null<Time>>,
        Array<Null<Time>>, Time)
        -> (Name, Time, Time) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, expires_at, purge_bin, created_at, updated_at)
          SELECT s.id, d.name, d.value, d.sealed, COALESCE(d.expires_at, 'infinity'),
                 COALESCE(d.purge_bin, 'infinity'), $7, $7
          FROM sso_attr.session AS s CROSS JOIN ROWS FROM (
              pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),
              pg_catalog.unnest($6)) AS d(name, value, sealed, expires_at, purge_bin)
          WHERE s.id OPERATOR(pg_catalog.=) $1
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at,
              created_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7 THEN $7 ELSE a.created_at END,
              expires_at = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7
                                     OR EXCLUDED.expires_at OPERATOR(pg_catalog.<) 'infinity'
                                THEN EXCLUDED.expires_at ELSE a.expires_at END,
              purge_bin = CASE WHEN a.expires_at OPERATOR(pg_catalog.<=) $7
                                    OR EXCLUDED.expires_at OPERATOR(pg_catalog.<) 'infinity'
                               THEN EXCLUDED.purge_bin ELSE a.purge_bin END
          WHERE a.expires_at OPERATOR(pg_catalog.<=) $7
             OR (a.sealed IS NULL) OPERATOR(pg_catalog.=) (EXCLUDED.sealed IS NULL)
          RETURNING a.name, a.created_at, a.expires_at"
}
statement! {
    /// As SET, for rows that keep all but their values; any other is locked and left as it is.
    SET_KEEPING(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Time) -> (Name, Time, Time) =
        "INSERT INTO sso_attr.attribute AS a
              (session_id, name, value, sealed, purge_bin, created_at, updated_at)
          SELECT s.id, d.name, d.value, d.sealed, 'infinity', $5, $5
          FROM sso_attr.session AS s CROSS JOIN ROWS FROM (
              pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS d(name, value, sealed)
          WHERE s.id OPERATOR(pg_catalog.=) $1
          ON CONFLICT (session_id, name) DO UPDATE
          SET value = EXCLUDED.value, sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at
          WHERE a.expires_at OPERATOR(pg_catalog.>) $5
            AND (a.sealed IS NULL) OPERATOR(pg_catalog.=) (EXCLUDED.sealed IS NULL)
          RETURNING a.name, a.created_at, a.expires_at"
}
/// Has PostgreSQL find the names of a list in the index where it does so in one pass; before release 17
/// it could compare every row with the whole list instead.
macro_rules! among_names {
    () => {
        by_release!(before 17: "", else: "AND a.name OPERATOR(pg_catalog.=) ANY ($2)")
    };
}

statement! {
    /// A row that is sealed is locked, gets a sign of that, and keeps its value.
    UPDATE_FEW_CLEAR(Id, Array<Text>, Array<Null<Json>>, Time) -> (Name, Time) =
        "UPDATE sso_attr.attribute AS a
          SET value = CASE WHEN a.sealed IS NULL THEN ($3)[pg_catalog.array_position($2, a.name)] ELSE a.value END,
              updated_at = CASE WHEN a.sealed IS NULL THEN $4 ELSE '-infinity' END
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $4
          RETURNING a.name, a.updated_at"
}
statement! {
    /// As UPDATE_FEW_CLEAR, for values that are all sealed, over rows that are.
    UPDATE_FEW_SEALED(Id, Array<Text>, Array<Null<Envelope>>, Time) -> (Name, Time) =
        "UPDATE sso_attr.attribute AS a
          SET sealed = CASE WHEN a.value IS NULL THEN ($3)[pg_catalog.array_position($2, a.name)] ELSE a.sealed END,
              updated_at = CASE WHEN a.value IS NULL THEN $4 ELSE '-infinity' END
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
            AND a.expires_at OPERATOR(pg_catalog.>) $4
          RETURNING a.name, a.updated_at"
}
statement! {
    /// As UPDATE_FEW_CLEAR, for many.
    #[by(Hash)]
    UPDATE_CLEAR(Id, Array<Text>, Array<Null<Json>>, Time) -> (Name, Time) = concat!(
        "UPDATE sso_attr.attribute AS a
          SET value = CASE WHEN a.sealed IS NULL THEN d.value ELSE a.value END,
              updated_at = CASE WHEN a.sealed IS NULL THEN $4 ELSE '-infinity' END
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS d(name, value)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
            AND a.expires_at OPERATOR(pg_catalog.>) $4 ", among_names!(), "
          RETURNING a.name, a.updated_at")
}
statement! {
    /// As UPDATE_CLEAR, for a row that is sealed and a value that is not, or the other way round.
    #[by(Hash)]
    UPDATE_VALUES(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Time) -> (Name, Time) = concat!(
        "UPDATE sso_attr.attribute AS a
          SET value = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                           THEN d.value ELSE a.value END,
              sealed = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                            THEN d.sealed ELSE a.sealed END,
              updated_at = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                                THEN $5 ELSE '-infinity' END
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))
              AS d(name, value, sealed)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
            AND a.expires_at OPERATOR(pg_catalog.>) $5 ", among_names!(), "
          RETURNING a.name, a.updated_at")
}
statement! {
    /// As UPDATE_VALUES, with the ends.
    #[by(Hash)]
    UPDATE(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Array<Null<Time>>,
           Array<Null<Time>>, Time) -> (Name, Time) = concat!(
        "UPDATE sso_attr.attribute AS a
          SET value = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                           THEN d.value ELSE a.value END,
              sealed = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                            THEN d.sealed ELSE a.sealed END,
              updated_at = CASE WHEN (a.sealed IS NULL) OPERATOR(pg_catalog.=) (d.sealed IS NULL)
                                THEN $7 ELSE '-infinity' END,
              expires_at = COALESCE(d.expires_at, a.expires_at), purge_bin = COALESCE(d.purge_bin, a.purge_bin)
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),
                          pg_catalog.unnest($5), pg_catalog.unnest($6))
              AS d(name, value, sealed, expires_at, purge_bin)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
            AND a.expires_at OPERATOR(pg_catalog.>) $7 ", among_names!(), "
          RETURNING a.name, a.updated_at")
}
statement! {
    #[by(Hash)]
    OVERWRITE(Id, Array<Text>, Array<Null<Json>>, Array<Null<Envelope>>, Array<Null<Time>>,
              Array<Null<Time>>, Time) = concat!(
        "UPDATE sso_attr.attribute AS a
          SET value = d.value, sealed = d.sealed, updated_at = $7,
              expires_at = COALESCE(d.expires_at, a.expires_at), purge_bin = COALESCE(d.purge_bin, a.purge_bin)
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),
                          pg_catalog.unnest($5), pg_catalog.unnest($6))
              AS d(name, value, sealed, expires_at, purge_bin)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name ", among_names!())
}
statement! {
    #[by(Hash)]
    SET_EXPIRY(Id, Array<Text>, Array<Time>, Array<Time>, Time) -> (Name) = concat!(
        "UPDATE sso_attr.attribute AS a
          SET expires_at = d.expires_at, purge_bin = d.purge_bin, updated_at = $5
          FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))
              AS d(name, expires_at, purge_bin)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
            AND a.expires_at OPERATOR(pg_catalog.>) $5 ", among_names!(), "
          RETURNING a.name")
}
statement! {
    FIND(Id, Array<Text>, Time) -> (Name, Bool, Bool) =
        "SELECT found.name, found.has_value, found.is_sealed
          FROM pg_catalog.unnest($2) AS d(name)
          CROSS JOIN LATERAL (
              SELECT a.name, a.value IS NOT NULL AS has_value, a.sealed IS NOT NULL AS is_sealed
              FROM sso_attr.attribute AS a
              WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
                AND a.expires_at OPERATOR(pg_catalog.>) $3 OFFSET 0) AS found"
}
statement! {
    GET(Id, Array<Text>, Time) -> (Name, Null<Json>, Null<Envelope>) =
        "SELECT found.name, found.value, found.sealed
          FROM pg_catalog.unnest($2) AS d(name)
          CROSS JOIN LATERAL (
              SELECT a.name, a.value, a.sealed FROM sso_attr.attribute AS a
              WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
                AND a.expires_at OPERATOR(pg_catalog.>) $3 OFFSET 0) AS found"
}
statement! {
    #[by(Hash)]
    DELETE(Id, Array<Text>, Time) = concat!(
        "DELETE FROM sso_attr.attribute AS a USING pg_catalog.unnest($2) AS d(name)
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name
            AND a.expires_at OPERATOR(pg_catalog.>) $3 ", among_names!())
}
statement! {
    LOCK_IN_ORDER(Id, Array<Text>) -> (Text) =
        "SELECT a.name FROM sso_attr.attribute AS a
          WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) ANY ($2)
          ORDER BY a.name FOR NO KEY UPDATE"
}
statement! {
    SEEN_TWICE(Id, Array<Text>) =
        "SELECT FROM pg_catalog.unnest($2) AS d(name)
          CROSS JOIN LATERAL (
              SELECT pg_catalog.count(*) AS times FROM sso_attr.attribute AS a
              WHERE a.session_id OPERATOR(pg_catalog.=) $1 AND a.name OPERATOR(pg_catalog.=) d.name) AS seen
          WHERE seen.times OPERATOR(pg_catalog.>) 1 LIMIT 1"
}

/// The number of entries up to which it is cheaper to compare each with every row than to hash them.
const FEW: usize = 20;

/// All lists of names and entries are in byte order of the names, each name once.
impl Attributes<'_> {
    /// Creates attributes, over expired ones too; returns the places of those whose names are there.
    pub fn create_many(&self, entries: &[Entry<'_>]) -> Result<Vec<usize>> {
        let names = names_of(entries)?;
        let (clear, sealed) = values_of(entries)?;
        let params =
            (&self.session, names, clear, sealed, expiries_of(entries)?, bins_of(entries)?, self.now);
        let created = self.db.all(&CREATE, params, |(name,)| (name, (), ()));
        self.refuse_two_of(names)?;
        absent(entries.iter().map(|entry| entry.name), created)
    }

    /// Creates or replaces attributes; returns the places of those that did not suit the rows found, which
    /// are locked.
    pub fn set_many(&self, entries: &[Entry<'_>]) -> Result<Vec<usize>> {
        let (id, names, now) = (&self.session, names_of(entries)?, self.now);
        let (clear, sealed) = values_of(entries)?;
        let done = if entries.iter().all(|entry| entry.expires_at.is_none()) {
            self.db.all(&SET_KEEPING, (id, names, clear, sealed, now), |row| row)
        } else {
            let params = (id, names, clear, sealed, expiries_of(entries)?, bins_of(entries)?, now);
            self.db.all(&SET, params, |row| row)
        };
        self.refuse_two_of(names)?;
        left(entries, done)
    }

    /// As [`Attributes::set_many`], for what it has left: expired rows are started afresh.
    pub fn set_left(&self, entries: &[Entry<'_>]) -> Result<Vec<usize>> {
        let (clear, sealed) = values_of(entries)?;
        let (expiries, bins) = (expiries_of(entries)?, bins_of(entries)?);
        let params = (&self.session, names_of(entries)?, clear, sealed, expiries, bins, self.now);
        left(entries, self.db.all(&SET, params, |row| row))
    }

    /// Replaces live attributes; says of each what became of it, in the order of the entries. Those
    /// that are left are locked.
    pub fn update_many(&self, entries: &[Entry<'_>]) -> Result<Vec<Updated>> {
        let (id, names, now) = (&self.session, names_of(entries)?, self.now);
        self.lock_in_order(names);
        // Citus cannot take an element of a parameter.
        let is_few = entries.len() <= FEW && !citus::is_loaded();
        let sealed_count = entries.iter().filter(|entry| entry.value.is_sealed()).count();
        let row = |(name, at)| (name, at, ());
        let rows = if entries.iter().any(|entry| entry.expires_at.is_some()) {
            let (clear, sealed) = values_of(entries)?;
            let params = (id, names, clear, sealed, expiries_of(entries)?, bins_of(entries)?, now);
            self.db.all(&UPDATE, params, row)
        } else if sealed_count == 0 {
            let statement = if is_few { &UPDATE_FEW_CLEAR } else { &UPDATE_CLEAR };
            self.db.all(statement, (id, names, clear_of(entries)?, now), row)
        } else if is_few && sealed_count == entries.len() {
            self.db.all(&UPDATE_FEW_SEALED, (id, names, sealed_of(entries)?, now), row)
        } else {
            let (clear, sealed) = values_of(entries)?;
            self.db.all(&UPDATE_VALUES, (id, names, clear, sealed, now), row)
        };
        collected(placed(entries.iter().map(|entry| entry.name), rows).map(|(_, row)| match row {
            None => Ok(Updated::Missing),
            Some((at, ())) => Ok(if at == now { Updated::Written } else { Updated::Left }),
        }))
    }

    /// Replaces attributes that are there and locked, whatever they hold.
    pub fn overwrite(&self, entries: &[Entry<'_>]) -> Result<()> {
        let (clear, sealed) = values_of(entries)?;
        let (expiries, bins) = (expiries_of(entries)?, bins_of(entries)?);
        let params = (&self.session, names_of(entries)?, clear, sealed, expiries, bins, self.now);
        // Locked rows cannot go away, but making sure is worth a comparison.
        let all = self.db.run(&OVERWRITE, params) == entries.len() as u64;
        if all { Ok(()) } else { Err(Error::DeletedMeanwhile) }
    }

    /// Has live attributes expire at other times; returns the places of names that are not there.
    pub fn set_expiry_many(&self, names: &[&str], expiries: &[Timestamp]) -> Result<Vec<usize>> {
        let times = ArrayOf::new(expiries.iter().copied())?;
        let bins = ArrayOf::new(expiries.iter().map(|expires_at| expires_at.purge_bin()))?;
        let names_in_order = texts(names)?;
        self.lock_in_order(names_in_order);
        let params = (&self.session, names_in_order, times, bins, self.now);
        let rows = self.db.all(&SET_EXPIRY, params, |(name,)| (name, (), ()));
        absent(names.iter().copied(), rows)
    }

    /// Says of each name, if a live attribute has it, whether that is sealed; an error for a row that is
    /// neither sealed nor clear.
    pub fn find_many(&self, names: &[&str]) -> Result<Vec<Option<Result<bool>>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.db.all(&FIND, (&self.session, texts(names)?, self.now), |row| row);
        collected(placed(names.iter().copied(), found).map(|(_, found)| Ok(found.map(is_sealed))))
    }

    /// The values under these names; `None` for one that is not there.
    pub fn get_many(&self, names: &[&str]) -> Result<Vec<Option<Value>>> {
        let found = self.db.all(&GET, (&self.session, texts(names)?, self.now), |row| row);
        collected(
            placed(names.iter().copied(), found).map(|(_, found)| found.map(Value::from_columns).transpose()),
        )
    }

    /// Those of these names that are there.
    pub fn present(&self, names: &[&str]) -> Result<Vec<TextDatum>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.db.all(&FIND, (&self.session, texts(names)?, self.now), |(name, ..)| name))
    }

    /// Deletes attributes that this call has written as expired and so has locked.
    pub fn delete_expired(&self, names: &[&str]) -> Result<()> {
        self.delete_after(Timestamp::BEFORE_ALL, names)?;
        Ok(())
    }

    /// Deletes the live attributes among `names` and counts them.
    pub fn delete_many(&self, names: &[&str]) -> Result<u64> {
        self.delete_after(self.now, names)
    }

    fn delete_after(&self, instant: Timestamp, names: &[&str]) -> Result<u64> {
        let names = texts(names)?;
        self.lock_in_order(names);
        Ok(self.db.run(&DELETE, (&self.session, names, instant)))
    }

    /// On another node of a cluster nobody sees to it that the statement to come goes along the names.
    fn lock_in_order(&self, names: ArrayOf<Text>) {
        if citus::is_loaded() {
            self.db.run(&LOCK_IN_ORDER, (&self.session, names));
        }
    }

    /// Refuses what others have deleted meanwhile, as [`Attributes::create`] does.
    fn refuse_two_of(&self, names: ArrayOf<Text>) -> Result<()> {
        if transaction::has_one_snapshot() && self.db.run(&SEEN_TWICE, (&self.session, names)) > 0 {
            return Err(Error::DeletedMeanwhile);
        }
        Ok(())
    }
}

/// The places of entries that were not written as they were to be.
fn left(entries: &[Entry<'_>], done: Vec<(TextDatum, Timestamp, Timestamp)>) -> Result<Vec<usize>> {
    let mut left = Vec::new();
    for (at, done) in placed(entries.iter().map(|entry| entry.name), done) {
        match done {
            Some((_, expires_at)) if expires_at == Timestamp::NEVER => {}
            // The statements cannot tell a wish never to expire from no wish.
            Some(_) if entries[at].expires_at != Some(Timestamp::NEVER) => {}
            _ => push(&mut left, at)?,
        }
    }
    Ok(left)
}

/// The places of names under which nothing came back.
fn absent<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    rows: Vec<(TextDatum, (), ())>,
) -> Result<Vec<usize>> {
    let mut absent = Vec::new();
    for (at, row) in placed(names, rows) {
        if row.is_none() {
            push(&mut absent, at)?;
        }
    }
    Ok(absent)
}

/// For each place of a list, what came back under its name. Rows come back in the list's order, unless the
/// planner has found an index of somebody else's to go by.
fn placed<'a, A, B>(
    names: impl ExactSizeIterator<Item = &'a str>,
    mut rows: Vec<(TextDatum, A, B)>,
) -> impl ExactSizeIterator<Item = (usize, Option<(A, B)>)> {
    rows.sort_unstable_by(|one, other| {
        interrupt::check();
        (*one.0).cmp(&*other.0)
    });
    let mut rows = rows.into_iter().peekable();
    let place = move |(at, name): (usize, &'a str)| {
        (at, rows.next_if(|(found, ..)| **found == *name).map(|(_, a, b)| (a, b)))
    };
    names.enumerate().map(place)
}

fn texts(names: &[&str]) -> Result<ArrayOf<Text>> {
    ArrayOf::new(names.iter().copied())
}

fn names_of(entries: &[Entry<'_>]) -> Result<ArrayOf<Text>> {
    ArrayOf::new(entries.iter().map(|entry| entry.name))
}

/// The columns `value` and `sealed` of entries.
type Values = (ArrayOf<Null<Json>>, ArrayOf<Null<Envelope>>);

fn values_of(entries: &[Entry<'_>]) -> Result<Values> {
    Ok((clear_of(entries)?, sealed_of(entries)?))
}

fn clear_of(entries: &[Entry<'_>]) -> Result<ArrayOf<Null<Json>>> {
    ArrayOf::new(entries.iter().map(|entry| entry.value.columns().0))
}

fn sealed_of(entries: &[Entry<'_>]) -> Result<ArrayOf<Null<Envelope>>> {
    ArrayOf::new(entries.iter().map(|entry| entry.value.columns().1))
}

fn expiries_of(entries: &[Entry<'_>]) -> Result<ArrayOf<Null<Time>>> {
    ArrayOf::new(entries.iter().map(|entry| entry.expires_at))
}

fn bins_of(entries: &[Entry<'_>]) -> Result<ArrayOf<Null<Time>>> {
    ArrayOf::new(entries.iter().map(|entry| entry.expires_at.map(Timestamp::purge_bin)))
}
