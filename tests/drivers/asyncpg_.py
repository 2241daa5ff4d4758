"""asyncpg as its users write it; docs/drivers.md shows the first calls."""

import asyncio
import json

import asyncpg

from values import store


async def main():
    conn = await asyncpg.connect()
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    ust = await conn.fetchval("SELECT sso_session_create($1, $2)", "ann", "shop")
    await conn.execute("SELECT sso_attr_set_json($1, $2, $3)", ust, "cart", {"items": [1, 2]})
    try:
        await conn.execute("SELECT sso_attr_update_json($1, $2, $3)", ust, "crat", 1)
    except asyncpg.NoDataFoundError as error:
        print(error.detail)  # Missing: "crat".
    session = await conn.fetchrow("SELECT user_id, attributes FROM sso_session_load($1)", ust)
    await conn.execute("SELECT sso_session_save($1, $2, $3)", ust, {"paid": True}, ["cart"])

    assert tuple(session) == ("ann", {"cart": {"items": [1, 2]}})

    call = conn.fetchval
    await store(
        lambda: call("SELECT sso_session_create()"),
        lambda verb, ust, name, value: call(f"SELECT {verb}($1, $2, $3)", ust, name, value),
        lambda ust, name: call("SELECT sso_attr_get($1, $2)", ust, name),
        lambda ust, name, value: call("SELECT sso_attr_set($1, $2, $3)", ust, name, value),
    )


asyncio.run(main())
