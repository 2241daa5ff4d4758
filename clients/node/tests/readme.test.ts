// The example that the README begins with, as a program.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { closePools, one } from "./database.ts";

after(closePools);

test("the README's example logs in and out", async (t) => {
    const installed = dirname(createRequire(import.meta.url).resolve("connect-sso-attr/package.json"));
    const [, example] = /```js\n(.*?)```/s.exec(await readFile(join(installed, "README.md"), "utf8"))!;
    const program = join(import.meta.dirname, "readme.mjs");
    await writeFile(program, `${example}\napp.listen(0, "127.0.0.1", function () { console.log(this.address().port); });\n`);
    const site = spawn(process.execPath, [program], {
        env: { ...process.env, SECRET: "for tests" },
        stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => site.kill());
    const [port] = await once(site.stdout, "data");
    const post = (path: string, cookie?: string) => fetch(`http://127.0.0.1:${Number(port)}${path}`, {
        method: "POST", redirect: "manual", ...(cookie ? { headers: { cookie } } : {}),
    });
    const sessions = () => one("SELECT count(*)::int FROM sso_session_list('ann')");

    const before = await sessions();
    const login = await post("/login");
    assert.equal(login.status, 302);
    assert.equal(await sessions(), before + 1);
    const logout = await post("/logout", login.headers.getSetCookie()[0]!.split(";")[0]);
    assert.equal(logout.status, 302);
    assert.equal(await sessions(), before);
});
