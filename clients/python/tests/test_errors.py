"""Each error as the server really raises it: its class, its cause, and no secret in its text."""

from __future__ import annotations

import traceback
import unittest
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
from support import Both, administrator, done, wait_until

import sso_attr
from sso_attr import AsyncSsoAttr, SsoAttr
from sso_attr.errors import STATES

SECRET = "the-value-that-nobody-else-may-see"


class Errors(Both):
    async def raised(self, kind: type[sso_attr.SsoAttrError], call: Callable[[], Any], sqlstate: str | None) -> Any:
        with self.assertRaises(kind) as raised:
            await done(call())
        error = raised.exception
        self.assertIs(type(error), kind)
        self.assertEqual(error.sqlstate, sqlstate)
        if sqlstate is not None:
            self.assertIsInstance(error.__cause__, psycopg.Error)
        text = "".join(traceback.format_exception(error)) + str(error) + repr(error)
        self.assertNotIn(SECRET, text)
        self.assertNotRegex(text, r"sso_[A-Za-z0-9_-]{40}")
        return error

    async def test_session_not_live(self) -> None:
        gone = await self.session()
        await done(gone.end())
        await self.raised(sso_attr.SessionNotLive, lambda: gone.attr.set("a", SECRET), "28000")

    async def test_attributes_missing_and_there(self) -> None:
        attr = (await self.session()).attr
        await done(attr.create("a", SECRET))
        await self.raised(sso_attr.AttributeExists, lambda: attr.create("a", SECRET), "23505")
        await self.raised(sso_attr.AttributeMissing, lambda: attr.update("b", SECRET), "P0002")
        twice = [{"name": "b", "value": SECRET}, {"name": "b", "value": 1}]
        error = await self.raised(sso_attr.AttributeExists, lambda: attr.create_many(twice), "23505")
        self.assertEqual(error.names, ("b",))

    async def test_names_that_are_long_strange_or_many(self) -> None:
        attr = (await self.session()).attr
        long, twin = "x" * 200, "x" * 64
        strange = ['"', "a, b", "\\", "é" * 70, 'a" and 7 more.', "line\nend", "..."]
        sent = [long, *strange]
        error = await self.raised(
            sso_attr.AttributeMissing, lambda: attr.update_many([{"name": n, "value": 0} for n in sent]), "P0002"
        )
        self.assertEqual((error.names, error.unlisted), (tuple(sorted(sent, key=str.encode)), 0))
        # Which of two that begin alike is meant cannot be told once they are cut.
        await done(attr.set(long, 0))
        sent = [long, long + "y", twin]
        error = await self.raised(
            sso_attr.AttributeMissing, lambda: attr.update_many([{"name": n, "value": 0} for n in sent]), "P0002"
        )
        self.assertEqual((error.names, error.unlisted), ((twin,), 1))
        many = [f"{n:04}" for n in range(1234)]
        error = await self.raised(
            sso_attr.AttributeMissing, lambda: attr.update_many([{"name": n, "value": 0} for n in many]), "P0002"
        )
        self.assertEqual((error.names, error.unlisted), (tuple(many[:100]), 1134))
        self.assertTrue(str(error).endswith('"0099" and 1134 more'), str(error))

    async def test_bad_argument_and_too_long(self) -> None:
        attr = (await self.session()).attr
        await self.raised(sso_attr.BadArgument, lambda: attr.set("a", SECRET, -1), "22023")
        await self.raised(sso_attr.BadArgument, lambda: attr.set("a", {SECRET: {1, SECRET}}), None)
        await self.raised(sso_attr.BadArgument, lambda: attr.set("a", [SECRET + "\ud800"]), None)
        await self.raised(sso_attr.BadArgument, lambda: attr.set("a", {SECRET + "\x00": 1}), None)
        await self.raised(sso_attr.TooLong, lambda: attr.set("a", SECRET * 40_000), "54000")
        await done(attr.set("n", Decimal("9E+131071")))
        await self.raised(sso_attr.BadArgument, lambda: attr.increment("n", Decimal("9E+131071")), "22003")

    async def test_no_keyring(self) -> None:
        attr = (await self.session()).attr
        with administrator() as connection:
            connection.execute("ALTER SYSTEM SET sso_attr.keyring_file = ''")
            try:
                connection.execute("SELECT pg_reload_conf()")
                wait_until(
                    "the server has no keyring",
                    lambda: connection.execute("SELECT current_setting('sso_attr.keyring_file')").fetchone() == ("",),
                )
                async with self.fresh() as sso:
                    there = sso.session(attr.ust).attr
                    await self.raised(sso_attr.NoKeyring, lambda: there.set("a", SECRET, encrypt=True), "55000")
            finally:
                connection.execute("ALTER SYSTEM RESET sso_attr.keyring_file")
                connection.execute("SELECT pg_reload_conf()")
                wait_until(
                    "the server has its keyring",
                    lambda: connection.execute("SELECT current_setting('sso_attr.keyring_file')").fetchone() != ("",),
                )

    async def test_corrupted(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", SECRET, encrypt=True))
        with administrator() as connection:
            connection.execute(
                "UPDATE sso_attr.attribute SET sealed = set_byte(sealed, 50, get_byte(sealed, 50) # 1) "
                "WHERE session_id = %s",
                ((await done(session.info())).session_id,),
            )
        await self.raised(sso_attr.Corrupted, lambda: session.attr.get("a"), "XX001")

    async def test_not_allowed(self) -> None:
        role = f"stranger_{uuid.uuid4().hex}"
        with administrator() as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN".encode())
            self.addCleanup(self.drop, role)
        session = await self.session()
        async with self.fresh(f"user={role}") as sso:
            there = sso.session(session.ust)
            await self.raised(sso_attr.NotAllowed, lambda: there.attr.set("a", SECRET), "42501")

    def drop(self, role: str) -> None:
        with administrator() as connection:
            connection.execute(f"DROP ROLE {role}".encode())

    async def test_not_installed(self) -> None:
        session = await self.session()
        async with self.fresh("dbname=template1") as sso:
            there = sso.session(session.ust)
            await self.raised(sso_attr.NotInstalled, lambda: there.attr.set("a", SECRET), "42883")
        async with self.fresh(schema="no such schema") as sso:
            elsewhere = sso.session(session.ust)
            await self.raised(sso_attr.NotInstalled, lambda: elsewhere.attr.set("a", SECRET), "3F000")

    async def test_try_again(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", 1))
        isolated = "options='-c default_transaction_isolation=repeatable\\\\ read'"
        async with self.fresh(isolated) as sso, self.transaction(sso) as (inside, _):
            there = inside.session(session.ust).attr
            await done(there.get("a"))
            await done(session.attr.set("a", 2))
            await self.raised(sso_attr.TryAgain, lambda: there.set("a", SECRET), "40001")

    async def test_cancelled(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", 1))
        with administrator() as connection, connection.transaction():
            connection.execute("SELECT sso_attr_set(%s, 'a', 2)", (session.ust,))
            async with self.fresh("options='-c statement_timeout=200ms'") as sso:
                there = sso.session(session.ust).attr
                await self.raised(sso_attr.Cancelled, lambda: there.set("a", SECRET), "57014")

    async def test_refused_logins_look_alike(self) -> None:
        name = f"user {uuid.uuid4()}"
        await done(self.sso.users.create(name, SECRET))
        wrong = await self.raised(sso_attr.LoginRefused, lambda: self.sso.users.login(name, SECRET + "?"), None)
        nobody = await self.raised(sso_attr.LoginRefused, lambda: self.sso.users.login("nobody", SECRET), None)
        self.assertEqual(repr(wrong), repr(nobody))
        self.assertIsNone(wrong.__cause__)

    async def test_no_repr_shows_a_token_or_a_value(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", SECRET))
        shown = [session, session.attr, await done(session.info()), await done(session.load())]
        for thing in (*shown, await done(session.attr.list())):
            self.assertNotIn(SECRET, repr(thing) + str(thing))
            self.assertNotIn(session.ust, repr(thing) + str(thing))


class ErrorsSync(Errors):
    client = SsoAttr


class ErrorsAsync(Errors):
    client = AsyncSsoAttr


class Described(unittest.TestCase):
    def test_a_call_does_not_show_its_parameters(self) -> None:
        from sso_attr import calls

        self.assertNotIn(SECRET, repr(calls.set_(SECRET, "a", SECRET)))

    def test_every_error_of_the_reference_has_a_class(self) -> None:
        self.assertLessEqual(
            {"28000", "P0002", "23505", "22023", "22021", "54000", "55000", "XX001", "40001", "42501", "57014"},
            set(STATES),
        )

    def test_a_connection_string_that_cannot_be_read_is_not_repeated(self) -> None:
        for client in SsoAttr, AsyncSsoAttr:
            for dsn in f"host=x {SECRET}", f"postgresql://ann:{SECRET}@[::1":
                with self.assertRaises(sso_attr.BadArgument) as raised:
                    client(dsn)
                self.assertNotIn(SECRET, "".join(traceback.format_exception(raised.exception)))


del Both, Errors
