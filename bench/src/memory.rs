//! Memory of a backend over many calls in one transaction.

use postgres::Client;

use crate::Result;
use crate::cases::SEALED;
use crate::report::{Findings, Table, Target};

pub fn measure(db: &mut Client, calls: u32) -> Result<Findings> {
    let pid: i32 = db.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let mut table = Table {
        title: "Memory of a backend",
        about: format!(
            "Growth of its private memory over {calls} calls in one transaction, after a warm-up."
        ),
        header: vec!["calls", "MB"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for (what, call) in [
        ("sso_attr_get, encrypted", "PERFORM sso_attr_get(token, 's0007')"),
        (
            "sso_attr_update",
            "PERFORM sso_attr_update(token, 'a00' || lpad((1 + i / 1000 % 10)::text, 2, '0'), 'x'::text)",
        ),
    ] {
        let block = |calls: u32| {
            format!(
                "DO $$ DECLARE tokens text[]; token text;
                 BEGIN
                     SELECT array_agg(ust ORDER BY i) INTO tokens FROM bench.token WHERE i <= {sessions};
                     FOR i IN 1..{calls} LOOP
                         token := tokens[1 + i % {sessions}];
                         {call};
                     END LOOP;
                 END $$",
                sessions = SEALED.sessions
            )
        };
        db.batch_execute(&block(10_000))?;
        let before = private_bytes(pid)?;
        db.batch_execute(&block(calls))?;
        let grown = (private_bytes(pid)? - before) / 1e6;
        table.rows.push(vec![what.into(), format!("{grown:.1}")]);
        targets.push(Target::at_most(format!("MB grown over {calls} calls of {what}"), 10.0, grown));
    }
    db.batch_execute("VACUUM sso_attr.attribute")?;
    Ok(Findings { tables: vec![table], targets })
}

fn private_bytes(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}
