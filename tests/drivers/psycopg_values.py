"""Stores values by psycopg 3 as its users write it; docs/drivers.md shows these calls."""

from decimal import Decimal

import psycopg
from psycopg.types.json import Jsonb

with psycopg.connect("dbname=postgres") as conn:

    def call(sql, *args):
        return conn.execute(sql, args).fetchone()[0]

    ust = call("SELECT sso_session_create(%s, %s)", "ann", "psycopg")

    # A str goes untyped and is stored as a string; an object needs Jsonb.
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "string", '{"not": "an object"}')
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "object", Jsonb({"a": [1, None]}))
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "number", 42)
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "digits", Decimal("1" * 40 + ".5"))
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "boolean", True)
    call("SELECT sso_attr_create(%s, %s, %s)", ust, "null", None)

    # None for expiration and encrypt leaves both as they are.
    call("SELECT sso_attr_update(%s, %s, %s, %s, %s)", ust, "number", 43, None, None)
    call("SELECT sso_attr_update(%s, %s, %s, expiration => %s, encrypt => %s)", ust, "string", "blue", 900, True)

    # A batch is one Jsonb, names are a list.
    call("SELECT sso_attr_update_many(%s, %s)", ust, Jsonb([{"name": "number", "value": 44}, {"name": "null", "value": ""}]))
    assert call("SELECT sso_attr_get_many(%s, %s)", ust, ["number", "gone"]) == {"number": 44, "gone": None}
    assert call("SELECT sso_attr_get_text(%s, %s)", ust, "string") == "blue"

    try:
        with conn.transaction():
            call("SELECT sso_attr_update(%s, %s, %s)", ust, "nmuber", 1)
    except psycopg.errors.NoDataFound as error:
        assert error.sqlstate == "P0002" and "nmuber" in error.diag.message_detail
    else:
        raise AssertionError("a missing name was updated")

    print(call("SELECT sso_attr_get_all(%s)::text", ust))
