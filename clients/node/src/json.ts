/**
 * The JSON text of a session's value, undefined for undefined. Whatever JSON or jsonb cannot hold is refused, where
 * JSON.stringify would store something else without a word. An object with toJSON is stored as that says.
 */
export function toJson(name: string, value: unknown): string | undefined {
    checkText(name, name);
    return JSON.stringify(value, function (this: unknown, key: string, part: unknown) {
        const where = key === "" ? name : `${name}: ${key}`;
        checkText(where, key);
        switch (typeof part) {
            case "string":
                checkText(where, part);
                break;
            case "number":
                if (!Number.isFinite(part)) refuse(where, String(part));
                break;
            case "undefined":
                if (Array.isArray(this)) refuse(where, "undefined in an array");
                break;
            case "object":
                if (part !== null && !Array.isArray(part) && kind(part) !== "Object") refuse(where, `a ${kind(part)}`);
                break;
            case "bigint":
            case "function":
            case "symbol":
                refuse(where, `a ${typeof part}`);
        }
        return part;
    });
}

/** An object of names and JSON texts, as JSON text. */
export function toJsonObject(texts: Iterable<[string, string]>): string {
    return `{${Array.from(texts, ([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

/** "Object" for plain objects and instances of classes, "Map", "RegExp", "Error" and so on for the others. */
function kind(value: object): string {
    return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function checkText(where: string, text: string): void {
    if (text.includes("\0") || !text.isWellFormed()) refuse(where, "text with U+0000 or half of a surrogate pair");
}

function refuse(where: string, what: string): never {
    throw new TypeError(`session value ${JSON.stringify(where)} cannot be stored as JSON: ${what}`);
}
