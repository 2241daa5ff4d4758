"""A pool or a connection of the application's own: its transaction, its settings, and what is refused in it."""

from __future__ import annotations

import tempfile
import unittest
import uuid
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from support import Both, administrator, done

import sso_attr
from sso_attr import AsyncSsoAttr, SsoAttr


class Transactions(Both):
    async def test_calls_and_statements_are_rolled_back_together(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", 1))
        with self.assertRaises(ZeroDivisionError):
            async with self.transaction(self.sso) as (inside, connection):
                await done(inside.session(session.ust).attr.set("a", 2))
                await done(connection.execute("CREATE TABLE never ()"))
                raise ZeroDivisionError
        self.assertEqual(await done(session.attr.get("a")), 1)
        with administrator() as other:
            self.assertEqual(other.execute("SELECT to_regclass('never')").fetchone(), (None,))

    async def test_they_are_committed_together(self) -> None:
        session = await self.session()
        async with self.transaction(self.sso) as (inside, _):
            await done(inside.session(session.ust).attr.set("a", 2))
            self.assertIsNone(await done(session.attr.get("a")))
        self.assertEqual(await done(session.attr.get("a")), 2)

    async def test_errors_of_own_statements_are_the_drivers(self) -> None:
        with self.assertRaises(psycopg.errors.DivisionByZero):
            async with self.transaction(self.sso) as (_, connection):
                await done(connection.execute("SELECT 1/0"))

    async def test_a_login_has_a_transaction_of_its_own(self) -> None:
        """Otherwise a rollback of what the refusal is raised in would take the count of failures back."""
        name = f"user {uuid.uuid4()}"
        await done(self.sso.users.create(name, "password 1"))
        for call in "login", "verify":
            with self.assertRaisesRegex(sso_attr.BadArgument, "transaction of its own"):
                async with self.transaction(self.sso) as (inside, _):
                    await done(getattr(inside.users, call)(name, "wrong"))

    async def test_a_refusal_is_counted_on_a_connection_that_does_not_commit_by_itself(self) -> None:
        name = f"user {uuid.uuid4()}"
        await done(self.sso.users.create(name, "password 1"))
        connection: Any
        if self.client is SsoAttr:
            connection = psycopg.connect()
        else:
            connection = await psycopg.AsyncConnection.connect()
        given = self.client(connection)
        with self.assertRaises(sso_attr.LoginRefused):
            await done(given.users.login(name, "wrong"))
        await done(connection.rollback())
        await done(connection.close())
        (user,) = [user for user in await done(self.sso.users.list()) if user.username == name]
        self.assertEqual(user.failures, 1)


class TransactionsSync(Transactions):
    client = SsoAttr


class TransactionsAsync(Transactions):
    client = AsyncSsoAttr


class Given(unittest.IsolatedAsyncioTestCase):
    def test_a_connection(self) -> None:
        with psycopg.connect() as connection:
            with SsoAttr(connection) as sso:
                session = sso.sessions.open()
                session["a"] = 1
            self.assertFalse(connection.closed)
            connection.rollback()
            self.assertIs(session.verify(), False)

    def test_a_pool(self) -> None:
        with ConnectionPool(min_size=1, open=True) as pool:
            with SsoAttr(pool) as sso:
                ust = sso.sessions.open().ust
            self.assertFalse(pool.closed)
            self.assertIs(SsoAttr(pool).session(ust).verify(), True, "it was not committed")

    async def test_a_pool_for_asyncio(self) -> None:
        async with AsyncConnectionPool(min_size=1, open=False) as pool:
            async with AsyncSsoAttr(pool) as sso:
                ust = (await sso.sessions.open()).ust
            self.assertFalse(pool.closed)
            self.assertIs(await AsyncSsoAttr(pool).session(ust).verify(), True, "it was not committed")

    def test_its_settings_change_nothing(self) -> None:
        with (
            psycopg.connect(autocommit=True, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as connection,
            administrator() as other,
        ):
            set_json_loads(lambda text: 1 / 0, connection)
            session = SsoAttr(connection).sessions.open("ann")
            session["a"] = {"b": 1}
            self.assertEqual((session["a"], list(session), session.info().user_id), ({"b": 1}, ["a"], "ann"))
            query = "SELECT query FROM pg_stat_activity WHERE pid = %s"
            row = other.execute(query, (connection.info.backend_pid,)).fetchone()
            assert row is not None
            self.assertRegex(row[0], r"\$1::text")
            self.assertNotIn(session.ust, row[0])

    def test_a_schema_that_is_not_in_the_search_path(self) -> None:
        with administrator() as other:
            query = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'sso_attr'"
            (schema,) = other.execute(query).fetchone() or ("",)
        with SsoAttr("options='-c search_path=pg_catalog'") as sso, self.assertRaises(sso_attr.NotInstalled):
            sso.sessions.open()
        with SsoAttr("options='-c search_path=pg_catalog'", schema=schema) as sso:
            self.assertIs(sso.sessions.open().verify(), True)
        with SsoAttr(schema='per%cent "quoted"') as sso, self.assertRaisesRegex(sso_attr.NotInstalled, 'per%cent "quo'):
            sso.sessions.open()

    def test_a_call_is_one_round_trip(self) -> None:
        with SsoAttr(max_size=1) as sso, tempfile.TemporaryFile("w+") as messages:
            session = sso.sessions.open()
            with sso.transaction() as (_, connection):
                connection.pgconn.trace(messages.fileno())
            session.attr.create("a", 1)
            session.load()
            session.save({"b": 2}, ["a"])
            connection.pgconn.untrace()
            messages.seek(0)
            sent = [line.split("\t")[3].split()[0] for line in messages if "\tF\t" in line]
        # The first one ends the transaction in which the tracing began.
        self.assertEqual(sent[1:], ["Parse", "Bind", "Describe", "Execute", "Sync"] * 3)

    def test_a_closed_client_says_so(self) -> None:
        sso = SsoAttr()
        ust = sso.sessions.open().ust
        sso.close()
        with self.assertRaisesRegex(sso_attr.ServerGone, "closed"):
            sso.session(ust).verify()


del Both, Transactions
