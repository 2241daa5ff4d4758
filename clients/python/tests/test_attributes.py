"""Every verb of a session, by both clients: what it does, what it returns, which error it raises."""

from __future__ import annotations

import asyncio
import unittest
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from support import Both, done

import sso_attr
from sso_attr import AsyncSsoAttr, SsoAttr


class Attributes(Both):
    async def test_create_and_update(self) -> None:
        attr = (await self.session()).attr
        self.assertIs(await done(attr.create("a", 1)), True)
        self.assertIs(await done(attr.update("a", {"b": [None]})), True)
        self.assertEqual(await done(attr.get("a")), {"b": [None]})
        with self.assertRaises(sso_attr.AttributeExists) as raised:
            await done(attr.create("a", 2))
        self.assertEqual((raised.exception.names, raised.exception.unlisted), (("a",), 0))
        with self.assertRaises(sso_attr.AttributeMissing) as missing:
            await done(attr.update("b", 1))
        self.assertEqual(missing.exception.names, ("b",))
        self.assertEqual(str(missing.exception), 'attribute does not exist: "b"')

    async def test_set_says_whether_it_created(self) -> None:
        attr = (await self.session()).attr
        self.assertEqual([await done(attr.set("a", value)) for value in (1, None)], [True, False])

    async def test_null_is_a_value_and_absence_is_not(self) -> None:
        attr = (await self.session()).attr
        await done(attr.set("null", None))
        self.assertIsNone(await done(attr.get("null", default="default")))
        self.assertEqual(await done(attr.get("absent", default="default")), "default")
        self.assertIsNone(await done(attr.take("null", default="default")))
        self.assertEqual(await done(attr.take("null", default="default")), "default")

    async def test_compare_and_set_and_increment(self) -> None:
        attr = (await self.session()).attr
        await done(attr.set("a", {"b": 1}))
        self.assertIs(await done(attr.compare_and_set("a", {"b": 2}, 0)), False)
        self.assertIs(await done(attr.compare_and_set("a", {"b": 1}, 0)), True)
        self.assertEqual(await done(attr.increment("a", 2)), 2)
        self.assertEqual(await done(attr.increment("a", Decimal("0.25"))), 2.25)
        self.assertEqual(await done(attr.increment("new", 7, timedelta(minutes=1))), 7)
        with self.assertRaises(sso_attr.BadArgument):
            await done(attr.increment("a", float("nan")))

    async def test_exists_names_delete(self) -> None:
        attr = (await self.session()).attr
        await done(attr.set_many({"name": name, "value": 0} for name in ("b", "a", "é")))
        self.assertEqual(await done(attr.names()), ["a", "b", "é"])
        self.assertIs(await done(attr.exists("b")), True)
        self.assertIs(await done(attr.delete("b")), True)
        self.assertIs(await done(attr.delete("b")), False)
        self.assertEqual(await done(attr.exists_many(["a", "b"])), {"a": True, "b": False})
        self.assertEqual(await done(attr.delete_many(["a", "b"])), 1)
        self.assertEqual(await done(attr.to_dict()), {"é": 0})

    async def test_a_batch_is_all_or_nothing_and_names_all_that_are_missing(self) -> None:
        attr = (await self.session()).attr
        await done(attr.create_many([{"name": "a", "value": 1}, {"name": "b", "value": 2, "encrypt": True}]))
        with self.assertRaises(sso_attr.AttributeMissing) as missing:
            await done(attr.update_many([{"name": name, "value": 9} for name in ("z", "a", "y", "b")]))
        self.assertEqual((missing.exception.names, missing.exception.unlisted), (("y", "z"), 0))
        with self.assertRaises(sso_attr.AttributeExists) as existing:
            await done(attr.create_many([{"name": name, "value": 9} for name in ("c", "b", "a")]))
        self.assertEqual(existing.exception.names, ("a", "b"))
        with self.assertRaises(sso_attr.AttributeMissing):
            await done(attr.expiration_many([{"name": "a"}, {"name": "c"}], 60))
        self.assertEqual(await done(attr.get_many(["a", "b", "c"])), {"a": 1, "b": 2, "c": None})
        self.assertEqual(await done(attr.update_many([])), 0)

    async def test_an_update_leaves_protection_and_end_as_they_are(self) -> None:
        attr = (await self.session(expiration=3600)).attr
        await done(attr.create("a", 1, 60, True))
        await done(attr.create_many([{"name": "b", "value": 1}], timedelta(seconds=60), True))
        before = {a.name: a.expires_at for a in await done(attr.list())}
        await done(attr.update("a", 2))
        await done(attr.update_many([{"name": "b", "value": 2}]))
        await done(attr.set("a", 3))
        await done(attr.set_many([{"name": "b", "value": 3}]))
        after = await done(attr.list())
        self.assertEqual({a.name: a.expires_at for a in after}, before)
        self.assertTrue(all(a.created_at < a.updated_at < a.expires_at for a in after))
        self.assertEqual([(a.name, a.value, a.encrypted) for a in after], [("a", 3, True), ("b", 3, True)])
        await done(attr.update("a", 4, encrypt=False))
        self.assertEqual([a.encrypted for a in await done(attr.list())], [False, True])

    async def test_expirations(self) -> None:
        attr = (await self.session()).attr
        await done(attr.create_many([{"name": "a", "value": 1, "expiration": timedelta(minutes=1)}]))
        await done(attr.create("b", 1, Decimal("60.5")))
        for attribute in await done(attr.list()):
            self.assertLess(attribute.expires_at, datetime.now(timezone.utc) + timedelta(minutes=2))
        await done(attr.update_many([{"name": "a", "value": 1, "expiration": float("inf")}]))
        await done(attr.expiration("b", None))
        self.assertEqual([a.expires_at for a in await done(attr.list())], [None, None])
        await done(attr.expiration_many([{"name": "b", "expiration": 1e12}], 60))
        self.assertIsNone((await done(attr.list()))[1].expires_at, "Python has no time after the year 9999")
        for refused in (0, -1, float("nan"), timedelta(0), "60", True, 10**400):
            with self.subTest(refused), self.assertRaises(sso_attr.BadArgument):
                await done(attr.expiration("a", refused))

    async def test_a_session_that_has_ended_is_not_live_for_any_verb(self) -> None:
        session = await self.session()
        self.assertIs(await done(session.end()), True)
        self.assertIs(await done(session.end()), False)
        self.assertIs(await done(session.verify()), False)
        self.assertIsNone(await done(session.load()))
        attr, data = session.attr, [{"name": "a", "value": 1}]
        verbs: list[Callable[[], Any]] = [
            lambda: attr.create("a", 1),
            lambda: attr.update("a", 1),
            lambda: attr.set("a", 1),
            lambda: attr.compare_and_set("a", 1, 1),
            lambda: attr.increment("a"),
            lambda: attr.get("a"),
            lambda: attr.take("a"),
            lambda: attr.exists("a"),
            lambda: attr.names(),
            lambda: attr.list(),
            lambda: attr.to_dict(),
            lambda: attr.delete("a"),
            lambda: attr.expiration("a"),
            lambda: attr.create_many(data),
            lambda: attr.update_many(data),
            lambda: attr.set_many(data),
            lambda: attr.get_many(["a"]),
            lambda: attr.exists_many(["a"]),
            lambda: attr.delete_many(["a"]),
            lambda: attr.expiration_many([{"name": "a"}]),
            lambda: session.info(),
            lambda: session.save({}),
            lambda: session.renew(),
            lambda: session.rotate(),
        ]
        for verb in verbs:
            with self.assertRaises(sso_attr.SessionNotLive):
                await done(verb())

    async def test_no_text_is_a_token_that_is_not(self) -> None:
        for text in ("", "sso_", "\x00", "half \ud800", "x" * 100_000, None, 7, b"bytes"):
            session = self.sso.session(text)
            self.assertIs(await done(session.verify()), False)
            with self.assertRaises(sso_attr.SessionNotLive):
                await done(session.attr.names())

    async def test_load_save_renew_rotate(self) -> None:
        session = await self.session(None, "shop", "2001:db8::1", "agent", timedelta(hours=1))
        ends = await done(session.save({"a": 1, "b": 2, "c": 3}, ["z"], encrypt=["a"]))
        loaded = await done(session.load())
        self.assertEqual((loaded.attributes, loaded.expires_at), ({"a": 1, "b": 2, "c": 3}, ends))
        self.assertEqual((loaded.user_id, loaded.current_app, loaded.remote_addr), (None, "shop", "2001:db8::1"))
        await done(session.save({"a": 4}, replace=True))
        self.assertEqual([(a.name, a.encrypted) for a in await done(session.attr.list())], [("a", True)])
        self.assertGreater(await done(session.renew(7200)), ends)
        fresh = await done(session.rotate("ann"))
        self.assertIs(await done(session.verify()), False)
        info = await done(fresh.info())
        self.assertEqual((info.user_id, info.session_id), ("ann", loaded.session_id))

    async def test_the_sessions_of_a_user(self) -> None:
        user, token = f"user {uuid.uuid4()}", uuid.uuid4().hex
        first = await self.session(user)
        second = await self.session(user, ust=token)
        self.assertEqual(second.ust, token)
        with self.assertRaises(sso_attr.TokenInUse):
            await self.session(user, ust=token)
        listed = await done(self.sso.sessions.list(user))
        self.assertEqual(len(listed), 2)
        self.assertIs(await done(self.sso.sessions.end_one(user, (await done(second.info())).session_id)), True)
        third = await self.session(user, keep_newest=2)
        with self.assertRaises(sso_attr.SessionNotLive):
            await done(self.sso.sessions.end_all(user, "\x00"))
        self.assertEqual(await done(self.sso.sessions.end_all(user, third.ust)), 1)
        self.assertEqual([await done(s.verify()) for s in (first, second, third)], [False, False, True])

    async def test_users(self) -> None:
        users, name = self.sso.users, f"user {uuid.uuid4()}"
        user_id = await done(users.create(name, "password 1"))
        with self.assertRaises(sso_attr.UserExists):
            await done(users.create(name.upper(), "password 1"))
        session = await done(users.login(name, "password 1", "shop", "127.0.0.1"))
        self.assertEqual((await done(session.info())).user_id, user_id)
        for wrong in ("password 2", "", "\x00", "half \ud800", "x" * 2000, None):
            with self.assertRaises(sso_attr.LoginRefused):
                await done(users.login(name, wrong, "shop", "127.0.0.1"))
        with self.assertRaises(sso_attr.LoginRefused):
            await done(users.login("nobody \x00", "password 1"))
        (user,) = [user for user in await done(users.list()) if user.username == name]
        self.assertEqual((user.failures, user.last_refusal), (3, "wrong password"))
        self.assertIs(await done(users.verify(name, "password 1")), True)
        await done(users.set_password(name, "password 3", session.ust))
        self.assertIs(await done(session.verify()), True)
        await done(users.lock(name, datetime.now(timezone.utc) + timedelta(hours=1)))
        self.assertIs(await done(users.verify(name, "password 3")), False)
        await done(users.unlock(name))
        self.assertIs(await done(users.verify(name, "password 3")), True)
        self.assertIs(await done(users.delete(name)), True)
        self.assertIs(await done(users.exists(name)), False)
        verbs: list[Callable[[], Any]] = [
            lambda: users.lock(name),
            lambda: users.unlock(name),
            lambda: users.set_password(name, "password 4"),
        ]
        for verb in verbs:
            with self.assertRaises(sso_attr.UserMissing):
                await done(verb())

    async def test_many_at_once_share_the_pool(self) -> None:
        attr = (await self.session()).attr

        async def increment() -> None:
            await done(await asyncio.to_thread(attr.increment, "n"))

        await asyncio.gather(*(increment() for _ in range(50)))
        self.assertEqual(await done(attr.get("n")), 50)


class AttributesSync(Attributes):
    client = SsoAttr


class AttributesAsync(Attributes):
    client = AsyncSsoAttr


class Items(unittest.TestCase):
    """`session["name"]`, of the client that waits only."""

    def setUp(self) -> None:
        sso = SsoAttr()
        self.addCleanup(sso.close)
        self.session = sso.sessions.open()

    def test_items(self) -> None:
        session = self.session
        session["b"] = {"c": [1]}
        session["a"] = None
        self.assertEqual((session["b"], session["a"]), ({"c": [1]}, None))
        self.assertEqual(list(session), ["a", "b"])
        self.assertIn("a", session)
        del session["a"]
        self.assertNotIn("a", session)

    def test_an_item_that_is_not_there_is_a_key_error_too(self) -> None:
        with self.assertRaises(KeyError):
            self.session["a"]
        with self.assertRaises(sso_attr.AttributeMissing) as missing:
            del self.session["a"]
        self.assertEqual(missing.exception.names, ("a",))

    def test_setting_an_item_keeps_it_sealed(self) -> None:
        self.session.attr.create("a", 1, encrypt=True)
        self.session["a"] = 2
        self.assertTrue(self.session.attr.list()[0].encrypted)


del Attributes, Both
