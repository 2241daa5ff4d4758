"""pg8000 as its users write it; docs/drivers.md shows the first calls."""

import asyncio
import json
import os

import pg8000.native

from values import store

conn = pg8000.native.Connection("postgres", database="postgres", unix_sock=os.environ["PGHOST"] + "/.s.PGSQL.5432")
[[ust]] = conn.run("SELECT sso_session_create(:user, :app)", user="ann", app="shop")
conn.run("SELECT sso_attr_set_json(:ust, :name, :value)", ust=ust, name="cart", value=json.dumps({"items": [1, 2]}))
try:
    conn.run("SELECT sso_attr_update_json(:ust, :name, :value)", ust=ust, name="crat", value=json.dumps(1))
except pg8000.native.DatabaseError as error:
    assert error.args[0]["C"] == "P0002"
    print(error.args[0]["D"])  # Missing: "crat".
[[user, attributes]] = conn.run("SELECT user_id, attributes FROM sso_session_load(:ust)", ust=ust)
conn.run("SELECT sso_session_save(:ust, :changed, :removed)", ust=ust, changed=json.dumps({"paid": True}), removed=["cart"])

assert (user, attributes) == ("ann", {"cart": {"items": [1, 2]}})


def call(sql, **args):
    return conn.run(sql, **args)[0][0]


asyncio.run(store(
    lambda: call("SELECT sso_session_create()"),
    lambda verb, ust, name, value: call(f"SELECT {verb}(:ust, :name, :value)", ust=ust, name=name, value=json.dumps(value)),
    lambda ust, name: call("SELECT sso_attr_get(:ust, :name)", ust=ust, name=name),
    lambda ust, name, value: call("SELECT sso_attr_set(:ust, :name, :value)", ust=ust, name=name, value=value),
))
