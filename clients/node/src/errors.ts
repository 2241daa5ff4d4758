/** Whether the server said that a session is not live. A connection that is refused has the same SQLSTATE. */
export function isNotLive(error: unknown): boolean {
    return isFromExtension(error, "28000");
}

/** Whether the server said that a live session has this id. */
export function isTokenInUse(error: unknown): boolean {
    return isFromExtension(error, "23505");
}

/** The error without the context in which the server, if it is told to log parameters, repeats session ids and values. */
export function withoutContext(error: unknown): unknown {
    if (error instanceof Error && "where" in error) delete error.where;
    return error;
}

function isFromExtension(error: unknown, sqlstate: string): boolean {
    return error instanceof Error && "code" in error && error.code === sqlstate &&
        "routine" in error && error.routine === "sso_attr";
}
