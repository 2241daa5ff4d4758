// Drizzle's raw SQL over node-postgres as its users write it; docs/drivers.md shows the first calls.

const assert = require("node:assert");
const { sql } = require("drizzle-orm");
const { drizzle } = require("drizzle-orm/node-postgres");
const { Pool } = require("pg");
const { store, stringify } = require("./values.cjs");

async function main() {
    const pool = new Pool();
    const db = drizzle(pool);
    const { rows: [{ ust }] } = await db.execute(sql`SELECT sso_session_create(${"ann"}, ${"shop"}) AS ust`);
    await db.execute(sql`SELECT sso_attr_set_json(${ust}, ${"cart"}, ${JSON.stringify({ items: [1, 2] })})`);
    try {
        await db.execute(sql`SELECT sso_attr_update_json(${ust}, ${"crat"}, ${JSON.stringify(1)})`);
    } catch (error) {
        assert.strictEqual(error.cause.code, "P0002");
        console.log(error.cause.detail); // Missing: "crat".
    }
    const { rows: [session] } = await db.execute(sql`SELECT user_id, attributes FROM sso_session_load(${ust})`);
    const removed = sql.param(["cart"]);
    await db.execute(sql`SELECT sso_session_save(${ust}, ${JSON.stringify({ paid: true })}, ${removed})`);

    assert.deepEqual(session, { user_id: "ann", attributes: { cart: { items: [1, 2] } } });

    const call = async (query) => Object.values((await db.execute(query)).rows[0])[0];
    await store(
        () => call(sql`SELECT sso_session_create()`),
        (verb, ust, name, value) => call(sql`SELECT ${sql.identifier(verb)}(${ust}, ${name}, ${stringify(value)})`),
        (ust, name) => call(sql`SELECT sso_attr_get(${ust}, ${name})::text`),
        (ust, name, value) => call(sql`SELECT sso_attr_set(${ust}, ${name}, ${value})`),
    );
    await pool.end();
}

main();
