import type { Cookie, SessionData } from "express-session";
import { toJson } from "./json.js";

/** What is stored of a cookie, in one order, so that texts can be compared; when it expires is the session's end. */
const FIELDS = ["originalMaxAge", "partitioned", "priority", "secure", "httpOnly", "domain", "path", "sameSite"];

/** What express-session's Cookie has without being told. */
const DEFAULTS: Record<string, unknown> = { httpOnly: true, path: "/" };

/** The JSON text of what must be stored to restore a cookie; undefined if there is nothing that must. */
export function cookieText(cookie: SessionData["cookie"]): string | undefined {
    const fields = cookie as unknown as Record<string, unknown>;
    const value = (field: string): unknown => (field === "originalMaxAge" ? steady(cookie.originalMaxAge) : fields[field]);
    const stored = FIELDS.map((field) => [field, value(field) ?? undefined])
        .filter(([field, value]) => value !== undefined && value !== DEFAULTS[field as string]);
    return stored.length > 0 ? toJson("cookie", Object.fromEntries(stored)) : undefined;
}

/**
 * To ten milliseconds: express-session takes the time once to set when a cookie expires, and again to see how long that is
 * from now, and where the clock has ticked in between it is another cookie.
 */
function steady(milliseconds: number | null | undefined): number | null | undefined {
    return typeof milliseconds === "number" ? Math.round(milliseconds / 10) * 10 : milliseconds;
}

/** The cookie of a session that ends at a given time, from what was stored of it. */
export function restoreCookie(stored: unknown, end: string | null): Cookie {
    const cookie: Record<string, unknown> = { originalMaxAge: null };
    if (typeof stored === "object" && stored !== null) Object.assign(cookie, stored);
    if (typeof cookie["originalMaxAge"] === "number" && end !== null) cookie["expires"] = new Date(end).toISOString();
    return cookie as unknown as Cookie;
}

/** When a cookie expires, in milliseconds since 1970; null for one that ends with the browser. */
export function cookieEnd(cookie: SessionData["cookie"]): number | null {
    if (!cookie.expires) return null;
    const end = new Date(cookie.expires).getTime();
    if (Number.isNaN(end)) throw new TypeError("session cookie: expires is not a valid date");
    return end;
}
