// What the programs for Node.js's drivers share: the table of values and what is done with it.

const assert = require("node:assert");
const { readFileSync } = require("node:fs");

// Integers beyond 2^53 as BigInt, which JSON.parse and JSON.stringify leave to their callers.
const parse = (text) =>
    JSON.parse(text, (key, value, { source }) => (Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(source) : value));
const stringify = (value) =>
    JSON.stringify(value, (key, value) => (typeof value === "bigint" ? JSON.rawJSON(value.toString()) : value));

const bare = { "42": 42, "true": true, "null": null, "[1, 2]": [1, 2], "{a: 1}": { a: 1 } };

// Every value through every verb for JSON, then some as they are through the polymorphic one.
// Prints the tokens of the two sessions, for the test to look at what the server has.
async function store(openSession, jsonVerb, getText, setBare) {
    let ust = await openSession();
    const values = parse(readFileSync(`${__dirname}/values.json`, "utf8"));
    for (const [name, value] of Object.entries(values)) {
        for (const [verb, given] of [["create", value], ["update", [value]], ["set", value]]) {
            await jsonVerb(`sso_attr_${verb}_json`, ust, name, given);
            assert.deepStrictEqual(parse(await getText(ust, name)), given);
        }
    }
    console.log(ust);

    ust = await openSession();
    for (const [name, value] of Object.entries(bare)) {
        await setBare(ust, name, value).catch((error) => console.error(`${name}: ${error.message}`));
    }
    console.log(ust);
}

module.exports = { parse, store, stringify };
