// The store by itself: what express-session and other programs may do with any store.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { inspect, promisify } from "node:util";
import { genid, SsoAttrStore } from "connect-sso-attr";
import { Cookie, Session, type SessionData } from "express-session";
import { Client, Pool } from "pg";
import { attributes, closePools, CountingPool, one, owner, pool } from "./database.ts";

after(closePools);

const store = new SsoAttrStore({ pool });

function promises(store: SsoAttrStore) {
    return {
        get: promisify(store.get.bind(store)) as (sid: string) => Promise<any>,
        set: promisify(store.set.bind(store)) as (sid: string, session: object) => Promise<void>,
        touch: promisify(store.touch.bind(store)) as (sid: string, session: object) => Promise<void>,
        destroy: promisify(store.destroy.bind(store)) as (sid: string) => Promise<void>,
    };
}

const { get, set, touch, destroy } = promises(store);

function plain(values: object = {}, cookie: object = {}): SessionData {
    return { ...values, cookie: { originalMaxAge: null, ...cookie } };
}

function inSeconds(seconds: number): Date {
    return new Date(Date.now() + seconds * 1000);
}

async function secondsLeft(sid: string): Promise<number> {
    return Number(await one("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM sso_session_get($1)", sid));
}

/** A request's session, as express-session makes it of one that was read. */
async function read(sid: string, by = store): Promise<Session & SessionData> {
    const request: any = { sessionID: sid, sessionStore: by };
    return by.createSession(request, await promises(by).get(sid));
}

// The types know nothing of the options that it takes.
const AnyCookie = Cookie as new (options?: object) => Cookie;

/** A request's session that is new. */
function fresh(sid: string, by = store): Session & SessionData {
    return by.createSession({ sessionID: sid, sessionStore: by } as any, { cookie: new AnyCookie({ maxAge: 60_000 }) });
}

async function refused(promise: Promise<unknown>, expected: object | RegExp): Promise<any> {
    let thrown: any;
    await assert.rejects(promise, (error) => {
        thrown = error;
        return true;
    });
    if (expected instanceof RegExp) assert.match(thrown.message, expected);
    else assert.deepEqual({ ...expected, ...pick(thrown, Object.keys(expected)) }, expected);
    return thrown;
}

function pick(from: any, keys: string[]): object {
    return Object.fromEntries(keys.map((key) => [key, from[key]]));
}

test("a session lives as in the lifecycle that stores are tested with", async () => {
    const [first, second, third] = [genid(), genid(), genid()];
    await set(first, plain({ foo: "bar" }));
    assert.deepEqual(await get(first), plain({ foo: "bar" }));
    const hour = await secondsLeft(first);
    assert.ok(hour > 3590 && hour <= 3600, `${hour}`);

    await set(second, plain({}, { expires: inSeconds(60) }));
    assert.ok((await secondsLeft(second)) <= 60);
    await touch(second, plain({}, { expires: inSeconds(90) }));
    assert.ok((await secondsLeft(second)) > 60);

    await destroy(second);
    assert.equal(await get(second), null);
    await destroy(second);
    assert.deepEqual(await get(first), plain({ foo: "bar" }));

    await set(third, plain({ foo: 1 }, { expires: inSeconds(90) }));
    assert.equal((await get(third)).foo, 1);
    await set(third, plain({ foo: 1 }, { expires: inSeconds(-90) }));
    assert.equal(await get(third), null);
    await set(third, plain({ foo: 1 }, { expires: inSeconds(-90) }));
    assert.equal(await get(third), null);
});

test("a thousand sessions are a thousand sessions", async () => {
    const currentApp = genid();
    const { set } = promises(new SsoAttrStore({ pool, currentApp }));
    const sids = Array.from({ length: 1000 }, genid);
    await Promise.all(sids.map((sid, i) => set(sid, plain({ i }, { expires: inSeconds(60) }))));
    assert.equal(await one("SELECT count(*)::int FROM sso_attr.session WHERE current_app = $1", currentApp), 1000);
    const read = await Promise.all(sids.map(async (sid) => (await get(sid)).i));
    assert.deepEqual(read, sids.map((_, i) => i));
});

test("what would need the right to see all sessions is not offered", () => {
    for (const name of ["all", "length", "clear", "ids"]) assert.equal((store as any)[name], undefined, name);
});

test("ids are 32 random bytes, and express-session's own are adopted too", async () => {
    const ids = Array.from({ length: 1000 }, genid);
    assert.ok(ids.every((id) => /^[0-9a-f]{64}$/.test(id)));
    assert.equal(new Set(ids).size, 1000);
    const uid = randomBytes(24).toString("base64url");
    await set(uid, plain({ a: 1 }));
    assert.equal((await get(uid)).a, 1);
});

test("an id that cannot be adopted is refused, and nobody's", async () => {
    for (const id of ["short", "sso_" + "x".repeat(64), "x".repeat(513)]) {
        await refused(set(id, plain()), { code: "22023" });
        assert.equal(await get(id), null);
    }
});

test("a session is saved by what has changed in it", async () => {
    const sid = genid();
    await set(sid, plain({ a: 1, b: { c: [1] }, d: "old" }));
    const [one, other] = [await read(sid), await read(sid)];
    one["a"] = 2;
    delete one["d"];
    other["b"].c.push(2);
    other["e"] = null;
    await set(sid, one);
    await set(sid, other);
    assert.deepEqual(await attributes(sid), { a: 2, b: { c: [1, 2] }, e: null });
    one["a"] = 3;
    await set(sid, one);
    assert.deepEqual(await attributes(sid), { a: 3, b: { c: [1, 2] }, e: null });
});

test("a session that `get` gave is saved by what has changed in it, a plain object as a whole", async () => {
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const got = await get(sid);
    await owner.query("SELECT sso_attr_set($1, 'other', 'kept')", [sid]);
    got.a = 2;
    await set(sid, got);
    assert.deepEqual(await attributes(sid), { a: 2, other: "kept" });
    await set(sid, plain({ b: 1 }));
    assert.deepEqual(await attributes(sid), { b: 1 });
});

test("a session that has ended is not opened again by whoever still holds it", async () => {
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const dropped: string[][] = [];
    const listening = new SsoAttrStore({ pool });
    listening.on("dropped", (names) => dropped.push(names));
    const held = await read(sid, listening);
    await destroy(sid);
    held["a"] = 2;
    held["b"] = 3;
    await promises(listening).set(sid, held);
    await promises(listening).touch(sid, held);
    assert.equal(await get(sid), null);
    assert.deepEqual(dropped, [["a", "b"]]);

    const session = fresh(genid());
    await set(session.id, session);
    await destroy(session.id);
    session["late"] = true;
    await set(session.id, session);
    assert.equal(await get(session.id), null);
});

test("a new session of a request does not take over a live one", async () => {
    const sid = genid();
    await set(sid, plain({ owner: "ann" }));
    const session = fresh(sid);
    session["owner"] = "eve";
    const error = await refused(set(sid, session), { code: "23505" });
    assert.ok(!inspect(error).includes(sid));
    assert.deepEqual(await attributes(sid), { owner: "ann" });
});

test("two saves of one new session come one after the other", async () => {
    const session = fresh(genid());
    session["a"] = 1;
    const first = set(session.id, session);
    session["a"] = 2;
    const second = set(session.id, session);
    session["a"] = 3;
    await Promise.all([first, second]);
    assert.equal((await attributes(session.id)).a, 2);
});

test("what others keep in a session is left alone", async () => {
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const strange = { id: 1, req: 1, save: 1, touch: 1, constructor: 1, toString: 1, ["__proto__"]: 1 };
    for (const name of Object.keys(strange)) await owner.query("SELECT sso_attr_set($1, $2, 1)", [sid, name]);
    await owner.query("SELECT sso_attr_set_json($1, 'big', '12345678901234567890')", [sid]);
    const session = await read(sid);
    session["a"] = 2;
    await set(sid, session);
    const { rows } = await owner.query("SELECT name, value::text FROM sso_attr_list($1)", [sid]);
    const stored = new Map(rows.map(({ name, value }) => [name, value]));
    for (const name of Object.keys(strange)) assert.equal(stored.get(name), "1", name);
    assert.equal(stored.get("big"), "12345678901234567890");
    assert.equal(stored.get("a"), "2");
});

test("values come back as they were", async () => {
    const values = {
        text: "é \u{1f600} \u2028 \\u0000", number: -1.5e-7, integer: 2 ** 53, yes: true, nothing: null, empty: {}, list: [[], ["", 0]],
        date: new Date(0), "": undefined, "two words": 1, "10": 10, dropped: undefined, deep: { dropped: undefined, kept: 1 },
    };
    const sid = genid();
    await set(sid, plain(values));
    const got = await get(sid);
    delete got.cookie;
    assert.deepEqual(got, JSON.parse(JSON.stringify(values)));
});

test("what JSON cannot hold is refused by name, and nothing is stored", async () => {
    const loop: any = {};
    loop.self = loop;
    const values: [unknown, RegExp][] = [
        [NaN, /NaN/], [-Infinity, /-Infinity/], [10n, /bigint/], [() => 1, /function/], [Symbol("s"), /symbol/],
        [[1, undefined], /undefined in an array/], [Array(2), /undefined in an array/], [new Map([[1, 2]]), /Map/], [new Set([1]), /Set/],
        [/x/, /RegExp/], [new Error("x"), /Error/], [new Uint8Array(2), /Uint8Array/], ["a\0b", /U\+0000/],
        ["\ud800", /surrogate/], [{ "\udc00": 1 }, /surrogate/], [loop, /circular/],
    ];
    for (const [value, message] of values) {
        for (const held of [value, { deep: [value] }]) {
            const sid = genid();
            const error = await refused(set(sid, plain({ basket: held, fine: "secret value" })), message);
            assert.ok(error instanceof TypeError);
            if (value !== loop) assert.match(error.message, /basket/);
            assert.ok(!inspect(error).includes(sid) && !inspect(error).includes("secret value"));
            assert.equal(await get(sid), null);
        }
    }
    await refused(set(genid(), plain({ "a\0": 1 })), /U\+0000/);
});

test("a value that is refused leaves the session as it was", async () => {
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const session = await read(sid);
    session["a"] = 2;
    session["b"] = NaN;
    await refused(set(sid, session), /NaN/);
    assert.deepEqual(await attributes(sid), { a: 1 });
    await refused(set(sid, plain({ a: 1 }, { expires: "soon" })), /not a valid date/);
});

test("of a cookie only what differs from the default is stored", async () => {
    const session = fresh(genid());
    await set(session.id, session);
    assert.deepEqual(await attributes(session.id), { cookie: { originalMaxAge: 60_000 } });
    const back = await read(session.id);
    assert.deepEqual({ ...(back.cookie as any).data, expires: null }, { ...(session.cookie as any).data, expires: null });
    assert.ok(Math.abs(back.cookie.expires!.getTime() - session.cookie.expires!.getTime()) <= 1);

    const strict = fresh(genid());
    strict.cookie = new AnyCookie({ sameSite: "strict", secure: true, httpOnly: false, path: "/a", domain: "b.test", priority: "high" });
    await set(strict.id, strict);
    const { cookie: stored } = await attributes(strict.id);
    assert.deepEqual(stored, {
        sameSite: "strict", secure: true, httpOnly: false, path: "/a", domain: "b.test", priority: "high",
    });
    assert.deepEqual((await read(strict.id)).cookie, strict.cookie);

    await set(strict.id, plain({ a: 1 }));
    assert.deepEqual(await attributes(strict.id), { a: 1 });
});

test("a session that another program has opened can be read and saved", async () => {
    const sid = await one("SELECT sso_session_create('ann', expiration => 300)");
    await owner.query("SELECT sso_attr_set($1, 'cookie', 'not ours')", [sid]);
    await owner.query("SELECT sso_attr_set($1, 'a', 1)", [sid]);
    const session = await read(sid);
    assert.equal(session.cookie.maxAge, null);
    assert.equal(session["a"], 1);
    session["a"] = 2;
    await set(sid, session);
    assert.deepEqual(await attributes(sid), { a: 2, cookie: "not ours" });
    const left = await secondsLeft(sid);
    assert.ok(left > 290 && left <= 300, `${left}`);
});

test("sessions without cookie.maxAge live for ttl", async () => {
    const { set, touch } = promises(new SsoAttrStore({ pool, ttl: 500 }));
    const sid = genid();
    await set(sid, plain());
    const left = await secondsLeft(sid);
    assert.ok(left > 490 && left <= 500, `${left}`);
    await owner.query("SELECT sso_session_renew($1, 5)", [sid]);
    await touch(sid, plain());
    assert.ok((await secondsLeft(sid)) > 490);
});

test("what encrypt names is sealed", async () => {
    const sid = genid();
    const sealed = async () => {
        const { rows } = await owner.query("SELECT name, encrypted FROM sso_attr_list($1)", [sid]);
        return Object.fromEntries(rows.map(({ name, encrypted }) => [name, encrypted]));
    };
    const some = promises(new SsoAttrStore({ pool, encrypt: ["card", "pin"] }));
    await some.set(sid, plain({ card: "4111", color: "blue" }));
    assert.deepEqual(await sealed(), { card: true, color: false });
    const session = await some.get(sid);
    assert.equal(session.card, "4111");
    Object.assign(session, { pin: "1234", color: "red" });
    await some.set(sid, session);
    assert.deepEqual(await sealed(), { card: true, color: false, pin: true });
    await promises(new SsoAttrStore({ pool, encrypt: true })).set(sid, plain({ card: 1, color: 2 }, { originalMaxAge: 5 }));
    assert.deepEqual(await sealed(), { card: true, color: true, cookie: true });
});

test("the extension's schema can be named, the application too", async () => {
    const database = "clients_node_schema";
    await owner.query(`DROP DATABASE IF EXISTS ${database}`);
    await owner.query(`CREATE DATABASE ${database}`);
    const admin = new Client({ database });
    await admin.connect();
    await admin.query(`CREATE SCHEMA "s ""x"; CREATE EXTENSION sso_attr SCHEMA "s ""x"`);
    const store = new SsoAttrStore({ pool: admin, schema: 's "x', currentApp: "shop", userId: () => 7 });
    const { set, get, touch, destroy } = promises(store);
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const session = await get(sid);
    session.a = 2;
    await set(sid, session);
    await touch(sid, session);
    const { rows } = await admin.query("SELECT user_id, current_app FROM sso_attr.session");
    assert.deepEqual(rows, [{ user_id: "7", current_app: "shop" }]);
    const request: any = { sessionID: sid, session: await read(sid, store), sessionStore: store };
    await store.rotate(request);
    assert.equal((await get(request.sessionID)).a, 2);
    await destroy(request.sessionID);
    assert.equal(await get(request.sessionID), null);
    await admin.end();
    await owner.query(`DROP DATABASE ${database}`);
});

test("statements are unnamed and one for each call", async () => {
    const client = new Client();
    await client.connect();
    const counting = new CountingPool();
    counting.query = function (text, values) {
        this.sent.push(text);
        return client.query(text, values);
    };
    const { set, get, touch, destroy } = promises(new SsoAttrStore({ pool: counting }));
    const sid = genid();
    for (const step of [
        () => set(sid, plain({ a: 1 })), () => get(sid), () => touch(sid, plain()), () => destroy(sid),
    ]) {
        counting.sent = [];
        await step();
        assert.equal(counting.sent.length, 1, String(step));
    }
    const { rows } = await client.query("SELECT name FROM pg_prepared_statements");
    assert.deepEqual(rows, []);
    await client.end();
});

test("an error has neither a session id nor a value in it, whatever the server logs", async () => {
    const telling = new Pool({ options: "-c log_parameter_max_length_on_error=-1" });
    const { set } = promises(new SsoAttrStore({ pool: telling }));
    const nowhere = promises(new SsoAttrStore({ pool: telling, schema: "nowhere" }));
    const [sid, short, value] = [genid(), "too short an id", "4111-1111"];
    await set(sid, plain({ card: value }));
    const errors = [
        await refused(set(sid, fresh(sid)), { code: "23505" }),
        await refused(set(short, plain({ card: value })), { code: "22023" }),
        await refused(set(sid, plain({ ["x".repeat(256)]: value })), { code: "54000" }),
        await refused(nowhere.get(sid), { code: "3F000" }),
    ];
    for (const error of errors) {
        const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
        for (const secret of [sid, short, value]) assert.ok(!shown.includes(secret), shown);
    }
    await telling.end();
});

test("a refused connection is an error, not the end of a session", async () => {
    const refusing = new Pool({ user: "no such role" });
    const reached: { pool: Pool } = { pool };
    const store = new SsoAttrStore({ pool: { query: (text, values) => reached.pool.query(text, values) } });
    const { set, touch } = promises(store);
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const session = await read(sid, store);
    session["a"] = 2;
    reached.pool = refusing;
    await refused(set(sid, session), { code: "28000", severity: "FATAL" });
    await refused(touch(sid, session), { code: "28000", severity: "FATAL" });
    reached.pool = pool;
    await set(sid, session);
    assert.deepEqual(await attributes(sid), { a: 2 });
    await refusing.end();
});

test("without a callback an error is a warning of the process", async () => {
    const store = new SsoAttrStore({ pool: { query: () => Promise.reject(new Error("no server")) } });
    const warned = once(process, "warning");
    store.destroy(genid());
    assert.equal((await warned)[0].message, "no server");
});

test("options are checked", () => {
    const options: any[] = [{}, { pool, connectionString: "postgres:///" }, { pool, ttl: 0 }, { pool, ttl: Infinity }];
    for (const wrong of options) assert.throws(() => new SsoAttrStore(wrong), TypeError, inspect(wrong, { depth: 0 }));
});

test("a store with a connectionString has a pool of its own and outlives its connections", async () => {
    const name = "store with a pool of its own";
    const { PGDATABASE: database } = process.env;
    const store = new SsoAttrStore({ connectionString: `postgres:///${database}?application_name=${encodeURIComponent(name)}` });
    const { set, get } = promises(store);
    const sid = genid();
    await set(sid, plain({ a: 1 }));
    const broken = "SELECT count(pg_terminate_backend(pid, 5000))::int FROM pg_stat_activity WHERE application_name = $1";
    assert.equal(await one(broken, name), 1);
    // The first call may still get the broken connection.
    await get(sid).catch(() => {});
    assert.equal((await get(sid)).a, 1);
    await store.close();
    await refused(get(sid), /after calling end/);
});

test("CommonJS gets the same class", () => {
    const required = createRequire(import.meta.url)("connect-sso-attr");
    assert.equal(required.SsoAttrStore, SsoAttrStore);
    assert.equal(required.genid, genid);
});

test("a tick of the clock in a cookie's age is no change", async () => {
    const counting = new CountingPool();
    const by = new SsoAttrStore({ pool: counting });
    const sid = genid();
    const session = fresh(sid, by);
    await promises(by).set(sid, session);
    const later = await read(sid, by);
    later.cookie.originalMaxAge = later.cookie.originalMaxAge! - 1;
    counting.sent = [];
    await promises(by).touch(sid, later);
    assert.deepEqual(counting.sent, []);
});
