// Compiled, not run: the types that a CommonJS program sees.

import session from "express-session";
import pg from "pg";
import { genid, SsoAttrStore } from "connect-sso-attr";

const store: session.Store = new SsoAttrStore({
    pool: new pg.Pool(),
    encrypt: ["card"],
    userId: (session) => session["user"],
});
session({ store, genid, secret: "secret" });
new SsoAttrStore({ pool: new pg.Client() });
// @ts-expect-error: names, or true.
new SsoAttrStore({ pool: new pg.Pool(), encrypt: "card" });
// @ts-expect-error: an option that there is not.
new SsoAttrStore({ pool: new pg.Pool(), tableName: "session" });
