// PgBouncer in transaction mode between the application and the server: each statement of a request may run on another
// connection, between statements of other requests.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { SsoAttrStore } from "connect-sso-attr";
import { Pool } from "pg";
import { closePools, owner } from "./database.ts";
import { Browser, Site } from "./http.ts";

after(closePools);

const BROWSERS = 20;
const CONNECTIONS = 3;
const ROUNDS = 10;
const PORT = 6432;

async function startPooler(directory: string) {
    const { PGHOST, PGPORT } = process.env;
    const file = join(directory, "pooler.ini");
    await chmod(directory, 0o777);
    await writeFile(file, `[databases]\n* = host='${PGHOST}' port=${PGPORT} user=shop
[pgbouncer]\npool_mode = transaction\ndefault_pool_size = ${CONNECTIONS}\nauth_type = any
listen_port = ${PORT}\nunix_socket_dir = ${directory}\n`);
    const asRoot = process.getuid?.() === 0 ? ["--user", "nobody"] : [];
    const pooler = spawn("/usr/sbin/pgbouncer", [...asRoot, file], { stdio: ["ignore", "ignore", "pipe"] });
    for await (const line of createInterface(pooler.stderr)) {
        if (line.includes("process up")) {
            pooler.stderr.resume();
            return pooler;
        }
    }
    throw new Error("pgbouncer has not started");
}

test("behind PgBouncer everybody gets their own session", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "connect-sso-attr-"));
    const pooler = await startPooler(directory);
    const pool = new Pool({ host: directory, port: PORT, user: "shop", max: BROWSERS });
    t.after(async () => {
        await pool.end();
        pooler.kill();
        await once(pooler, "exit");
        await rm(directory, { recursive: true });
    });

    const store = new SsoAttrStore({ pool, encrypt: ["card"], userId: (session) => session["user"] });
    const site = await Site.open(store, (app) => {
        app.get("/login/:user", (request, response, next) => {
            request.session.regenerate((error) => {
                if (error) return next(error);
                request.session["user"] = request.params.user;
                response.end();
            });
        });
        app.get("/add/:round", (request, response) => {
            request.session["rounds"] = [...request.session["rounds"] ?? [], request.params.round];
            request.session["card"] = `${request.session["user"]} ${request.params.round}`;
            response.end();
        });
        app.get("/rotate", async (request, response) => {
            await store.rotate(request);
            response.end();
        });
        app.get("/show", (request, response) => {
            const { user, rounds, card } = request.session;
            response.json({ user, rounds, card, owner: store.userOf(request) });
        });
    });
    t.after(() => site.close());

    await Promise.all(Array.from({ length: BROWSERS }, async (_, number) => {
        const browser = new Browser(site);
        const user = `user ${number}`;
        await browser.get(`/login/${user}`);
        const rounds: string[] = [];
        for (let round = 0; round < ROUNDS; round++) {
            await browser.get(`/add/${round}`);
            if (round % 3 === 0) await browser.get("/rotate");
            rounds.push(String(round));
            const { body } = await browser.get("/show");
            assert.deepEqual(body, { user, rounds, card: `${user} ${round}`, owner: user });
        }
    }));
    assert.deepEqual(site.errors, []);
    const { rows } = await owner.query("SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'shop'");
    assert.ok(rows[0].count <= CONNECTIONS, `${rows[0].count} connections`);
});
