// node-postgres as its users write it; docs/drivers.md shows the first calls.

const assert = require("node:assert");
const { Client } = require("pg");
const { store, stringify } = require("./values.cjs");

async function main() {
    const client = new Client();
    await client.connect();
    const { rows: [{ ust }] } = await client.query("SELECT sso_session_create($1, $2) AS ust", ["ann", "shop"]);
    await client.query("SELECT sso_attr_set_json($1, $2, $3)", [ust, "cart", JSON.stringify({ items: [1, 2] })]);
    try {
        await client.query("SELECT sso_attr_update_json($1, $2, $3)", [ust, "crat", JSON.stringify(1)]);
    } catch (error) {
        assert.strictEqual(error.code, "P0002");
        console.log(error.detail); // Missing: "crat".
    }
    const { rows: [session] } = await client.query("SELECT user_id, attributes FROM sso_session_load($1)", [ust]);
    await client.query("SELECT sso_session_save($1, $2, $3)", [ust, JSON.stringify({ paid: true }), ["cart"]]);

    assert.deepEqual(session, { user_id: "ann", attributes: { cart: { items: [1, 2] } } });

    const call = async (sql, ...args) => Object.values((await client.query(sql, args)).rows[0])[0];
    await store(
        () => call("SELECT sso_session_create()"),
        (verb, ust, name, value) => call(`SELECT ${verb}($1, $2, $3)`, ust, name, stringify(value)),
        (ust, name) => call("SELECT sso_attr_get($1, $2)::text", ust, name),
        (ust, name, value) => call("SELECT sso_attr_set($1, $2, $3)", ust, name, value),
    );
    await client.end();
}

main();
