// The store in an Express application, over HTTP.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { SsoAttrStore, type SsoAttrStoreOptions } from "connect-sso-attr";
import connectPgSimple from "connect-pg-simple";
import type { Express } from "express";
import session, { type SessionOptions, type Store } from "express-session";
import { attributes, closePools, CountingPool, one, owner, pool } from "./database.ts";
import { barrier, Browser, Gate, Site } from "./http.ts";

after(closePools);

/** A site, closed when the test is done. */
async function open(t: TestContext, store: Store, routes: (app: Express) => void, options?: Partial<SessionOptions>) {
    const site = await Site.open(store, routes, options);
    t.after(() => site.close());
    return site;
}

/** /set/NAME/VALUE and /show, /login/USER by a new session, /bind/USER by a new id, /logout. */
function shop(app: Express): void {
    app.get("/", (_request, response) => void response.end("hello"));
    app.get("/set/:name/:value", (request, response) => {
        request.session[request.params.name] = request.params.value;
        response.end();
    });
    app.get(["/show", "/due"], (request, response) => {
        const { cookie: _cookie, ...values } = request.session;
        const store = request.sessionStore as unknown as SsoAttrStore;
        // Other stores have no userOf.
        response.json({ values, user: store.userOf?.(request) });
    });
    app.get("/login/:user", (request, response, next) => {
        request.session.regenerate((error) => {
            if (error) return next(error);
            request.session["user"] = request.params.user;
            request.session.save((error) => (error ? next(error) : response.end()));
        });
    });
    app.get("/bind/:user", async (request, response) => {
        request.session["asked"] = true;
        await (request.sessionStore as unknown as SsoAttrStore).rotate(request, request.params.user);
        request.session["bound"] = true;
        response.end();
    });
    app.get("/logout", (request, response, next) => {
        request.session.destroy((error) => (error ? next(error) : response.end()));
    });
}

function byUser(options: Partial<SsoAttrStoreOptions> = {}): SsoAttrStore {
    return new SsoAttrStore({ pool, userId: (session) => session["user"], ...options });
}

/** connect-pg-simple, for what it does where this store does something else. */
async function pgSimple(): Promise<Store> {
    await owner.query(`CREATE TABLE IF NOT EXISTS session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)`);
    const PgSimple = connectPgSimple(session);
    return new PgSimple({ pool: owner, pruneSessionInterval: false });
}

test("a visitor who leaves nothing costs nothing", async (t) => {
    const counting = new CountingPool();
    const site = await open(t, new SsoAttrStore({ pool: counting }), shop);
    const visitor = new Browser(site);
    assert.equal((await visitor.get("/")).body, "hello");
    assert.equal(visitor.cookie, undefined);
    assert.deepEqual(counting.sent, []);
});

test("round trips of a request", async (t) => {
    const counting = new CountingPool();
    const site = await open(t, byUser({ pool: counting }), shop, { cookie: { maxAge: 3_600_000 } });
    const browser = new Browser(site);
    const trips: Record<string, number> = {};
    for (const path of ["/", "/set/a/1", "/show", "/set/a/2", "/due", "/show", "/login/ann", "/bind/ann", "/logout", "/show"]) {
        if (path === "/due") await owner.query("SELECT sso_session_renew($1, 3000)", [browser.sid]);
        counting.sent = [];
        assert.equal((await browser.get(path)).status, 200, path);
        trips[`${Object.keys(trips).length} ${path}`] = counting.sent.length;
    }
    t.diagnostic(JSON.stringify(trips));
    assert.deepEqual(Object.values(trips), [0, 1, 1, 2, 2, 1, 3, 3, 2, 1]);
});

test("login by regenerate: a new id, bound to the user, and the old one is dead", async (t) => {
    const site = await open(t, byUser({ currentApp: "login" }), shop);
    const browser = new Browser(site);
    await browser.get("/set/cart/full");
    const before = new Browser(site, browser.cookie);
    await browser.get("/login/ann");
    assert.notEqual(browser.sid, before.sid);
    assert.deepEqual((await browser.get("/show")).body, { values: { user: "ann" }, user: "ann" });
    assert.equal(await one("SELECT current_app FROM sso_session_list('ann')"), "login");
    assert.deepEqual((await before.get("/show")).body.values, {});
    assert.equal(await attributes(before.sid), undefined);
    await owner.query("SELECT sso_session_end_all('ann')");
    assert.deepEqual((await browser.get("/show")).body, { values: {}, user: null });
});

test("login by rotate: a new id for the same session, bound to the user, and the old id is dead", async (t) => {
    const site = await open(t, byUser(), shop);
    const browser = new Browser(site);
    await browser.get("/set/cart/full");
    const id = await one("SELECT session_id FROM sso_session_get($1)", browser.sid);
    const before = new Browser(site, browser.cookie);
    await browser.get("/bind/bea");
    assert.notEqual(browser.sid, before.sid);
    const { body } = await browser.get("/show");
    assert.deepEqual(body, { values: { cart: "full", asked: true, bound: true }, user: "bea" });
    assert.equal(await one("SELECT session_id FROM sso_session_list('bea')"), id);
    assert.deepEqual((await before.get("/show")).body.values, {});
    assert.equal((await browser.get("/set/more/1")).status, 200);
    assert.deepEqual((await browser.get("/show")).body.values, { cart: "full", asked: true, bound: true, more: "1" });
    assert.deepEqual(site.errors, []);

    const stranger = new Browser(site);
    await stranger.get("/bind/bea");
    assert.equal((await stranger.get("/show")).body.user, "bea");
});

test("a session of one user does not become another's", async (t) => {
    const site = await open(t, byUser(), shop);
    const browser = new Browser(site);
    await browser.get("/bind/cid");
    await browser.get("/bind/dan");
    assert.equal(site.errors[0].code, "22023");
    assert.equal((await browser.get("/show")).body.user, "cid");

    const anonymous = new Browser(site);
    await anonymous.get("/set/a/1");
    await anonymous.get("/set/user/dan");
    assert.match(site.errors[1].message, /regenerate/);
    assert.deepEqual((await anonymous.get("/show")).body, { values: { a: "1" }, user: null });
});

test("rotating a session that has ended is an error", async (t) => {
    const gate = new Gate();
    const site = await open(t, byUser(), (app) => {
        app.get("/slow-bind", async (request, response) => {
            await gate.pass();
            await (request.sessionStore as unknown as SsoAttrStore).rotate(request, "eli");
            response.end();
        });
        shop(app);
    });
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    const late = browser.get("/slow-bind");
    await gate.reached;
    await new Browser(site, browser.cookie).get("/logout");
    gate.open();
    assert.equal((await late).status, 500);
    assert.equal(site.errors[0].code, "28000");
    assert.equal(await one("SELECT count(*)::int FROM sso_session_list('eli')"), 0);
});

/** Two tabs whose requests have both read the session before either writes its own name; what is there afterwards. */
async function twoTabs(t: TestContext, store: Store): Promise<object> {
    const together = barrier(2);
    const site = await open(t, store, (app) => {
        app.get("/meet/:name", async (request, response) => {
            request.session[request.params.name] = "written";
            delete request.session[`old ${request.params.name}`];
            await together();
            response.end();
        });
        shop(app);
    });
    const browser = new Browser(site);
    for (const name of ["kept", "old%20left", "old%20right"]) await browser.get(`/set/${name}/1`);
    const both = await Promise.all([browser.get("/meet/left"), browser.get("/meet/right")]);
    assert.deepEqual(both.map(({ status }) => status), [200, 200]);
    return (await browser.get("/show")).body.values;
}

test("two tabs that change different names at once both win", async (t) => {
    assert.deepEqual(await twoTabs(t, byUser()), { kept: "1", left: "written", right: "written" });
});

test("with connect-pg-simple one of them loses", async (t) => {
    const values = await twoTabs(t, await pgSimple());
    const one = { kept: "1", left: "written", "old right": "1" };
    const other = { kept: "1", right: "written", "old left": "1" };
    assert.deepEqual(values, "left" in values ? one : other);
});

/** A request that saves after the other tab has logged out; its answer, and what the session holds then. */
async function lateSave(t: TestContext, store: Store): Promise<{ status: number; values: object }> {
    const gate = new Gate();
    const site = await open(t, store, (app) => {
        app.get("/slow", async (request, response) => {
            request.session["late"] = "written";
            await gate.pass();
            response.end();
        });
        shop(app);
    });
    const browser = new Browser(site);
    await browser.get("/login/fay");
    const cookie = browser.cookie!;
    const slow = browser.get("/slow");
    await gate.reached;
    await new Browser(site, cookie).get("/logout");
    gate.open();
    const { status } = await slow;
    assert.deepEqual(site.errors, []);
    return { status, values: (await new Browser(site, cookie).get("/show")).body.values };
}

test("a session that one tab has logged out of stays ended when another one saves", async (t) => {
    const store = byUser();
    const dropped = once(store, "dropped");
    assert.deepEqual(await lateSave(t, store), { status: 200, values: {} });
    assert.deepEqual(await dropped, [["late"]]);
    assert.equal(await one("SELECT count(*)::int FROM sso_session_list('fay')"), 0);
});

test("with connect-pg-simple the user is logged in again", async (t) => {
    assert.deepEqual(await lateSave(t, await pgSimple()), { status: 200, values: { user: "fay", late: "written" } });
});

test("a read of a session that ends in another tab does not bring it back", async (t) => {
    const gate = new Gate();
    const site = await open(t, byUser(), (app) => {
        app.get("/slow", async (_request, response) => {
            await gate.pass();
            response.end();
        });
        shop(app);
    });
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    const slow = browser.get("/slow");
    await gate.reached;
    await new Browser(site, browser.cookie).get("/logout");
    gate.open();
    assert.equal((await slow).status, 200);
    assert.deepEqual(site.errors, []);
    assert.deepEqual((await browser.get("/show")).body.values, {});
});

test("the session ends when its cookie does, and both move with each request", async (t) => {
    const site = await open(t, byUser(), shop, { rolling: true });
    const browser = new Browser(site);
    const left = () => one("SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM sso_session_get($1)", browser.sid);
    await browser.get("/set/a/1");
    assert.ok((await left()) > 55 && (await left()) <= 60);
    await owner.query("SELECT sso_session_renew($1, 5)", [browser.sid]);
    await browser.get("/show");
    assert.ok((await left()) > 55 && (await left()) <= 60);
    const expires = Date.parse(/Expires=([^;]+)/.exec(browser.setCookie!)![1]!);
    assert.ok(Math.abs(expires - Date.now() - (await left()) * 1000) < 2000);
});

test("a cookie that is changed and nothing else is kept", async (t) => {
    const site = await open(t, byUser(), (app) => {
        app.get("/remember", (request, response) => {
            request.session.cookie.maxAge = 86_400_000;
            response.end();
        });
        shop(app);
    }, { rolling: true });
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    await browser.get("/remember");
    assert.deepEqual((await attributes(browser.sid)).cookie, { originalMaxAge: 86_400_000 });
    await browser.get("/show");
    const expires = Date.parse(/Expires=([^;]+)/.exec(browser.setCookie!)![1]!);
    assert.ok(expires > Date.now() + 86_000_000);
});

test("reload reads what others have written, and goes on from there", async (t) => {
    const site = await open(t, byUser(), (app) => {
        app.get("/reload", async (request, response) => {
            request.session["a"] = "forgotten";
            await owner.query("SELECT sso_attr_set($1, 'b', 'from elsewhere')", [request.sessionID]);
            await promisify(request.session.reload.bind(request.session))();
            const { a, b } = request.session;
            request.session["c"] = "new";
            response.json({ a, b });
        });
        shop(app);
    });
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    assert.deepEqual((await browser.get("/reload")).body, { a: "1", b: "from elsewhere" });
    assert.deepEqual((await browser.get("/show")).body.values, { a: "1", b: "from elsewhere", c: "new" });
});

test("unset: destroy ends the session", async (t) => {
    const site = await open(t, byUser(), (app) => {
        app.get("/unset", (request, response) => {
            request.session = null as any;
            response.end();
        });
        shop(app);
    }, { unset: "destroy" });
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    await browser.get("/unset");
    assert.equal(await attributes(browser.sid), undefined);
});

test("resave and saveUninitialized do no harm", async (t) => {
    const site = await open(t, byUser(), shop, { resave: true, saveUninitialized: true });
    const browser = new Browser(site);
    await browser.get("/");
    await browser.get("/set/a/1");
    assert.deepEqual((await browser.get("/show")).body.values, { a: "1" });
    assert.deepEqual(site.errors, []);
});

/** Whoever waits for a lock of ours, as soon as somebody does, has its connection broken. */
async function breakWhoWaits(): Promise<void> {
    const waiting = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE usename = 'shop' AND wait_event_type = 'Lock'`;
    while ((await owner.query(waiting)).rowCount === 0);
}

test("a connection that breaks while a session is saved: an error, and nothing half written", async (t) => {
    const site = await open(t, byUser(), (app) => {
        app.get("/write/:saving", async (request, response) => {
            for (const name of ["a", "b", "c"]) request.session[name] = 2;
            delete request.session["d"];
            if (request.params.saving === "before") await promisify(request.session.save.bind(request.session))();
            response.end("done");
        });
        shop(app);
    });
    const browser = new Browser(site);
    for (const name of ["a", "b", "c", "d"]) await browser.get(`/set/${name}/1`);
    for (const saving of ["before", "after"]) {
        const holder = await owner.connect();
        await holder.query("BEGIN");
        await holder.query("SELECT sso_attr_set($1, 'c', 'held')", [browser.sid]);
        // What it has sent of its answer is cut off, or is an error.
        const answer = browser.get(`/write/${saving}`).catch(() => ({ status: 0 }));
        await breakWhoWaits();
        const { status } = await answer;
        await holder.query("ROLLBACK");
        holder.release();
        if (saving === "before") assert.equal(status, 500);
        assert.equal(site.errors.splice(0).length, 1);
        assert.deepEqual((await browser.get("/show")).body.values, { a: "1", b: "1", c: "1", d: "1" });
    }
    assert.equal((await browser.get("/write/before")).status, 200);
    assert.deepEqual((await browser.get("/show")).body.values, { a: 2, b: 2, c: 2 });
});

test("a server that is away: an error for the request, not an empty session", async (t) => {
    let away = false;
    const store = byUser({
        pool: {
            query: (text, values) => (away ? Promise.reject(new Error("connect ECONNREFUSED")) : pool.query(text, values)),
        },
    });
    const site = await open(t, store, shop);
    const browser = new Browser(site);
    await browser.get("/set/a/1");
    away = true;
    assert.equal((await browser.get("/show")).status, 500);
    assert.equal((await browser.get("/logout")).status, 500);
    away = false;
    assert.deepEqual((await browser.get("/show")).body.values, { a: "1" });
});

async function dump(): Promise<string> {
    const bin = (await promisify(execFile)(process.env["PG_CONFIG"]!, ["--bindir"])).stdout.trim();
    return (await promisify(execFile)(`${bin}/pg_dump`, ["--inserts"], { maxBuffer: 2 ** 28 })).stdout;
}

test("a dump has no session id and no encrypted value in it", async (t) => {
    const site = await open(t, byUser({ encrypt: ["card"] }), shop);
    const sids: string[] = [];
    for (const path of ["/set/card/4111-1111-1111", "/login/gus", "/bind/gus", "/set/card/4222-2222-2222"]) {
        const browser = new Browser(site);
        await browser.get("/set/color/turquoise");
        await browser.get(path);
        sids.push(browser.sid);
    }
    const dumped = await dump();
    assert.ok(dumped.includes("turquoise") && dumped.includes("gus"));
    const encodings = (sid: string) => [sid, Buffer.from(sid).toString("hex"), Buffer.from(sid, "hex").toString("base64")];
    for (const secret of [...sids.flatMap(encodings), "4111-1111-1111", "4222-2222-2222"]) {
        assert.ok(!dumped.includes(secret), secret);
    }
});

test("with connect-pg-simple both are in the dump", async (t) => {
    const browser = new Browser(await open(t, await pgSimple(), shop));
    await browser.get("/set/card/4333-3333-3333");
    const dumped = await dump();
    assert.ok(dumped.includes(browser.sid) && dumped.includes("4333-3333-3333"));
});

test("a new session that has the id of another is an error; with connect-pg-simple it takes the other over", async (t) => {
    // The same for all, as a mistake.
    const id = randomUUID();
    const genid = () => id;
    const site = await open(t, await pgSimple(), shop, { genid });
    const [ann, eve] = [new Browser(site), new Browser(site)];
    await ann.get("/set/owner/ann");
    await eve.get("/set/owner/eve");
    assert.deepEqual((await ann.get("/show")).body.values, { owner: "eve" });

    const careful = await open(t, byUser(), shop, { genid });
    const [other, late] = [new Browser(careful), new Browser(careful)];
    await other.get("/set/owner/ann");
    await late.get("/set/owner/eve").catch(() => {});
    assert.equal(careful.errors[0].code, "23505");
    assert.deepEqual((await other.get("/show")).body.values, { owner: "ann" });
});

test("what JSON cannot hold is an error; with connect-pg-simple it is changed without a word", async (t) => {
    const odd = (app: Express) => {
        app.get("/odd", (request, response) => {
            Object.assign(request.session, { sum: NaN, list: [undefined], map: new Map([[1, 2]]) });
            response.end();
        });
        shop(app);
    };
    const browser = new Browser(await open(t, await pgSimple(), odd));
    await browser.get("/odd");
    assert.deepEqual((await browser.get("/show")).body.values, { sum: null, list: [null], map: {} });

    const site = await open(t, byUser(), odd);
    await new Browser(site).get("/odd").catch(() => {});
    assert.match(site.errors[0].message, /"sum" cannot be stored as JSON: NaN/);
});
