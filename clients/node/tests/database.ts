// The database of the tests: as its owner, and as the application, which may do what sso_attr_grant gives it.

import type { Queryable } from "connect-sso-attr";
import { Pool } from "pg";

export const owner = new Pool();

const role = "shop";
await owner.query(`CREATE ROLE ${role} LOGIN`).catch((error) => {
    if (error.code !== "42710" && error.code !== "23505") throw error;
});
await owner.query("SELECT sso_attr_grant($1)", [role]);
// Nothing is left of an earlier run that failed.
await owner.query("DELETE FROM sso_attr.session");

export const pool = new Pool({ user: role });

/** The application's pool, with a list of what was sent through it. */
export class CountingPool implements Queryable {
    sent: string[] = [];

    query(text: string, values: unknown[]) {
        this.sent.push(text);
        return pool.query(text, values);
    }
}

/** The first column of a statement's only row. */
export async function one(text: string, ...values: unknown[]): Promise<any> {
    const { rows } = await owner.query({ text, values, rowMode: "array" });
    return rows[0]?.[0];
}

/** The attributes of a session as SQL sees them; undefined if it is not live. */
export function attributes(sid: string): Promise<any> {
    return one("SELECT attributes FROM sso_session_load($1)", sid);
}

export async function closePools(): Promise<void> {
    await pool.end();
    await owner.end();
}
