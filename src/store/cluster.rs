//! Where the tables are on this node of a Citus cluster, and how the other nodes are told something.
//!
//! | table | in a cluster |
//! | --- | --- |
//! | session, attribute | distributed by the session's id, a session's attributes beside it: what a call does is on one node |
//! | user | one shard on one node: names and ids are unique over all users, and a login locks one row of it |
//! | key_check | a copy on every node: small, read by whoever needs a key, written when a key is first used |
//! | purge_run | each node's own, since each purges its own shards |
//!
//! Calls go through the distributed tables, on whatever node. The purge and a rekey, which look for rows and
//! lock what they find, go over the shards of this node as over tables of their own. A shard that moves away
//! meanwhile loses nothing: what is not removed or resealed in the new place is found there again.

use sso_attr_core::{Error, Result};

use crate::pg::citus;
use crate::pg::spi::Db;
use crate::pg::sql::{Bool, Int, Text};
use crate::pg::statement::statement;
use crate::pg::tables::Tables;

statement! {
    #[by(Scan)]
    CITUS() = "SELECT FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'citus'"
}
statement! {
    #[by(Scan)]
    DISTRIBUTED() =
        "SELECT FROM pg_catalog.pg_dist_partition
          WHERE logicalrelid OPERATOR(pg_catalog.=) 'sso_attr.session'::pg_catalog.regclass"
}
statement! {
    /// Shards that are stored together hold the same range of hashes.
    #[by(Scan)]
    SHARDS() -> (Int, Int) =
        "SELECT s.shardid, a.shardid
          FROM pg_catalog.pg_dist_shard AS s
          JOIN pg_catalog.pg_dist_shard AS a ON a.shardminvalue OPERATOR(pg_catalog.=) s.shardminvalue
          JOIN pg_catalog.pg_dist_placement AS p ON p.shardid OPERATOR(pg_catalog.=) s.shardid
          WHERE s.logicalrelid OPERATOR(pg_catalog.=) 'sso_attr.session'::pg_catalog.regclass
            AND a.logicalrelid OPERATOR(pg_catalog.=) 'sso_attr.attribute'::pg_catalog.regclass
            AND p.groupid OPERATOR(pg_catalog.=) (SELECT groupid FROM pg_catalog.pg_dist_local_group)
          ORDER BY s.shardid"
}
statement! {
    #[by(Scan)]
    OTHER_NODES() -> (Text, Int) =
        "SELECT nodename, nodeport::pg_catalog.int8 FROM pg_catalog.pg_dist_node
          WHERE isactive AND noderole::pg_catalog.text OPERATOR(pg_catalog.=) 'primary'
            AND groupid OPERATOR(pg_catalog.<>) (SELECT groupid FROM pg_catalog.pg_dist_local_group)
          ORDER BY nodeid"
}
statement! {
    RUN(Text, Int, Text) -> (Bool, Text) =
        "SELECT success, result
          FROM pg_catalog.master_run_on_worker(ARRAY[$1], ARRAY[$2::pg_catalog.int4], ARRAY[$3], false)"
}

fn is_cluster(db: &Db) -> bool {
    citus::is_loaded() && db.run(&CITUS, ()) > 0
}

pub fn is_distributed(db: &Db) -> bool {
    is_cluster(db) && db.run(&DISTRIBUTED, ()) > 0
}

/// The pairs of tables on this node, in the order in which they are gone through.
pub fn tables(db: &Db) -> Vec<Tables> {
    if !is_distributed(db) {
        return vec![Tables::Whole];
    }
    db.all(&SHARDS, (), |(session, attribute)| Tables::Shard { session, attribute })
}

/// Another node.
pub struct Node {
    host: String,
    port: i64,
}

/// The other nodes of the cluster, if this is a node of one.
pub fn other_nodes(db: &Db) -> Vec<Node> {
    if !is_cluster(db) {
        return Vec::new();
    }
    db.all(&OTHER_NODES, (), |(host, port)| Node { host: host.to_owned(), port })
}

impl Node {
    /// Runs a command there, in a transaction of its own, and returns its first value.
    pub fn run(&self, db: &Db, command: &str) -> Result<String> {
        let refused = |reason: &str| Error::NodeRefuses {
            node: format!("{}:{}", self.host, self.port),
            reason: reason.to_owned(),
        };
        let answer = db.one(&RUN, (&self.host, self.port, command), |(is_done, text)| {
            if is_done { Ok(text.to_owned()) } else { Err(refused(text)) }
        });
        answer.unwrap_or_else(|| Err(refused("no answer")))
    }
}
