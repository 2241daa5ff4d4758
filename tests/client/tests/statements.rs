//! Every statement of the store can run on tables that are distributed by the session's id, as Citus does
//! it: it goes to one shard, means the same there, and holds nothing that a shard which moves would change.
//!
//! The statements are read from the source. PostgreSQL parses them, and the rules look at what it has understood.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use postgres::{Client, Row};
use sso_attr_client_tests::document::ROOT;
use sso_attr_client_tests::node_tree::{self, Node};
use sso_attr_client_tests::{Result, Server};
use syn::buffer::{Cursor, TokenBuffer};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, GenericArgument, Ident, Item, Lit, PathArguments, Token, Type};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// The session's id is compared with one and the same parameter, in each of the two tables.
    BoundId,
    /// No ctid, or another system column: a row that has moved to another node has others.
    NoSystemColumn,
    /// No function that may answer differently on another node, a clock first of all.
    Immutable,
    /// RETURNING names columns and nothing else.
    PlainReturning,
    /// What inserts rows from a list takes the session's id from the session's row.
    ReadsSession,
}

use Rule::{BoundId, Immutable, NoSystemColumn, PlainReturning, ReadsSession};

/// A statement, or all of a file, that has to break a rule, and why.
const EXCEPTIONS: &[(&str, Rule, &str)] = &[
    ("purge", BoundId, "rows are found by their end; each node goes over its own"),
    ("purge", NoSystemColumn, "within one statement, on a node's own rows"),
    ("key", BoundId, "a rekey is of all sessions; each node goes over its own"),
    ("session.LIST_BY_USER", BoundId, "by user"),
    ("session.IDS_BY_USER", BoundId, "by user"),
    ("session.DELETE_ALIASES", BoundId, "aliases are found by their session"),
    ("session.ALIASES", BoundId, "aliases are found by their session"),
];

/// What breaks a rule: parameters, and a statement.
const FAULTS: &[(Rule, &str, &str)] = &[
    (BoundId, "text", "SELECT id FROM sso_attr.session WHERE user_id = $1"),
    (BoundId, "uuid[]", "DELETE FROM sso_attr.session WHERE id = ANY ($1)"),
    (BoundId, "uuid, text", "SELECT id FROM sso_attr.session WHERE id = $1 OR user_id = $2"),
    (BoundId, "uuid", "SELECT FROM sso_attr.session WHERE id > $1"),
    (
        BoundId,
        "uuid",
        "SELECT a.name FROM sso_attr.session AS s JOIN sso_attr.attribute AS a ON a.session_id = s.id WHERE s.id = $1",
    ),
    (
        BoundId,
        "uuid, uuid",
        "SELECT FROM sso_attr.session AS s, sso_attr.attribute AS a WHERE s.id = $1 AND a.session_id = $2",
    ),
    (
        BoundId,
        "uuid",
        "DELETE FROM sso_attr.session AS s WHERE s.id = $1
          AND NOT EXISTS (SELECT FROM sso_attr.attribute AS a WHERE a.session_id = s.id)",
    ),
    (
        NoSystemColumn,
        "uuid, tid[]",
        "DELETE FROM sso_attr.attribute AS a WHERE a.session_id = $1 AND a.ctid = ANY ($2)",
    ),
    (NoSystemColumn, "uuid", "SELECT ctid FROM sso_attr.session WHERE id = $1 FOR UPDATE"),
    (Immutable, "uuid", "UPDATE sso_attr.session SET last_seen_at = now() WHERE id = $1"),
    (Immutable, "uuid", "UPDATE sso_attr.session SET last_seen_at = CURRENT_TIMESTAMP WHERE id = $1"),
    (Immutable, "uuid", "SELECT FROM sso_attr.session WHERE id = $1 AND expires_at > clock_timestamp()"),
    (
        Immutable,
        "uuid, jsonb",
        "UPDATE sso_attr.attribute AS a SET value = to_jsonb(a.updated_at) WHERE a.session_id = $1",
    ),
    (
        PlainReturning,
        "uuid, text",
        "DELETE FROM sso_attr.attribute AS a WHERE a.session_id = $1 AND a.name = $2 RETURNING a.value IS NULL",
    ),
    (
        ReadsSession,
        "uuid, text[]",
        "INSERT INTO sso_attr.attribute (session_id, name) SELECT $1, d.name FROM unnest($2) AS d(name)",
    ),
    (
        ReadsSession,
        "uuid, text, text",
        "INSERT INTO sso_attr.attribute (session_id, name) VALUES ($1, $2), ($1, $3)",
    ),
    (
        ReadsSession,
        "uuid, text[]",
        "INSERT INTO sso_attr.attribute (session_id, name)
          SELECT $1, d.name FROM sso_attr.session AS s CROSS JOIN unnest($2) AS d(name) WHERE s.id = $1",
    ),
];

/// What breaks none.
const RIGHT: &[(&str, &str)] = &[
    ("uuid, text", "INSERT INTO sso_attr.attribute (session_id, name) VALUES ($1, $2) RETURNING name"),
    (
        "uuid, text[]",
        "INSERT INTO sso_attr.attribute (session_id, name)
          SELECT s.id, d.name FROM sso_attr.session AS s CROSS JOIN unnest($2) AS d(name) WHERE $1 = s.id",
    ),
    ("text", "SELECT username, now() FROM sso_attr.user WHERE user_id = $1"),
];

struct Statement {
    /// `file.NAME`
    place: String,
    parameters: String,
    sql: String,
}

/// `statement! { NAME(Id, Text) -> (Json) = "SELECT ..." }`
struct Declaration {
    name: Ident,
    parameters: Punctuated<Type, Token![,]>,
    sql: Expr,
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_outer)?;
        let name = input.parse()?;
        let types;
        syn::parenthesized!(types in input);
        let parameters = Punctuated::parse_terminated(&types)?;
        if input.parse::<Option<Token![->]>>()?.is_some() {
            input.parse::<Type>()?;
        }
        input.parse::<Token![=]>()?;
        Ok(Declaration { name, parameters, sql: input.parse()? })
    }
}

/// The SQL name of a type of `src/pg/sql.rs`.
fn sql_type(of: &Type) -> Result<String> {
    let Type::Path(path) = of else { return Err("a parameter has no simple type".into()) };
    let segment = path.path.segments.last().ok_or("a type without a name")?;
    let inner = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(inner)) => sql_type(inner)?,
            _ => return Err("a type of what is no type".into()),
        },
        _ => String::new(),
    };
    Ok(match segment.ident.to_string().as_str() {
        "Array" => format!("{inner}[]"),
        "Null" => inner,
        "Id" => "uuid".into(),
        "Text" | "Name" => "text".into(),
        "Bytes" | "Envelope" => "bytea".into(),
        "Json" => "jsonb".into(),
        "Inet" => "inet".into(),
        "Time" => "timestamptz".into(),
        "Bool" => "bool".into(),
        "Int" => "int8".into(),
        other => return Err(format!("{other} is a type that this test does not know").into()),
    })
}

/// All texts that a text can have: a macro within it stands for any of the texts in its definition.
fn texts(sql: &Expr, macros: &HashMap<String, Vec<String>>) -> Result<Vec<String>> {
    match sql {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(vec![text.value()]),
        Expr::Macro(call) if call.mac.path.is_ident("concat") => {
            let parts = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.mac.tokens.clone())?;
            parts.iter().try_fold(vec![String::new()], |begun, part| {
                let ends = texts(part, macros)?;
                let with_ends =
                    |begin: &String| ends.iter().map(|end| format!("{begin}{end}")).collect::<Vec<_>>();
                Ok(begun.iter().flat_map(with_ends).collect())
            })
        }
        Expr::Macro(call) => {
            let name = call.mac.path.get_ident().ok_or("a macro without a simple name")?.to_string();
            Ok(macros.get(&name).ok_or_else(|| format!("{name}! is not defined in this file"))?.clone())
        }
        _ => Err("a statement is neither a text nor made by concat!".into()),
    }
}

/// The texts within a macro's definition.
fn literals(mut tokens: Cursor<'_>) -> Vec<String> {
    let mut found = Vec::new();
    while !tokens.eof() {
        if let Some((inner, _, _, rest)) = tokens.any_group() {
            found.extend(literals(inner));
            tokens = rest;
        } else if let Some((literal, rest)) = tokens.literal() {
            if let Lit::Str(text) = Lit::new(literal) {
                found.push(text.value());
            }
            tokens = rest;
        } else if let Some((_, rest)) = tokens.token_tree() {
            tokens = rest;
        }
    }
    found
}

/// The statements of a file.
fn statements(file: &Path) -> Result<Vec<Statement>> {
    let module = file.file_stem().ok_or("a file without a name")?.to_string_lossy();
    let mut macros = HashMap::new();
    let mut statements = Vec::new();
    for item in syn::parse_file(&std::fs::read_to_string(file)?)?.items {
        let Item::Macro(item) = item else { continue };
        if let Some(name) = item.ident {
            macros.insert(name.to_string(), literals(TokenBuffer::new2(item.mac.tokens).begin()));
        } else if item.mac.path.is_ident("statement") {
            let declaration: Declaration = item.mac.parse_body()?;
            let parameters: Vec<String> =
                declaration.parameters.iter().map(sql_type).collect::<Result<_>>()?;
            for sql in texts(&declaration.sql, &macros)? {
                let place = format!("{module}.{}", declaration.name);
                statements.push(Statement { place, parameters: parameters.join(", "), sql });
            }
        }
    }
    Ok(statements)
}

/// What the rules have to know of the database.
struct Catalog {
    /// The column of the session's id, by table.
    keys: HashMap<i64, i64>,
    session: i64,
    equality: i64,
    /// Functions that are not immutable.
    changeable: HashSet<i64>,
}

impl Catalog {
    fn read(client: &mut Client) -> Result<Catalog> {
        let number = |row: &Row, column| i64::from(row.get::<_, u32>(column));
        let keys = client.query(
            "SELECT attrelid, attnum FROM pg_attribute
              WHERE (attrelid, attname) IN (('sso_attr.session'::regclass, 'id'),
                                            ('sso_attr.attribute'::regclass, 'session_id'))",
            &[],
        )?;
        let one = client.query_one(
            "SELECT 'sso_attr.session'::regclass::oid, 'pg_catalog.=(uuid, uuid)'::regoperator::oid",
            &[],
        )?;
        let changeable = client.query("SELECT oid FROM pg_proc WHERE provolatile <> 'i'", &[])?;
        Ok(Catalog {
            keys: keys.iter().map(|row| (number(row, 0), row.get::<_, i16>(1).into())).collect(),
            session: number(&one, 0),
            equality: number(&one, 1),
            changeable: changeable.iter().map(|row| number(row, 0)).collect(),
        })
    }

    /// The rules that a statement breaks; one that names neither table breaks none.
    fn broken(&self, statement: &Node) -> BTreeSet<Rule> {
        let all = statement.all();
        let queries: Vec<&Node> = all.iter().copied().filter(|node| node.label() == "QUERY").collect();
        let mut broken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for query in &queries {
            for (place, table) in (1..).zip(query.list("rtable")) {
                match self.id(query, place, table) {
                    None => {}
                    Some(Ok(id)) => drop(ids.insert(id)),
                    Some(Err(rule)) => drop(broken.insert(rule)),
                }
            }
        }
        if ids.is_empty() && broken.is_empty() {
            return broken;
        }
        let returned = queries.iter().flat_map(|query| query.list("returningList"));
        if returned.filter_map(|column| column.field("expr")).any(|column| column.label() != "VAR") {
            broken.insert(PlainReturning);
        }
        if ids.len() > 1 {
            broken.insert(BoundId);
        }
        if all.iter().any(|node| node.label() == "VAR" && node.number("varattno").is_some_and(|n| n < 0)) {
            broken.insert(NoSystemColumn);
        }
        let is_changeable = |node: &&Node| {
            let functions = ["funcid", "opfuncid", "aggfnoid", "winfnoid"].map(|name| node.number(name));
            let is_one = |function: i64| self.changeable.contains(&function);
            node.label() == "SQLVALUEFUNCTION" || functions.into_iter().flatten().any(is_one)
        };
        if all.iter().any(is_changeable) {
            broken.insert(Immutable);
        }
        broken
    }

    /// The parameter that is the session's id in one of the two tables, or the rule that this breaks; `None`
    /// for another table.
    fn id(&self, query: &Node, place: i64, table: &Node) -> Option<std::result::Result<i64, Rule>> {
        let key = *self.keys.get(&table.number("relid")?)?;
        if query.field("onConflict").and_then(|conflict| conflict.number("exclRelIndex")) == Some(place) {
            // EXCLUDED: the row that is inserted.
            return None;
        }
        let is_insert = query.number("commandType") == Some(3);
        let is_target = query.number("resultRelation") == Some(place);
        Some(if is_insert && is_target { self.inserted(query, key) } else { self.bound(query, place, key) })
    }

    /// The parameter that a table's key must equal for a row to be found.
    fn bound(&self, query: &Node, table: i64, key: i64) -> std::result::Result<i64, Rule> {
        let is_key = |node: &Node| column(node) == Some((table, key));
        let equals = |test: &&Node| test.label() == "OPEXPR" && test.number("opno") == Some(self.equality);
        let id = |condition: &Node| match condition.list("args") {
            [one, other] if is_key(one) => parameter(other),
            [one, other] if is_key(other) => parameter(one),
            _ => None,
        };
        let conditions = query.field("jointree").and_then(|from| from.field("quals")).map(conditions);
        conditions.into_iter().flatten().filter(equals).find_map(id).ok_or(BoundId)
    }

    /// The parameter that a new row's key is, or that the session is found by whose id it is.
    fn inserted(&self, query: &Node, key: i64) -> std::result::Result<i64, Rule> {
        let value = target(query, key).ok_or(BoundId)?;
        if let Some(id) = parameter(value) {
            return Ok(id);
        }
        let (place, number) = column(value).ok_or(BoundId)?;
        let rows = relation(query, place).and_then(|table| table.field("subquery")).ok_or(ReadsSession)?;
        let (table, number) = target(rows, number).and_then(column).ok_or(ReadsSession)?;
        let read = relation(rows, table).and_then(|table| table.number("relid"));
        let is_id = read == Some(self.session) && self.keys.get(&self.session) == Some(&number);
        if is_id { self.bound(rows, table, number) } else { Err(ReadsSession) }
    }
}

/// What must all hold for a condition to hold.
fn conditions(condition: &Node) -> Vec<&Node> {
    let is_and = matches!(condition.field("boolop"), Some(Node::Word(word)) if word == "and");
    if is_and { condition.list("args").iter().flat_map(conditions).collect() } else { vec![condition] }
}

fn relation(query: &Node, place: i64) -> Option<&Node> {
    query.list("rtable").get(usize::try_from(place - 1).ok()?)
}

/// What a column of a result is.
fn target(query: &Node, number: i64) -> Option<&Node> {
    query.list("targetList").iter().find(|target| target.number("resno") == Some(number))?.field("expr")
}

/// A column of a table of the same query: the table's place, and its number.
fn column(node: &Node) -> Option<(i64, i64)> {
    let is_own = node.label() == "VAR" && node.number("varlevelsup") == Some(0);
    is_own.then_some((node.number("varno")?, node.number("varattno")?))
}

fn parameter(node: &Node) -> Option<i64> {
    if node.label() == "PARAM" { node.number("paramid") } else { None }
}

/// Whether a statement asks Citus about itself, which PostgreSQL cannot parse without it, and names no table of
/// the extension.
fn asks_citus(sql: &str) -> bool {
    let is_named = |name: &&str| sql.contains(*name);
    [" pg_catalog.pg_dist_", " pg_catalog.master_"].iter().any(is_named) && !is_named(&" sso_attr.")
}

/// What PostgreSQL has understood of a statement.
fn parsed(client: &mut Client, parameters: &str, sql: &str) -> Result<Node> {
    client.batch_execute(&format!(
        "CREATE FUNCTION pg_temp.statement({parameters}) RETURNS void LANGUAGE sql BEGIN ATOMIC {sql}; END"
    ))?;
    let tree = client
        .query_one("SELECT prosqlbody::text FROM pg_proc WHERE oid = 'pg_temp.statement'::regproc", &[])?;
    client.batch_execute("DROP FUNCTION pg_temp.statement")?;
    node_tree::parse(tree.get(0))
}

#[test]
fn statements_can_run_on_distributed_tables() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let catalog = Catalog::read(&mut client)?;
    let mut problems = Vec::new();
    let mut excused = HashSet::new();
    let mut count = 0;
    for file in std::fs::read_dir(Path::new(ROOT).join("src/store"))? {
        let file = file?.path();
        let found = statements(&file)?;
        let declared = std::fs::read_to_string(&file)?.matches("statement! {").count();
        let read: HashSet<&str> = found.iter().map(|statement| statement.place.as_str()).collect();
        assert_eq!(read.len(), declared, "statements of {}", file.display());
        count += declared;
        for Statement { place, parameters, sql } in found {
            if asks_citus(&sql) {
                continue;
            }
            let tree = parsed(&mut client, &parameters, &sql).map_err(|error| format!("{place}: {error}"))?;
            for rule in catalog.broken(&tree) {
                let (file, _) = place.split_once('.').unwrap_or_default();
                let is_this = |&(name, broken, _): &(&str, Rule, &str)| {
                    broken == rule && [file, &place].contains(&name)
                };
                match EXCEPTIONS.iter().position(is_this) {
                    Some(exception) => drop(excused.insert(exception)),
                    None => problems.push(format!("{place} breaks {rule:?}")),
                }
            }
        }
    }
    for (number, (name, rule, _)) in EXCEPTIONS.iter().enumerate() {
        if !excused.contains(&number) {
            problems.push(format!("{name} does not break {rule:?}: it needs no exception"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 0, "no statements were found");
    Ok(())
}

#[test]
fn each_rule_finds_what_breaks_it() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let catalog = Catalog::read(&mut client)?;
    for (rule, parameters, sql) in FAULTS {
        let broken = catalog.broken(&parsed(&mut client, parameters, sql)?);
        assert_eq!(broken, BTreeSet::from([*rule]), "{sql}");
    }
    for (parameters, sql) in RIGHT {
        let broken = catalog.broken(&parsed(&mut client, parameters, sql)?);
        assert_eq!(broken, BTreeSet::new(), "{sql}");
    }
    Ok(())
}
