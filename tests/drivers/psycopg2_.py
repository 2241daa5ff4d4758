"""psycopg2 as its users write it; docs/drivers.md shows the first calls."""

import asyncio

import psycopg2
from psycopg2.errors import NoDataFound
from psycopg2.extras import Json

from values import store

conn = psycopg2.connect("")
conn.autocommit = True
cursor = conn.cursor()
cursor.execute("SELECT sso_session_create(%s, %s)", ("ann", "shop"))
ust, = cursor.fetchone()
cursor.execute("SELECT sso_attr_set_json(%s, %s, %s)", (ust, "cart", Json({"items": [1, 2]})))
try:
    cursor.execute("SELECT sso_attr_update_json(%s, %s, %s)", (ust, "crat", Json(1)))
except NoDataFound as error:
    print(error.diag.message_detail)  # Missing: "crat".
cursor.execute("SELECT user_id, attributes FROM sso_session_load(%s)", (ust,))
user, attributes = cursor.fetchone()
cursor.execute("SELECT sso_session_save(%s, %s, %s)", (ust, Json({"paid": True}), ["cart"]))

assert (user, attributes) == ("ann", {"cart": {"items": [1, 2]}})


def call(sql, *args):
    cursor.execute(sql, args)
    return cursor.fetchone()[0]


asyncio.run(store(
    lambda: call("SELECT sso_session_create()"),
    lambda verb, ust, name, value: call(f"SELECT {verb}(%s, %s, %s)", ust, name, Json(value)),
    lambda ust, name: call("SELECT sso_attr_get(%s, %s)", ust, name),
    lambda ust, name, value: call("SELECT sso_attr_set(%s, %s, %s)", ust, name, value),
))
