//! The next call, chosen at random: mostly one that can succeed, often where others have been.

use sso_attr_client_tests::Random;

use super::call::*;
use super::contract::Model;

const USERS: [&str; 3] = ["ann", "bob", "it's carol"];
const KEYRINGS: [&[u32]; 6] = [&[1], &[2, 1], &[1, 2], &[3, 2, 1], &[3], &[2, 3, 1]];
/// Of [`ADDRESSES`], the first ones.
const RIGHT_ADDRESSES: usize = 4;
const FIGURES: [&str; 4] = ["sso_attr_stats", "sso_attr_keys", "sso_attr_purge_status", "sso_attr_version"];
const KINDS: [&str; 5] = ["holder", "app", "login", "monitor", "operator"];
/// Two of them are the same.
const USERNAMES: [&str; 4] = ["Ann", "ANN", "Ünal", "bob"];
const PASSWORDS: [&str; 3] = ["a long password", "another é password", "short"];
const SUMMANDS: [&str; 6] = ["1", "1", "2.50", "-3", "NULL", "'NaN'"];

/// `label` is a number that no other call has.
pub fn next_call(random: &mut Random, model: &Model, label: usize) -> Call {
    if model.is_aborted() {
        return match random.below(10) {
            0 => Call::Rollback,
            1 => Call::Commit,
            2 => Call::Verify { ust: Ust::Slot(0) },
            3 => Call::RollbackTo(random.below(2)),
            _ if model.savepoints().is_empty() => Call::Rollback,
            _ => Call::RollbackTo(*random.pick(&model.savepoints())),
        };
    }
    // An error must not be the end of most transactions.
    if model.is_in_transaction() && model.savepoints().is_empty() && random.one_in(2) {
        return Call::Savepoint(random.below(2));
    }
    if model.live_slots().len() < 2 && random.one_in(3) {
        return open(random, label);
    }
    match random.below(100) {
        0..=9 => transaction(random, model),
        10..=29 => session(random, model, label),
        30..=59 => attribute(random, model),
        60..=79 => batch(random, model),
        80..=84 => user_call(random, model, label),
        85..=87 => by_hand(random, model),
        88..=91 | 93..=96 if model.is_caller() => Call::Role { caller: false },
        88..=91 => operation(random),
        92 => look_after(random),
        _ => attribute(random, model),
    }
}

fn transaction(random: &mut Random, model: &Model) -> Call {
    if !model.is_in_transaction() {
        return Call::Begin;
    }
    match random.below(8) {
        0..=2 => Call::Savepoint(random.below(2)),
        3 => Call::RollbackTo(random.below(2)),
        4 => Call::Release(random.below(2)),
        5 => Call::Rollback,
        _ => Call::Commit,
    }
}

/// As [`next_call`], where all have one keyring that stays, and no session is lost in a crash.
pub fn next_call_with_one_keyring(random: &mut Random, model: &Model, label: usize) -> Call {
    loop {
        match next_call(random, model, label) {
            Call::Keyring(_) | Call::SetLogged(_) => {}
            call => return call,
        }
    }
}

fn open(random: &mut Random, label: usize) -> Call {
    Call::Open {
        into: random.below(SLOTS),
        origin: origin(random, label),
        user: user(random),
        deadline: deadline(random),
        ust: random.one_in(3).then(|| foreign(random)),
        keep_newest: random.one_in(4).then(|| *random.pick(&[1, 1, 2, 2, 3, 0])),
    }
}

fn origin(random: &mut Random, label: usize) -> Origin {
    let odd = random.one_in(20);
    Origin {
        label,
        app: if odd { Some(TOO_LONG) } else { *random.pick(&[None, Some(""), Some("shop")]) },
        address: *random.pick(if odd { &ADDRESSES } else { &ADDRESSES[..RIGHT_ADDRESSES] }),
    }
}

fn session(random: &mut Random, model: &Model, label: usize) -> Call {
    let ust = ust(random, model);
    match random.below(26) {
        0..=5 => open(random, label),
        6..=8 => Call::Rotate {
            ust,
            into: random.below(SLOTS),
            user: user(random),
            new: random.one_in(3).then(|| foreign(random)),
        },
        9..=10 => Call::Renew { ust, deadline: deadline(random) },
        11..=14 => Call::Save {
            ust,
            changed: (0..random.below(4)).map(|_| (known_name(random), *random.pick(&VALUES))).collect(),
            removed: names(random),
            deadline: if random.one_in(2) { Deadline::In(NO_EXPIRATION) } else { deadline(random) },
            replace: random.one_in(5),
            encrypt: names(random),
        },
        15 => Call::End { ust },
        16 if random.one_in(2) => Call::EndAll { user: user(random), keep: random.one_in(2).then_some(ust) },
        17 => {
            let owner = *random.pick(&USERS);
            Call::EndOne { user: user(random), owner, nth: random.below(2) }
        }
        18 => Call::Show { ust },
        19 => Call::Load { ust },
        20 => Call::List { user: user(random) },
        21 => Call::Use { ust },
        22 => Call::CurrentUser,
        23 => Call::CurrentAttribute { name: name(random) },
        24 => Call::SessionId { ust },
        25 => Call::CurrentSession { ust },
        _ => Call::Verify { ust },
    }
}

fn user_call(random: &mut Random, model: &Model, label: usize) -> Call {
    let odd = random.pick(&[None, Some(""), Some(TOO_LONG), Some("nobody")]);
    let known: Vec<_> = model.users().map(|user| user.username).collect();
    let username = match random.below(12) {
        0 => *odd,
        1..=8 if !known.is_empty() => Some(*random.pick(&known)),
        _ => Some(*random.pick(&USERNAMES)),
    };
    // Mostly one and the same, or else few would be right.
    let password = if random.one_in(3) { random.pick(&PASSWORDS) } else { &PASSWORDS[0] };
    let password = (!random.one_in(20)).then_some(*password);
    match random.below(13) {
        0..=2 => {
            let user = *random.pick(&USERS);
            Call::CreateUser { username, password, user }
        }
        3..=5 => Call::Login {
            into: random.below(SLOTS),
            origin: origin(random, label),
            username,
            password,
            expiration: expiration(random),
            ust: random.one_in(4).then(|| foreign(random)),
            keep_newest: random.one_in(4).then(|| *random.pick(&[1, 2, 0])),
        },
        6 => Call::VerifyUser { username, password },
        7 => Call::SetPassword { username, password, keep: random.one_in(3).then(|| ust(random, model)) },
        8 => Call::Lock { username, until: *random.pick(&[None, Some(3600), Some(-10)]) },
        9 => Call::Unlock { username },
        10 => Call::DeleteUser { username },
        11 => Call::ListUsers,
        _ => Call::UserExists { username },
    }
}

fn attribute(random: &mut Random, model: &Model) -> Call {
    let (ust, name) = (ust(random, model), name(random));
    let (value, expiration, encrypt) = (*random.pick(&VALUES), expiration(random), encrypt(random));
    match random.below(20) {
        0..=7 => {
            let verb = *random.pick(&[Verb::Create, Verb::Update, Verb::Set, Verb::Set]);
            Call::Write { verb, json: random.one_in(3), ust, name, value, expiration, encrypt }
        }
        8..=9 => {
            let stored = name.and_then(|name| Some(&model.attributes(&ust)?.get(name)?.json));
            let known = VALUES.iter().find(|(_, json)| stored.is_some_and(|stored| stored == json));
            let expected = *known.filter(|_| random.one_in(2)).unwrap_or(random.pick(&VALUES));
            Call::CompareAndSet { ust, name, expected, value, expiration, encrypt }
        }
        10..=11 => {
            let by = *random.pick(&SUMMANDS);
            Call::Increment { ust, name, by, expiration }
        }
        12..=13 => Call::SetExpiry { ust, name, expiration },
        14 => Call::Names { ust },
        15 => Call::GetAll { ust },
        16 => Call::ListAttributes { ust },
        _ => {
            let verbs =
                [Lookup::Get, Lookup::Get, Lookup::GetText, Lookup::Exists, Lookup::Take, Lookup::Delete];
            Call::Lookup { verb: *random.pick(&verbs), ust, name }
        }
    }
}

fn batch(random: &mut Random, model: &Model) -> Call {
    let ust = ust(random, model);
    match random.below(10) {
        0..=5 => Call::WriteMany {
            verb: *random.pick(&[Verb::Create, Verb::Update, Verb::Update, Verb::Set, Verb::Set]),
            ust,
            items: items(random),
            expiration: expiration(random),
            encrypt: encrypt(random),
        },
        6..=7 => Call::SetExpiryMany { ust, items: items(random), expiration: expiration(random) },
        _ => Call::LookupMany {
            verb: *random.pick(&[LookupMany::Get, LookupMany::Exists, LookupMany::Delete]),
            ust,
            names: names(random),
        },
    }
}

fn items(random: &mut Random) -> Vec<Item> {
    // Few are written one by one, more as a set.
    let count = *random.pick(&[0, 1, 2, 3, 5, 7]);
    // Of distinct names, or else create_many would seldom succeed.
    let first = if random.one_in(2) { 0 } else { random.below(RIGHT_NAMES) };
    (0..count)
        .map(|number| Item {
            name: if random.one_in(12) { name(random) } else { NAMES[(first + number) % RIGHT_NAMES] },
            value: *random.pick(&VALUES),
            expiration: random.one_in(3).then(|| expiration(random)),
            encrypt: random.one_in(3).then(|| encrypt(random)),
        })
        .collect()
}

fn by_hand(random: &mut Random, model: &Model) -> Call {
    let ust = ust(random, model);
    match random.below(8) {
        0..=4 => Call::MoveAttribute { ust, name: known_name(random) },
        5 => Call::MoveSession { ust },
        _ => Call::Age { ust, hours: *random.pick(&[1, 1, 24 * 29, 24 * 31]) },
    }
}

fn operation(random: &mut Random) -> Call {
    let (keys, kind) = (*random.pick(&KEYRINGS), *random.pick(&KINDS));
    match random.below(12) {
        0..=3 => look_after(random),
        4 => Call::Keyring(keys),
        5..=7 => Call::Grant(kind),
        8 => Call::Revoke(kind),
        _ => Call::Role { caller: true },
    }
}

/// What those who run a server call.
fn look_after(random: &mut Random) -> Call {
    match random.below(13) {
        0..=3 => Call::Purge { most: *random.pick(&[None, Some(0), Some(1), Some(1000), Some(-1)]) },
        4..=7 => Call::Rekey { most: *random.pick(&[None, None, None, Some(-1)]) },
        8..=9 => Call::Figures(random.pick(&FIGURES)),
        10 => Call::CheckRows,
        11 => Call::Distribute,
        _ => Call::SetLogged(random.one_in(2)),
    }
}

fn ust(random: &mut Random, model: &Model) -> Ust {
    match (random.below(30), &*model.live_slots()) {
        (0, _) => Ust::Null,
        (1, _) => Ust::Malformed,
        (2..=3, _) => Ust::Foreign(foreign(random)),
        (4..=5, _) | (_, []) => Ust::Slot(random.below(SLOTS)),
        (_, live) => Ust::Slot(*random.pick(live)),
    }
}

fn foreign(random: &mut Random) -> usize {
    if random.one_in(10) { random.below(FOREIGN.len()) } else { random.below(ADOPTABLE) }
}

fn user(random: &mut Random) -> Name {
    match random.below(12) {
        0..=3 => None,
        4 => Some(*random.pick(&["", TOO_LONG])),
        _ => Some(*random.pick(&USERS)),
    }
}

fn name(random: &mut Random) -> Name {
    if random.one_in(15) { *random.pick(&NAMES) } else { right_name(random) }
}

/// Half of the names often, so that calls meet.
fn right_name(random: &mut Random) -> Name {
    let end = if random.one_in(3) { RIGHT_NAMES } else { RIGHT_NAMES / 2 };
    NAMES[random.below(end)]
}

fn known_name(random: &mut Random) -> &'static str {
    right_name(random).unwrap_or_default()
}

fn names(random: &mut Random) -> Vec<Name> {
    (0..random.below(4)).map(|_| name(random)).collect()
}

fn expiration(random: &mut Random) -> Expiration {
    match random.below(20) {
        0..=9 => NO_EXPIRATION,
        10 => *random.pick(&EXPIRATIONS),
        _ => *random.pick(&EXPIRATIONS[..RIGHT_EXPIRATIONS]),
    }
}

fn deadline(random: &mut Random) -> Deadline {
    match random.below(30) {
        0 => Deadline::Both,
        1 => Deadline::At(-10),
        2..=4 => Deadline::At(7200),
        5..=14 => Deadline::In(NO_EXPIRATION),
        _ => Deadline::In(expiration(random)),
    }
}

fn encrypt(random: &mut Random) -> Option<bool> {
    *random.pick(&[None, None, Some(true), Some(true), Some(false)])
}
