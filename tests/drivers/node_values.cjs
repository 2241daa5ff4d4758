// Stores values by node-postgres as its users write it; docs/drivers.md shows these calls.

const assert = require("node:assert");
const { Client } = require("pg");

async function main() {
    const client = new Client({ database: "postgres" });
    await client.connect();
    const call = async (sql, ...args) => Object.values((await client.query(sql, args)).rows[0])[0];

    const ust = await call("SELECT sso_session_create($1, $2)", "ann", "node-postgres");

    // Everything goes as untyped text: a string is stored as a string, all else needs a cast.
    await call("SELECT sso_attr_create($1, $2, $3)", ust, "string", '{"not": "an object"}');
    await call("SELECT sso_attr_create($1, $2, $3::jsonb)", ust, "object", { a: [1, null] });
    await call("SELECT sso_attr_create($1, $2, $3::jsonb)", ust, "number", 42);
    await call("SELECT sso_attr_create($1, $2, $3::numeric)", ust, "digits", "1".repeat(40) + ".5");
    await call("SELECT sso_attr_create($1, $2, $3::boolean)", ust, "boolean", true);
    await call("SELECT sso_attr_create($1, $2, $3)", ust, "null", null);

    // null for expiration and encrypt leaves both as they are.
    await call("SELECT sso_attr_update($1, $2, $3::jsonb, $4, $5)", ust, "number", 43, null, null);
    await call("SELECT sso_attr_update($1, $2, $3, expiration => $4, encrypt => $5)", ust, "string", "blue", 900, true);

    // A batch is JSON, and an array of objects has to be made text by hand; names are an array.
    const data = JSON.stringify([{ name: "number", value: 44 }, { name: "null", value: "" }]);
    await call("SELECT sso_attr_update_many($1, $2)", ust, data);
    assert.deepStrictEqual(await call("SELECT sso_attr_get_many($1, $2)", ust, ["number", "gone"]), { number: 44, gone: null });
    assert.strictEqual(await call("SELECT sso_attr_get_text($1, $2)", ust, "string"), "blue");

    await assert.rejects(call("SELECT sso_attr_update($1, $2, $3)", ust, "nmuber", 1), (error) => {
        return error.code === "P0002" && error.detail.includes("nmuber");
    });

    console.log(await call("SELECT sso_attr_get_all($1)::text", ust));
    await client.end();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
