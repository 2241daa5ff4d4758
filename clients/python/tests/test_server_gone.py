"""A server that goes away, before a call and in the middle of one."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from support import Both, administrator, done, wait_until

import sso_attr
from sso_attr import AsyncSsoAttr, SsoAttr


class ServerGone(Both):
    # So that this client's connections can be told from others.
    name = "a client whose server goes away"
    source = f"application_name='{name}'"

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.other = administrator()
        self.addCleanup(self.other.close)

    def backends(self, condition: str = "true") -> int:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND {condition}"
        (count,) = self.other.execute(query.encode(), (self.name,)).fetchone() or (0,)
        return int(count)

    def terminate(self) -> int:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
        return self.other.execute(query, (self.name,)).rowcount

    async def in_the_middle(self, session: Any, call: Any) -> None:
        """Ends the connection while the call waits for a lock on one of its rows."""
        with administrator() as holder, holder.transaction():
            holder.execute("SELECT sso_attr_set(%s, 'b', 'held')", (session.ust,))
            # In a thread, as this one has to end what the other one waits for.
            running = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(self.result(session, call))))
            await asyncio.to_thread(
                wait_until, "the call waits", lambda: self.backends("wait_event_type = 'Lock'") == 1
            )
            self.terminate()
            with self.assertRaises(sso_attr.ServerGone) as raised:
                await running
            self.assertIsInstance(raised.exception.__cause__, psycopg.OperationalError)
            raise psycopg.Rollback

    async def result(self, session: Any, call: Any) -> None:
        async with self.fresh(self.source) as sso:
            await done(call(sso.session(session.ust)))

    async def test_nothing_is_half_written(self) -> None:
        session = await self.session()
        before = {"a": 1, "b": 1, "c": 1}
        await done(session.save(before))
        data = [{"name": name, "value": 2} for name in "abc"]
        for call in (
            lambda s: s.attr.update_many(data),
            lambda s: s.attr.set_many([*data, {"name": "d", "value": 2}]),
            lambda s: s.attr.delete_many(["a", "b", "c"]),
            lambda s: s.save({"a": 2, "b": 2, "d": 2}, ["c"]),
            lambda s: s.attr.update("b", 2),
        ):
            await self.in_the_middle(session, call)
            self.assertEqual(await done(session.attr.to_dict()), before)

    async def test_a_connection_that_was_lost_while_idle_is_replaced_before_the_next_call(self) -> None:
        session = await self.session()
        self.assertGreater(self.terminate(), 0)
        self.assertIs(await done(session.verify()), True)

    async def test_a_server_that_is_not_there(self) -> None:
        async with self.fresh("host=/nowhere port=1", timeout=0.3) as sso:
            with self.assertRaisesRegex(sso_attr.ServerGone, "in time"):
                await done(sso.sessions.open())

    async def test_a_transaction_that_is_cut_off_is_rolled_back(self) -> None:
        session = await self.session()
        await done(session.attr.set("a", 1))
        with self.assertRaises(sso_attr.ServerGone):
            async with self.transaction(self.sso) as (inside, _):
                await done(inside.session(session.ust).attr.set("a", 2))
                self.terminate()
                await done(inside.session(session.ust).attr.set("b", 2))
        self.assertEqual(await done(session.attr.to_dict()), {"a": 1})


class ServerGoneSync(ServerGone):
    client = SsoAttr


class ServerGoneAsync(ServerGone):
    client = AsyncSsoAttr


del Both, ServerGone
