// postgres.js as its users write it; docs/drivers.md shows the first calls.

const assert = require("node:assert");
const postgres = require("postgres");
const { parse, store, stringify } = require("./values.cjs");

async function main() {
    const sql = postgres({ types: { json: { to: 114, from: [114, 3802], serialize: stringify, parse } } });
    const [{ ust }] = await sql`SELECT sso_session_create(${"ann"}, ${"shop"}) AS ust`;
    await sql`SELECT sso_attr_set_json(${ust}, ${"cart"}, ${sql.json({ items: [1, 2] })})`;
    try {
        await sql`SELECT sso_attr_update_json(${ust}, ${"crat"}, ${sql.json(1)})`;
    } catch (error) {
        assert.strictEqual(error.code, "P0002");
        console.log(error.detail); // Missing: "crat".
    }
    const [session] = await sql`SELECT user_id, attributes FROM sso_session_load(${ust})`;
    await sql`SELECT sso_session_save(${ust}, ${sql.json({ paid: true })}, ${["cart"]})`;

    assert.deepEqual({ ...session }, { user_id: "ann", attributes: { cart: { items: [1, 2] } } });

    const one = async (rows) => Object.values((await rows)[0])[0];
    await store(
        () => one(sql`SELECT sso_session_create()`),
        (verb, ust, name, value) => one(sql`SELECT ${sql(verb)}(${ust}, ${name}, ${sql.json(value)})`),
        (ust, name) => one(sql`SELECT sso_attr_get(${ust}, ${name})::text`),
        (ust, name, value) => one(sql`SELECT sso_attr_set(${ust}, ${name}, ${value})`),
    );
    await sql.end();
}

main();
