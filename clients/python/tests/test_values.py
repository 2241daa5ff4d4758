"""What is stored is what was given, digit for digit; what JSON cannot hold is refused before anything is sent."""

from __future__ import annotations

import enum
import json
import unittest
import unittest.mock
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from support import administrator

import sso_attr
from sso_attr import SsoAttr


class Color(str, enum.Enum):
    BLUE = "blue"


class Size(enum.IntEnum):
    BIG = 3


# Each with the JSON text that PostgreSQL holds of it.
STORED: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (0, "0"),
    (-7, "-7"),
    (2**63, "9223372036854775808"),
    (10**4000, str(10**4000)),
    (1.5, "1.5"),
    (1.0, "1.0"),
    (0.1, "0.1"),
    (1e-7, "0.0000001"),
    (5e-324, "0." + "0" * 323 + "5"),
    (Decimal("1.50"), "1.50"),
    (Decimal("0.10000000000000000000001"), "0.10000000000000000000001"),
    (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
    (Decimal("1" + "0" * 5000), "1" + "0" * 5000),
    ("", '""'),
    ("42", '"42"'),
    ("žluťoučký 🐎 \u2028 \\ ' \" %s $1 \x7f", '"žluťoučký 🐎 \u2028 \\\\ \' \\" %s $1 \x7f"'),
    ([], "[]"),
    ([1, None, ["x", True], {"a": []}], '[1, null, ["x", true], {"a": []}]'),
    ({}, "{}"),
    ({"a": {"b": None}}, '{"a": {"b": null}}'),
]

# Each with what is read back in its place: equal, of another type.
NEARLY: list[tuple[Any, Any]] = [
    ((1, 2), [1, 2]),
    (Color.BLUE, "blue"),
    (Size.BIG, 3),
    (Decimal("0.5"), 0.5),
    (Decimal("3"), 3),
    (1e22, 10**22),
]

REFUSED: list[Any] = [
    float("nan"),
    float("inf"),
    Decimal("NaN"),
    Decimal("-Infinity"),
    Decimal("1E+200000"),
    Decimal("1E-20000"),
    10**5000,
    "half \ud800",
    "NUL \x00",
    b"bytes",
    bytearray(b"bytes"),
    datetime.now(timezone.utc),
    date.today(),
    uuid4(),
    {1, 2},
    PurePath("/"),
    object(),
    range(3),
    {1: "a"},
    {None: "a"},
    {("a",): "a"},
    {"half \udfff": 1},
]


class Values(unittest.TestCase):
    def setUp(self) -> None:
        self.sso = SsoAttr()
        self.addCleanup(self.sso.close)
        self.session = self.sso.sessions.open()

    def stored(self) -> str:
        with administrator() as connection:
            row = connection.execute(
                "SELECT value::text FROM sso_attr.attribute WHERE session_id = %s", (self.session.info().session_id,)
            ).fetchone()
        assert row is not None
        return str(row[0])

    def same(self, given: Any, found: Any) -> None:
        # As reprs, because 1, 1.0, True and Decimal(1) are equal.
        self.assertEqual(repr(found), repr(given))

    def test_a_value_is_stored_and_read_as_given(self) -> None:
        for value, text in STORED:
            with self.subTest(str(value)[:40]):
                for wrapped, inside in ((value, text), ([value], f"[{text}]"), ({"k": value}, f'{{"k": {text}}}')):
                    self.session.attr.set("a", wrapped)
                    self.assertEqual(self.stored(), inside)
                    self.same(wrapped, self.session.attr.get("a"))
                self.session.attr.set_many([{"name": "a", "value": value}])
                self.same({"a": value}, self.session.attr.get_many(["a"]))
                self.session.save({"a": value})
                self.same({"a": value}, self.session.attr.to_dict())

    def test_a_value_of_another_type_is_read_as_an_equal_one(self) -> None:
        for value, found in NEARLY:
            with self.subTest(value):
                self.session.attr.set("a", value)
                self.same(found, self.session.attr.get("a"))

    def test_what_json_cannot_hold_is_refused(self) -> None:
        self.session.attr.set("a", "before")
        for value in REFUSED:
            for inside in (value, [[value]], {"k": value}):
                with self.subTest(type(value)):
                    for call in (
                        lambda inside=inside: self.session.attr.set("a", inside),
                        lambda inside=inside: self.session.attr.update_many([{"name": "a", "value": inside}]),
                        lambda inside=inside: self.session.save({"a": inside}),
                        lambda inside=inside: self.session.attr.compare_and_set("a", inside, 1),
                    ):
                        with self.assertRaises(sso_attr.BadArgument) as raised:
                            call()
                        self.assertIsNone(raised.exception.sqlstate, "the server was asked")
        self.assertEqual(self.session.attr.to_dict(), {"a": "before"})

    def test_a_value_that_is_too_deep_is_refused(self) -> None:
        circle: list[Any] = []
        circle.append(circle)
        with self.assertRaises(sso_attr.TooLong):
            self.session.attr.set("a", circle)

    def test_a_value_that_python_cannot_read_is_an_error_of_its_own(self) -> None:
        with administrator() as connection:
            deep = "[" * 3000 + "]" * 3000
            connection.execute("SELECT sso_attr_set_json(%s, 'a', %s)", (self.session.ust, deep))
        with self.assertRaises(sso_attr.TooLong):
            self.session.attr.get("a")

    def test_names_are_checked_too(self) -> None:
        attr = self.session.attr
        for name in ("", "half \ud800", "NUL \x00", None, 1, b"a"):
            with self.subTest(name), self.assertRaises(sso_attr.BadArgument):
                attr.set(name, 1)  # type: ignore[arg-type]
        with self.assertRaises(sso_attr.TooLong):
            attr.set("n" * 256, 1)
        for names in ("abc", None, [1], [None], ["\x00"]):
            with self.subTest(names), self.assertRaises(sso_attr.BadArgument):
                attr.get_many(names)  # type: ignore[arg-type]

    def test_a_bad_item_is_named(self) -> None:
        attr = self.session.attr
        good = {"name": "a", "value": 1}
        for data, says in (
            ([good, 1], "item 1"),
            ([good, {"name": "b"}], "item 1"),
            ([{"name": 1, "value": 1}], "item 0"),
            ([{**good, "encrypted": True}], "encrypted"),
            ([{**good, "encrypt": "yes"}], "encrypt"),
            ({"a": 1}, "dict"),
            ("a", "str"),
            (None, "NoneType"),
        ):
            with self.subTest(says), self.assertRaisesRegex(sso_attr.BadArgument, says):
                attr.set_many(data)  # type: ignore[arg-type]
        self.assertEqual(attr.to_dict(), {})

    def test_texts_do_not_depend_on_the_environment(self) -> None:
        with unittest.mock.patch.dict("os.environ", PGCLIENTENCODING="LATIN1"), SsoAttr() as sso:
            session = sso.session(self.session.ust)
            session["ř"] = "🐎"
            self.assertEqual(session.load().attributes, {"ř": "🐎"})  # type: ignore[union-attr]

    def test_json_text_is_what_python_would_write(self) -> None:
        from sso_attr.values import dumps, loads

        for value, _ in STORED:
            if not isinstance(value, Decimal):
                self.assertEqual(dumps(value), json.dumps(value, ensure_ascii=False))
                self.same(value, loads(dumps(value)))
