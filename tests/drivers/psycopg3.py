"""psycopg 3 as its users write it; docs/drivers.md shows the first calls."""

import asyncio

import psycopg
from psycopg.types.json import Jsonb

from values import store

with psycopg.connect("", autocommit=True) as conn:
    ust, = conn.execute("SELECT sso_session_create(%s, %s)", ("ann", "shop")).fetchone()
    conn.execute("SELECT sso_attr_set_json(%s, %s, %s)", (ust, "cart", Jsonb({"items": [1, 2]})))
    try:
        conn.execute("SELECT sso_attr_update_json(%s, %s, %s)", (ust, "crat", Jsonb(1)))
    except psycopg.errors.NoDataFound as error:
        print(error.diag.message_detail)  # Missing: "crat".
    user, attributes = conn.execute("SELECT user_id, attributes FROM sso_session_load(%s)", (ust,)).fetchone()
    conn.execute("SELECT sso_session_save(%s, %s, %s)", (ust, Jsonb({"paid": True}), ["cart"]))

    assert (user, attributes) == ("ann", {"cart": {"items": [1, 2]}})

    def call(sql, *args):
        return conn.execute(sql, args).fetchone()[0]

    asyncio.run(store(
        lambda: call("SELECT sso_session_create()"),
        lambda verb, ust, name, value: call(f"SELECT {verb}(%s, %s, %s)", ust, name, Jsonb(value)),
        lambda ust, name: call("SELECT sso_attr_get(%s, %s)", ust, name),
        lambda ust, name, value: call("SELECT sso_attr_set(%s, %s, %s)", ust, name, value),
    ))
