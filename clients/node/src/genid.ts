import { randomBytes } from "node:crypto";

/**
 * A session id for express-session's option `genid`: 32 bytes from the operating system, in hexadecimal. It is the
 * secret that proves the session. Hexadecimal, because an id that happens to begin with "sso_" cannot be adopted.
 */
export function genid(): string {
    return randomBytes(32).toString("hex");
}
