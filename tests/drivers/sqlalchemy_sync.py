"""SQLAlchemy over psycopg 3 as its users write it; docs/drivers.md shows the first calls."""

import asyncio

from sqlalchemy import create_engine, func, select, text, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from values import store

engine = create_engine("postgresql+psycopg://", hide_parameters=True, isolation_level="AUTOCOMMIT")
with engine.connect() as conn:
    ust = conn.scalar(select(func.sso_session_create("ann", "shop")))
    conn.execute(select(func.sso_attr_set_json(ust, "cart", type_coerce({"items": [1, 2]}, JSONB))))
    try:
        conn.execute(select(func.sso_attr_update_json(ust, "crat", type_coerce(1, JSONB))))
    except DBAPIError as error:
        print(error.orig.diag.message_detail)  # Missing: "crat".
    load = text("SELECT user_id, attributes FROM sso_session_load(:ust)")
    session = conn.execute(load, {"ust": ust}).one_or_none()
    conn.execute(select(func.sso_session_save(ust, type_coerce({"paid": True}, JSONB), ["cart"])))

    assert tuple(session) == ("ann", {"cart": {"items": [1, 2]}})

    asyncio.run(store(
        lambda: conn.scalar(select(func.sso_session_create())),
        lambda verb, ust, name, value: conn.scalar(select(getattr(func, verb)(ust, name, type_coerce(value, JSONB)))),
        lambda ust, name: conn.scalar(select(func.sso_attr_get(ust, name, type_=JSONB))),
        lambda ust, name, value: conn.scalar(text("SELECT sso_attr_set(:ust, :name, :value)"), {"ust": ust, "name": name, "value": value}),
    ))
