// An Express application that listens, and browsers that talk to it.

import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { genid } from "connect-sso-attr";
import express, { type ErrorRequestHandler, type Express } from "express";
import session, { type SessionOptions, type Store } from "express-session";

declare module "express-session" {
    interface SessionData {
        [name: string]: any;
    }
}

export class Site {
    readonly errors: any[] = [];
    #server: Server;

    private constructor(server: Server) {
        this.#server = server;
    }

    static async open(store: Store, routes: (app: Express) => void, options: Partial<SessionOptions> = {}): Promise<Site> {
        const app = express();
        app.use(session({
            store, genid, secret: "for tests", resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 }, ...options,
        }));
        routes(app);
        const failed: ErrorRequestHandler = (error, _request, response, next) => {
            site.errors.push(error);
            if (response.headersSent) next(error);
            else response.status(500).end("failed");
        };
        app.use(failed);
        app.set("env", "test");
        const server = app.listen(0, "127.0.0.1");
        await once(server, "listening");
        const site = new Site(server);
        return site;
    }

    get url(): string {
        return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    }

    async close(): Promise<void> {
        this.#server.closeAllConnections();
        await new Promise((closed) => this.#server.close(closed));
    }
}

/** Keeps the session's cookie as a browser does; its tabs share it. */
export class Browser {
    cookie: string | undefined;
    setCookie: string | undefined;
    readonly #site: Site;

    constructor(site: Site, cookie?: string) {
        this.#site = site;
        this.cookie = cookie;
    }

    async get(path: string): Promise<{ status: number; body: any }> {
        const response = await fetch(this.#site.url + path, this.cookie ? { headers: { cookie: this.cookie } } : {});
        [this.setCookie] = response.headers.getSetCookie();
        if (this.setCookie) this.cookie = this.setCookie.split(";")[0];
        const text = await response.text();
        return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text };
    }

    /** The session's id, as the cookie has it between "s:" and the signature. */
    get sid(): string {
        return decodeURIComponent(this.cookie!.split("=")[1]!).slice(2).split(".")[0]!;
    }
}

/** Lets nobody pass before so many have arrived. */
export function barrier(parties: number): () => Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    return () => {
        parties -= 1;
        if (parties === 0) resolve();
        return promise;
    };
}

/** Where a request waits until the test lets it go on. */
export class Gate {
    readonly #reached = Promise.withResolvers<void>();
    readonly #opened = Promise.withResolvers<void>();

    /** Settled when a request waits here. */
    readonly reached = this.#reached.promise;

    pass(): Promise<void> {
        this.#reached.resolve();
        return this.#opened.promise;
    }

    open(): void {
        this.#opened.resolve();
    }
}
