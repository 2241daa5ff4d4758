//! Arguments as SQL expressions, right ones more often than not: a call that fails at its first
//! argument shows little.

use std::sync::LazyLock;

use sso_attr_client_tests::Random;

/// Texts that are not UTF-8, the rows of `pg_temp.hostile`.
pub static HOSTILE_TEXTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut texts: Vec<Vec<u8>> = [
        &b"\xf0"[..],
        b"abc\xf0",
        b"abc\xf0\x9f\x98",
        b"n1\xe9",
        b"\xc3(",
        b"a\xe2\x82",
        // Overlong forms, surrogates, beyond U+10FFFF, bytes that are in no UTF-8.
        b"\xc0\x80",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe\xff",
        b"\x80",
        b"sso_\xf0",
    ]
    .map(<[u8]>::to_vec)
    .into();
    for (byte, times) in [(b'A', 63), (b'a', 21), (b'a', 254), (b'a', 1023), (b'x', 100_000), (b'\xf0', 300)]
    {
        let mut text = vec![byte; times];
        text.push(0xf0);
        texts.push(text);
    }
    texts.push([&b"sso_"[..], &[b'A'; 63], b"\xf0"].concat());
    texts.push([&[0xf0; 22][..], b"-adopted"].concat());
    texts
});

/// JSON with such texts in it, the rows of `pg_temp.hostile_json`.
pub static HOSTILE_JSONS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut jsons = Vec::new();
    for text in HOSTILE_TEXTS.iter() {
        jsons.push([&b"\""[..], text, b"\""].concat());
        jsons.push([&b"[{\"name\": \""[..], text, b"\", \"value\": 1}]"].concat());
        jsons.push([&b"[{\"name\": \"n1\", \"value\": \""[..], text, b"\"}]"].concat());
        jsons.push([&b"[{\"name\": \"n1\", \"value\": 1, \""[..], text, b"\": 1}]"].concat());
        jsons.push(
            [&b"[{\"name\": \"n1\", \"value\": {\""[..], text, b"\": 1}, \"encrypt\": true}]"].concat(),
        );
        jsons.push([&b"{\""[..], text, b"\": 1, \"n1\": 2}"].concat());
    }
    jsons
});

/// An expression and the type that it is declared with where it goes through a variable.
pub struct Argument {
    pub sql: String,
    pub type_name: String,
}

/// A random argument for a parameter.
pub fn argument(random: &mut Random, function: &str, parameter: &str, type_name: &str) -> Argument {
    if type_name.starts_with("any") {
        let (type_name, sql) = polymorphic(random);
        return Argument { sql, type_name };
    }
    let sql = match type_name {
        "text" => text(random, function, parameter),
        "text[]" => texts(random),
        "double precision" => format!("{}::double precision", seconds(random)),
        "boolean" => (*random.pick(&["true", "false", "NULL::boolean"])).to_owned(),
        "jsonb" => jsonb(random, function, parameter),
        "integer" => format!("{}::integer", random.pick(&INTEGERS)),
        "bigint" if random.one_in(4) => format!("{}::bigint", random.pick(&BIGINTS)),
        "bigint" => format!("{}::bigint", random.pick(&INTEGERS)),
        "numeric" => format!("{}::numeric", random.pick(&NUMERICS)),
        "inet" => format!("{}::inet", random.pick(&ADDRESSES)),
        "uuid" if random.one_in(3) => format!("{}::uuid", random.pick(&UUIDS)),
        "uuid" => format!("pg_temp.session_id({})", random.below(8)),
        "timestamp with time zone" => (*random.pick(&TIMES)).to_owned(),
        "regrole" => {
            (*random.pick(&["'fuzz'::regrole", "'postgres'::regrole", "0::oid::regrole"])).to_owned()
        }
        _ => format!("NULL::{type_name}"),
    };
    Argument { sql, type_name: type_name.to_owned() }
}

const INTEGERS: [&str; 9] = ["NULL", "0", "1", "2", "10", "1000", "(-1)", "2147483647", "(-2147483648)"];
const BIGINTS: [&str; 3] = ["9223372036854775807", "(-9223372036854775808)", "4294967296"];
const NUMERICS: [&str; 13] = [
    "NULL",
    "0",
    "1",
    "1",
    "2.50",
    "(-1)",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "'1e131071'",
    "'1e-16383'",
    "0.1",
    "99999999999999999999999999",
];
const ADDRESSES: [&str; 9] = [
    "NULL",
    "'10.0.0.1'",
    "'0.0.0.0/0'",
    "'255.255.255.255'",
    "'10.1.2.3/8'",
    "'::1'",
    "'::ffff:1.2.3.4/96'",
    "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
    "'::/0'",
];
const UUIDS: [&str; 4] = [
    "NULL",
    "'00000000-0000-0000-0000-000000000000'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'01890000-0000-7000-8000-000000000000'",
];
const TIMES: [&str; 9] = [
    "NULL::timestamptz",
    "'infinity'::timestamptz",
    "'-infinity'::timestamptz",
    "'294276-12-31 23:59:59.999999+00'::timestamptz",
    "'4713-01-01 00:00:00+00 BC'::timestamptz",
    "'1970-01-01 00:00:00+00'::timestamptz",
    "pg_catalog.now()",
    "pg_catalog.now() + '1 hour'::interval",
    "pg_catalog.clock_timestamp() + '1 year'::interval",
];
/// What expirations are; the valid ones first.
const SECONDS: [&str; 23] = [
    "NULL",
    "'Infinity'",
    "1",
    "0.5",
    "60",
    "3600",
    "86400.25",
    "1e9",
    "0.000001",
    "1e-7",
    "1e-300",
    "4.94e-324",
    "0",
    "'-0'",
    "(-1)",
    "'NaN'",
    "'-Infinity'",
    "9.2229e12",
    "9.22337203685477e12",
    "9223372036854.775",
    "9.3e12",
    "1e18",
    "1.7976931348623157e308",
];
const VALID_SECONDS: usize = 8;

fn seconds(random: &mut Random) -> &'static str {
    let end = if random.one_in(3) { SECONDS.len() } else { VALID_SECONDS };
    SECONDS[random.below(end)]
}

/// A text for a parameter of this name.
fn text(random: &mut Random, function: &str, parameter: &str) -> String {
    if random.one_in(4) {
        // An address that is none is shown by PostgreSQL.
        let is_shown = matches!(parameter, "name" | "remote_addr");
        return if is_shown { shown_text(random) } else { any_text(random) };
    }
    match parameter {
        "ust" if function == "sso_session_create" || function.ends_with("_login") => adopted(random),
        "new_ust" => adopted(random),
        // Mostly those that no other call needs, and never those that are kept.
        "ust" if function.ends_with("_end") || function.ends_with("_rotate") => {
            format!("pg_temp.token({})", random.pick(&[12, 13, 14, 15, 12, 13, 14, 15, 0, 1, 2, 3]))
        }
        "ust" | "keep_ust" => live_token(random),
        "name" => format!("'n{}'", random.below(16)),
        "user_id" | "username" => format!("'u{}'", random.below(5)),
        "password" => format!("'password {}'", random.below(3)),
        "what" => (*random.pick(&["'app'", "'holder'", "'operator'", "'monitor'", "'owner'"])).to_owned(),
        "remote_addr" => (*random.pick(&[
            "'192.0.2.1'",
            "' ::1/64 '",
            "''",
            "NULL::text",
            "'192.0.2.1, ::1'",
            "'unknown'",
        ]))
        .to_owned(),
        _ => (*random.pick(&["'a text'", "pg_temp.marker()", "NULL::text", "''"])).to_owned(),
    }
}

fn live_token(random: &mut Random) -> String {
    match random.below(12) {
        0 => format!("pg_temp.token({})", 12 + random.below(4)),
        1 => "public.sso_session_create('u0')".to_owned(),
        // The first ones often, so that calls meet.
        2..=6 => format!("pg_temp.token({})", random.below(2)),
        _ => format!("pg_temp.token({})", random.below(8)),
    }
}

fn adopted(random: &mut Random) -> String {
    match random.below(3) {
        0 => "NULL::text".to_owned(),
        _ => format!("pg_temp.adopted({})", random.below(50)),
    }
}

fn hostile(random: &mut Random) -> String {
    format!("pg_temp.h({})", random.below(HOSTILE_TEXTS.len()))
}

/// Any text at all.
fn any_text(random: &mut Random) -> String {
    let odd = [
        "NULL::text",
        "''",
        "'Infinity'",
        "'null'",
        "'{}'",
        "'%s%n'",
        "E'\\n\\t\\r'",
        "chr(1)",
        "chr(1114111)",
    ];
    let characters = ["x", "é", "😀", "\u{301}", "\u{202e}", "\u{feff}"];
    let lengths = [1, 21, 22, 32, 64, 254, 255, 256, 512, 513, 1023, 1024, 1025, 4096];
    match random.below(20) {
        0..=4 => hostile(random),
        5 => format!("({} || {})", hostile(random), hostile(random)),
        6 => format!("repeat({}, {})", hostile(random), random.pick(&[2, 5, 10])),
        7 => format!("pg_temp.token({})", 8 + random.below(4)),
        8 => format!("('sso_' || repeat({}, 64))", random.pick(&["'A'", "'_'", "'='", "'+'", "'é'"])),
        9 => format!(
            "(pg_temp.token({}) || {})",
            random.below(8),
            random.pick(&["'A'", "' '", "'='", "chr(233)"])
        ),
        10 => format!("left(pg_temp.token({}), {})", random.below(8), random.pick(&[-1, 4, 20, 26, 67])),
        // The last character holds bits that a decoder may not look at.
        11 => format!(
            "(left(pg_temp.token({}), -1) || {})",
            random.below(8),
            random.pick(&["'A'", "'B'", "'/'"])
        ),
        12 => format!("upper(pg_temp.token({}))", random.below(8)),
        13 => format!("pg_temp.adopted({})", random.below(50)),
        14..=15 => format!("repeat('{}', {})", random.pick(&characters), random.pick(&lengths)),
        16 => format!("repeat({}, 100000)", random.pick(&["'x'", "chr(1)", "'\"'", "'é'"])),
        17 => format!("(pg_temp.marker() || {})", hostile(random)),
        _ => (*random.pick(&odd)).to_owned(),
    }
}

/// Any text that an error may quote: none that must not be in the log.
fn shown_text(random: &mut Random) -> String {
    loop {
        let text = any_text(random);
        if !["token(", "'sso_'", "marker(", "adopted("].iter().any(|secret| text.contains(secret)) {
            return text;
        }
    }
}

fn name(random: &mut Random) -> String {
    if random.one_in(8) { shown_text(random) } else { format!("'n{}'", random.below(16)) }
}

fn texts(random: &mut Random) -> String {
    match random.below(14) {
        0 => "NULL::text[]".to_owned(),
        1 => "'{}'::text[]".to_owned(),
        2 => "ARRAY['n0', NULL, 'n1']::text[]".to_owned(),
        3 => "ARRAY[['n0', 'n1'], ['n2', 'n3']]::text[]".to_owned(),
        4 => "'[5:7]={n0,n1,n0}'::text[]".to_owned(),
        5 => format!("pg_temp.names({})", random.pick(&[100, 1000, 10_000])),
        6 => "array_fill('n0'::text, ARRAY[3, 1, 2], ARRAY[-1, 0, 7])".to_owned(),
        7 => format!("ARRAY[{}]::text[]", hostile(random)),
        _ => {
            let names: Vec<_> = (0..1 + random.below(5)).map(|_| name(random)).collect();
            format!("ARRAY[{}]::text[]", names.join(", "))
        }
    }
}

fn jsonb(random: &mut Random, function: &str, parameter: &str) -> String {
    match parameter {
        _ if random.one_in(6) => any_jsonb(random),
        "data" => data(random, function),
        "changed" => {
            let pairs: Vec<_> = (0..random.below(5))
                .map(|_| format!("{}, {}", name(random), polymorphic(random).1))
                .collect();
            format!("jsonb_build_object({})", pairs.join(", "))
        }
        _ => any_jsonb(random),
    }
}

/// An array of items, most of them right.
fn data(random: &mut Random, function: &str) -> String {
    let ends_only = function.contains("expiry");
    // Errors that say too much do not fit into memory.
    if random.one_in(1000) {
        return "jsonb_build_array(jsonb_build_object('name', 'n1', repeat(chr(1), 180000000), 1))"
            .to_owned();
    }
    if random.one_in(1000) {
        return format!("pg_temp.{}", random.pick(&["ends(720000)", "items(20000)"]));
    }
    match random.below(16) {
        0 => "'[]'::jsonb".to_owned(),
        1 if ends_only => format!("pg_temp.ends({})", random.pick(&[10, 100, 1000])),
        1 => format!("pg_temp.items({})", random.pick(&[10, 100, 1000])),
        _ => {
            let items: Vec<_> = (0..1 + random.below(4)).map(|_| item(random, ends_only)).collect();
            format!("jsonb_build_array({})", items.join(", "))
        }
    }
}

const EXPIRATIONS: [&str; 10] =
    ["NULL", "60", "3600.5", "60", "0.5", "'Infinity'::text", "1e9", "0", "true", "1e400::numeric"];
const PROTECTIONS: [&str; 8] = ["true", "false", "NULL", "true", "false", "true", "'true'::text", "1"];

fn item(random: &mut Random, ends_only: bool) -> String {
    let mut pairs = vec![format!("'name', {}", name(random))];
    if !ends_only {
        pairs.push(format!("'value', {}", any_jsonb(random)));
    }
    if random.one_in(3) {
        let expiration = random.pick(&EXPIRATIONS);
        pairs.push(format!("'expiration', {expiration}"));
    }
    if random.one_in(3) && !ends_only {
        pairs.push(format!("'encrypt', {}", random.pick(&PROTECTIONS)));
    }
    if random.one_in(20) {
        pairs.push(format!("coalesce({}, 'key'), 1", shown_text(random)));
    }
    if random.one_in(20) {
        let wrong =
            random.pick(&["'name', 1", "'name', NULL", "'Name', 'n1'", "'', ''", "'expiration', ARRAY[1]"]);
        pairs.push((*wrong).to_owned());
    }
    if random.one_in(40) {
        pairs.remove(random.below(pairs.len()));
    }
    format!("jsonb_build_object({})", pairs.join(", "))
}

fn any_jsonb(random: &mut Random) -> String {
    let scalars =
        ["1", "null", "true", "\"text\"", "{}", "[]", "0.10", "-0", "1e400", "12345678901234567890.123"];
    let larger = [
        "{\"a\": [1, 2, {\"b\": null}], \"a\": 2}",
        "[[], {}, [{}], \"\\ud83d\\ude00\"]",
        "\"\\u0001\\u001f\\\"\\\\\"",
        "[{\"name\": \"n1\", \"value\": 1, \"name\": \"n2\"}]",
        "{\"name\": \"n1\", \"value\": 1}",
    ];
    match random.below(20) {
        0 => "NULL::jsonb".to_owned(),
        1..=2 => format!("to_jsonb({})", any_text(random)),
        3 => format!("pg_temp.hj({})", random.below(HOSTILE_JSONS.len())),
        4 => {
            let depths = [100, 101, 1000, 3000, 3001, 6000, 6001, -1, -5, -20, -50, -100, -200, -500, -1000];
            let depth = random.pick(&depths);
            format!("pg_temp.deep({depth})")
        }
        5 => format!("jsonb_build_object({}, 1)", random.pick(&["repeat(chr(1), 100000)", "''", "'key'"])),
        6 => {
            format!("to_jsonb({})", random.pick(&["1e400::numeric", "'1e131071'::numeric", "'NaN'::float8"]))
        }
        7 => format!("to_jsonb(repeat('x', {}))", random.pick(&[100_000, 1_048_574, 1_048_575])),
        8 => "to_jsonb(pg_temp.marker())".to_owned(),
        9..=11 => format!("'{}'::jsonb", random.pick(&larger).replace('\'', "''")),
        _ => format!("'{}'::jsonb", random.pick(&scalars)),
    }
}

/// A value of any type, with its type.
fn polymorphic(random: &mut Random) -> (String, String) {
    let (type_name, sql) = match random.below(5) {
        0 => ("text", any_text(random)),
        1 => ("text", random.pick(&["'text'::text", "pg_temp.marker()", "'{\"a\": 1}'::text"]).to_string()),
        2 => ("jsonb", any_jsonb(random)),
        _ => {
            let (type_name, sql) = *random.pick(&ANY);
            (type_name, sql.to_owned())
        }
    };
    (type_name.to_owned(), sql)
}

const ANY: [(&str, &str); 70] = [
    ("text", "NULL"),
    ("text", "'untyped'"),
    ("integer", "1"),
    ("integer", "NULL::integer"),
    ("smallint", "32767::smallint"),
    ("bigint", "9223372036854775807"),
    ("numeric", "1.50"),
    ("numeric", "'NaN'::numeric"),
    ("numeric", "'-Infinity'::numeric"),
    ("numeric", "'1e131071'::numeric"),
    ("numeric", "1e-300::numeric"),
    ("double precision", "'Infinity'::float8"),
    ("double precision", "1e308::float8"),
    ("real", "'NaN'::float4"),
    ("boolean", "true"),
    ("money", "'12.50'::money"),
    ("oid", "4294967295::oid"),
    ("regclass", "'pg_class'::regclass"),
    ("regrole", "'fuzz'::regrole"),
    ("\"char\"", "'\\'::\"char\""),
    ("name", "'a name'::name"),
    ("character(10)", "'padded'::character(10)"),
    ("character varying", "'varying'::varchar"),
    ("bytea", "'\\x00ff'::bytea"),
    ("date", "'infinity'::date"),
    ("date", "'4713-01-01 BC'::date"),
    ("timestamp", "'-infinity'::timestamp"),
    ("timestamptz", "'294276-12-31 23:59:59+00'::timestamptz"),
    ("time", "'24:00'::time"),
    ("timetz", "'23:59:60+15:59'::timetz"),
    ("interval", "'178000000 years -1 day'::interval"),
    ("uuid", "'00000000-0000-0000-0000-000000000000'::uuid"),
    ("inet", "'::1/64'::inet"),
    ("macaddr", "'08:00:2b:01:02:03'::macaddr"),
    ("bit varying", "B'0101'::varbit"),
    ("point", "'(NaN,Infinity)'::point"),
    ("polygon", "'((0,0),(1,1))'::polygon"),
    ("tsvector", "'a:1 b:2'::tsvector"),
    ("jsonpath", "'$.a'::jsonpath"),
    ("pg_lsn", "'FFFFFFFF/FFFFFFFF'::pg_lsn"),
    ("xml", "'<a>text</a>'::xml"),
    ("json", "'{\"a\" : 1, \"a\":2}'::json"),
    ("json", "'1e400000'::json"),
    ("json", "'\"\\u0000\"'::json"),
    ("json", "'\"\\ud800\"'::json"),
    ("json", "to_json(pg_temp.h(1))"),
    ("json", "json_build_object(pg_temp.h(0), pg_temp.h(2))"),
    ("integer[]", "ARRAY[1, NULL, 3]"),
    ("integer[]", "'[-2:-1][3:3]={{1},{2}}'::integer[]"),
    ("text[]", "ARRAY['a', pg_temp.h(5)]"),
    ("text[]", "'{}'::text[]"),
    ("jsonb[]", "ARRAY['1'::jsonb, NULL]"),
    ("int4range", "'[1,10)'::int4range"),
    ("int4multirange", "'{[1,2),[5,6)}'::int4multirange"),
    ("fuzz.span", "'[Infinity,NaN]'::fuzz.span"),
    ("record", "ROW(1, 'a', NULL)"),
    ("record", "ROW()"),
    ("fuzz.pair", "ROW(pg_temp.h(1), 'sad')::fuzz.pair"),
    ("fuzz.pair[]", "ARRAY[ROW('a', 'glad')::fuzz.pair, NULL]"),
    ("fuzz.mood", "'sad'::fuzz.mood"),
    ("fuzz.positive", "1::fuzz.positive"),
    ("fuzz.document", "'{\"a\": 1}'::fuzz.document"),
    ("fuzz.words", "ARRAY['a', 'b']::fuzz.words"),
    ("fuzz.raising", "'x'::fuzz.raising"),
    ("fuzz.broken", "'x'::fuzz.broken"),
    ("fuzz.deep", "'x'::fuzz.deep"),
    ("fuzz.ending", "'x'::fuzz.ending"),
    ("fuzz.writing", "'x'::fuzz.writing"),
    ("fuzz.recursive", "'x'::fuzz.recursive"),
    ("fuzz.writing[]", "ARRAY['x', 'x']::fuzz.writing[]"),
];
