import { Session, Store, type SessionData } from "express-session";
import { Pool } from "pg";
import { cookieEnd, cookieText, restoreCookie } from "./cookie.js";
import { isNotLive, isTokenInUse, withoutContext } from "./errors.js";
import { genid } from "./genid.js";
import { toJson, toJsonObject } from "./json.js";
import { statements } from "./statements.js";

/** A Pool, a Client, or whatever else has their query. */
export interface Queryable {
    query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

export interface SsoAttrStoreOptions {
    /** A Pool or a Client of pg. It stays yours to close. */
    pool?: Queryable;
    /** Instead of pool: where to connect to, by a pool that `close` ends. */
    connectionString?: string;
    /** The schema that the extension was created in. Without it, search_path finds the functions. */
    schema?: string;
    /** The application's name, shown by sso_session_list. */
    currentApp?: string;
    /** Names whose values are encrypted at rest; true for all. */
    encrypt?: readonly string[] | true;
    /** Seconds for which a session without cookie.maxAge lives after a request. Default: sso_attr.session_expiration. */
    ttl?: number;
    /** Whose session it is, nothing for nobody's. Asked whenever a session is saved. */
    userId?: (session: SessionData) => string | number | null | undefined;
}

/** An Express request with express-session's properties. */
type Request = Parameters<Store["createSession"]>[0];

type Texts = ReadonlyMap<string, string>;

/** What a request knows of its session. */
interface Known {
    userId: string | null;
    /** Names and JSON texts as they were read or written last; null while the session is not stored. */
    texts: Texts | null;
    /** When it ends, as far as that is known, in milliseconds since 1970. */
    end: number | null;
    /** Settled when the last write is done. */
    turn: Promise<unknown>;
}

/**
 * A store for express-session. Of a session that was read, `set` writes what has changed and nothing else; one that has
 * ended meanwhile stays ended: nothing is written then, and the store emits "dropped" with the names.
 */
export class SsoAttrStore extends Store {
    readonly #options: SsoAttrStoreOptions;
    readonly #sql: ReturnType<typeof statements>;
    readonly #pool: Queryable;
    readonly #ownPool: Pool | undefined;
    readonly #known = new WeakMap<SessionData, Known>();

    constructor(options: SsoAttrStoreOptions) {
        super();
        const { pool, connectionString, schema, ttl } = options;
        if (ttl !== undefined && !(ttl > 0 && Number.isFinite(ttl))) {
            throw new TypeError("SsoAttrStore: ttl must be a positive number of seconds");
        }
        if ((pool === undefined) === (connectionString === undefined)) {
            throw new TypeError("SsoAttrStore needs either pool or connectionString");
        }
        if (pool === undefined) {
            this.#ownPool = new Pool({ connectionString });
            // The pool replaces an idle connection that broke. Unheard, the event would end the process.
            this.#ownPool.on("error", () => {});
        }
        this.#options = { ...options };
        this.#sql = statements(schema);
        this.#pool = pool ?? this.#ownPool!;
    }

    override get(sid: string, callback: (error: any, session?: SessionData | null) => void): void {
        answer(this.#load(sid), callback);
    }

    override set(sid: string, session: SessionData, callback?: (error?: any) => void): void {
        answer(this.#save(sid, session), callback);
    }

    override touch(sid: string, session: SessionData, callback?: (error?: any) => void): void {
        answer(this.#renew(sid, session), callback);
    }

    override destroy(sid: string, callback?: (error?: any) => void): void {
        answer(this.#call(this.#sql.end, [sid]), callback && ((error) => callback(error)));
    }

    /** Makes a request's session of what `get` gave; what is known of the one is known of the other. */
    override createSession(req: Request, data: SessionData): Session & SessionData {
        const known = this.#known.get(data);
        const session = super.createSession(req, data);
        if (known) this.#known.set(session, known);
        return session;
    }

    /**
     * Gives a request's session a new id, at once, and binds it to its user if one is given. Its values stay. To be called
     * when the user's rights change, as at login. req.session is a new object afterwards.
     */
    async rotate(req: Request, userId?: string | number | null): Promise<void> {
        const session = req.session as Session & SessionData;
        const known = this.#knownOf(session);
        await inTurn(known, async () => {
            const user = text(userId) ?? known.userId;
            if (known.texts === null) {
                known.userId = user;
            } else {
                const sid = genid();
                await this.#call(this.#sql.rotate, [req.sessionID, user, sid]);
                req.sessionID = sid;
                const renamed = this.createSession(req, { ...session, cookie: { ...session.cookie } });
                this.#known.set(renamed, { ...known, userId: user, turn: Promise.resolve() });
            }
        });
    }

    /** Whose session a request's is: what the server says, not what is among its values. */
    userOf(req: Request): string | null {
        return this.#known.get(req.session as SessionData)?.userId ?? null;
    }

    /** Closes the connections that the store itself has opened. */
    async close(): Promise<void> {
        await this.#ownPool?.end();
    }

    async #load(sid: string): Promise<SessionData | null> {
        const [row] = await this.#call(this.#sql.load, [sid]);
        if (row === undefined) return null;
        const { user_id: userId, expires_at: end, attributes } = JSON.parse((row as { session: string }).session);
        const names = Object.keys(attributes).filter(isSessionKey);
        const session = {
            ...Object.fromEntries(names.map((name) => [name, attributes[name]])),
            cookie: restoreCookie(attributes.cookie, end),
        };
        this.#known.set(session, {
            userId,
            texts: textsOf(session),
            end: end === null ? null : Date.parse(end),
            turn: Promise.resolve(),
        });
        return session;
    }

    async #save(sid: string, session: SessionData): Promise<void> {
        const known = this.#knownOf(session);
        const texts = textsOf(session);
        const end = this.#endOf(session);
        const user = text(this.#options.userId?.(session));
        await inTurn(known, async () => {
            if (known.texts === null) {
                const owner = known.userId ?? user;
                await this.#create(sid, end, texts, owner, "req" in session);
                known.userId = owner;
            } else if (user !== null && user !== known.userId) {
                throw new Error("a session of another user: call req.session.regenerate() or store.rotate() at login");
            } else {
                await this.#change(sid, end, known.texts, texts, known.end);
            }
            known.texts = texts;
            known.end = timeOf(end);
        });
    }

    async #create(sid: string, end: End, texts: Texts, owner: string | null, isRequests: boolean): Promise<void> {
        const values = [sid, ...end, toJsonObject(texts), this.#encrypted(texts)];
        try {
            await this.#call(this.#sql.create, [...values, owner, this.#options.currentApp ?? null]);
        } catch (error) {
            // The cookie has expired: the session was over at once, and nothing of it is stored.
            if (isNotLive(error)) return;
            // A request's session that is new must not take over somebody's; a plain object may be set twice.
            if (!isTokenInUse(error) || isRequests) throw error;
            await this.#call(this.#sql.replace, values);
        }
    }

    async #change(sid: string, end: End, before: Texts, now: Texts, endBefore: number | null): Promise<void> {
        const changed = new Map([...now].filter(([name, json]) => before.get(name) !== json));
        const removed = [...before.keys()].filter((name) => !now.has(name));
        if (changed.size === 0 && removed.length === 0 && isNear(end, endBefore)) return;
        const values = [sid, ...end, toJsonObject(changed), this.#encrypted(changed), removed];
        await this.#unlessEnded(this.#call(this.#sql.change, values), [...changed.keys(), ...removed]);
    }

    async #renew(sid: string, session: SessionData): Promise<void> {
        const known = this.#known.get(session);
        // Express-session does not count a change of the cookie, such as "remember me", as one that must be saved.
        if (known?.texts && known.texts.get("cookie") !== cookieText(session.cookie)) return this.#save(sid, session);
        const end = this.#endOf(session);
        if (known && isNear(end, known.end)) return;
        await this.#unlessEnded(this.#call(this.#sql.renew, [sid, ...end]), []);
    }

    /** What is written to a session that has ended is dropped. The response is not to fail for it. */
    async #unlessEnded(call: Promise<unknown>, names: string[]): Promise<void> {
        try {
            await call;
        } catch (error) {
            if (!isNotLive(error)) throw error;
            if (names.length > 0) this.emit("dropped", names);
        }
    }

    #knownOf(session: SessionData): Known {
        let known = this.#known.get(session);
        if (known === undefined) {
            known = { userId: null, texts: null, end: null, turn: Promise.resolve() };
            this.#known.set(session, known);
        }
        return known;
    }

    #endOf(session: SessionData): End {
        const end = cookieEnd(session.cookie);
        return end === null ? [this.#options.ttl ?? null, null] : [null, end / 1000];
    }

    #encrypted(texts: Texts): string[] {
        const { encrypt = [] } = this.#options;
        return [...texts.keys()].filter((name) => encrypt === true || encrypt.includes(name));
    }

    /** Without a name, so that nothing is left on a connection that a pooler gives to somebody else. */
    async #call(statement: string, values: unknown[]): Promise<unknown[]> {
        try {
            return (await this.#pool.query(statement, values)).rows;
        } catch (error) {
            throw withoutContext(error);
        }
    }
}

/** Seconds from now, or a time in seconds since 1970. */
type End = [expiration: number | null, expiresAt: number | null];

/** An end in milliseconds since 1970; null where it is the server that knows. */
function timeOf([expiration, expiresAt]: End): number | null {
    if (expiresAt !== null) return expiresAt * 1000;
    return expiration === null ? null : Date.now() + expiration * 1000;
}

/** Whether an end is so near to the one in force that the server would not write it: a 360th of the time left, a minute at most. */
function isNear(end: End, inForce: number | null): boolean {
    const time = timeOf(end);
    if (time === null || inForce === null) return false;
    return Math.abs(time - inForce) < Math.min((time - Date.now()) / 360, 60_000);
}

/** Runs work when what was begun before on the same session is done. */
function inTurn(known: Known, work: () => Promise<void>): Promise<void> {
    const done = known.turn.then(work);
    known.turn = done.catch(() => {});
    return done;
}

/** The JSON text of each of a session's values. What is undefined is not there. */
function textsOf(session: SessionData): Texts {
    const texts = new Map<string, string>();
    for (const [name, value] of Object.entries(session)) {
        const json = name === "cookie" ? cookieText(session.cookie) : toJson(name, value);
        if (json !== undefined) texts.set(name, json);
    }
    return texts;
}

/** Other names, which another program may have written, are left alone: express-session has no place for them. */
function isSessionKey(name: string): boolean {
    return !(name in Session.prototype) && name !== "id" && name !== "req";
}

function text(userId: string | number | null | undefined): string | null {
    return userId == null ? null : String(userId);
}

function answer<T>(result: Promise<T>, callback?: (error: any, value?: T) => void): void {
    // From nextTick, so that what the callback throws is not taken for a failure of the store.
    result.then(
        (value) => callback && process.nextTick(callback, null, value),
        (error) => (callback ? process.nextTick(callback, error) : process.emitWarning(error)),
    );
}
