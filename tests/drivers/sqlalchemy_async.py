"""SQLAlchemy over asyncpg as its users write it; docs/drivers.md shows the first calls."""

import asyncio

from sqlalchemy import func, select, text, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from values import store


async def main():
    engine = create_async_engine("postgresql+asyncpg://", hide_parameters=True, isolation_level="AUTOCOMMIT")
    async with engine.connect() as conn:
        ust = await conn.scalar(select(func.sso_session_create("ann", "shop")))
        await conn.execute(select(func.sso_attr_set_json(ust, "cart", type_coerce({"items": [1, 2]}, JSONB))))
        try:
            await conn.execute(select(func.sso_attr_update_json(ust, "crat", type_coerce(1, JSONB))))
        except DBAPIError as error:
            print(error.orig.__cause__.detail)  # Missing: "crat".
        load = text("SELECT user_id, attributes FROM sso_session_load(:ust)")
        session = (await conn.execute(load, {"ust": ust})).one_or_none()
        await conn.execute(select(func.sso_session_save(ust, type_coerce({"paid": True}, JSONB), ["cart"])))

        assert tuple(session) == ("ann", {"cart": {"items": [1, 2]}})

        await store(
            lambda: conn.scalar(select(func.sso_session_create())),
            lambda verb, ust, name, value: conn.scalar(select(getattr(func, verb)(ust, name, type_coerce(value, JSONB)))),
            lambda ust, name: conn.scalar(select(func.sso_attr_get(ust, name, type_=JSONB))),
            lambda ust, name, value: conn.scalar(text("SELECT sso_attr_set(:ust, :name, :value)"), {"ust": ust, "name": name, "value": value}),
        )
    await engine.dispose()


asyncio.run(main())
