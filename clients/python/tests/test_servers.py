"""Servers that know nothing of each other, here two and a third: each session is on the one that its token tells."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from support import Both, administrator, done

import sso_attr
from sso_attr import AsyncServers, AsyncSsoAttr, Servers, Slots, SsoAttr, session_id, slot

CLUSTER = Path(__file__).parents[3] / "scripts" / "cluster"
FIRST_SLOTS, SECOND_SLOTS, THIRD_SLOTS = range(0x40), range(0x40, 0x80), range(0x80, 0x100)
SESSIONS, USERS = 10_000, 100

first = "dbname=first_of_several"
second = ""
third = "dbname=third_of_several"


def setUpModule() -> None:
    """A server of its own beside that of the other tests, on which two databases are made."""
    global second
    folder = tempfile.mkdtemp(prefix="sso_attr.")
    unittest.addModuleCleanup(cluster, "remove", folder)
    cluster("create", folder)
    cluster("start", folder)
    second = f"host='{folder}' port=5432 user=postgres dbname=postgres"
    with administrator() as connection:
        for database in first, third:
            name = database.partition("=")[2]
            connection.execute(f"CREATE DATABASE {name}".encode())
            unittest.addModuleCleanup(drop, name)
    for dsn in first, second, third:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION sso_attr")


def cluster(verb: str, folder: str) -> None:
    subprocess.run([CLUSTER, verb, folder], check=True)


def drop(database: str) -> None:
    with administrator() as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


def two() -> Servers:
    return Servers(SsoAttr(first, slots=Slots(FIRST_SLOTS)), SsoAttr(second, slots=Slots(SECOND_SLOTS)))


# Another program, which knows the servers and is told the tokens: prints how many it finds, with what is theirs.
RESTARTED = """
import json, sys
from sso_attr import Servers, Slots, SsoAttr

*servers, tokens = json.load(sys.stdin)
servers = Servers(*(SsoAttr(dsn, slots=Slots(slots)) for dsn, slots in servers))
right = 0
for server in servers.all:
    own = {token: number for token, number in tokens.items() if servers.server(token) is server}
    with server.transaction() as (_, connection):
        read = connection.execute("SELECT t, sso_attr_get(t, 'number') FROM unnest(%s::text[]) AS t", (list(own),))
        right += sum(own[token] == number for token, number in read)
servers.close()
print(right)
"""


class TenThousandSessions(unittest.TestCase):
    def test_each_is_where_its_token_leads(self) -> None:
        servers = two()
        self.addCleanup(servers.close)
        tokens = {}
        for number in range(USERS):
            session = servers.sessions.open(f"user {number}")
            session["number"] = number
            tokens[session.ust] = number
        tokens.update({servers.slots.draw(): number for number in range(USERS, SESSIONS)})
        for server in servers.all:
            # As open and set do it, but thousands at a time.
            own = [(token, f"user {n % USERS}", n) for token, n in tokens.items() if servers.server(token) is server]
            new = tuple(map(list, zip(*(row for row in own if row[2] >= USERS), strict=True)))
            with server.transaction() as (_, connection):
                for call in "sso_session_create(u, ust => t)", "sso_attr_set(t, 'number', n)":
                    given = "unnest(%s::text[], %s::text[], %s::integer[]) AS given (t, u, n)"
                    connection.execute(f"SELECT count({call}) FROM {given}".encode(), new)

        told = json.dumps([[first, list(FIRST_SLOTS)], [second, list(SECOND_SLOTS)], tokens])
        restarted = subprocess.run([sys.executable, "-c", RESTARTED], input=told, capture_output=True, text=True)
        self.assertEqual((restarted.stdout, restarted.stderr), (f"{SESSIONS}\n", ""))
        stored = []
        for server, slots in zip(servers.all, (FIRST_SLOTS, SECOND_SLOTS), strict=True):
            with server.transaction() as (_, connection):
                theirs = "count(*) FILTER (WHERE user_id LIKE 'user %%')"
                misplaced = "count(*) FILTER (WHERE get_byte(uuid_send(id), 15) NOT BETWEEN %s AND %s)"
                query = f"SELECT {theirs}, {misplaced} FROM sso_attr.session"
                counts = connection.execute(query.encode(), (slots[0], slots[-1])).fetchone() or (0, 0)
            self.assertEqual(counts[1], 0)
            stored.append(counts[0])
        self.assertEqual(sum(stored), SESSIONS)
        self.assertGreater(min(stored), SESSIONS * 0.45)

        seventh = [token for token, number in tokens.items() if number % USERS == 7]
        listed = servers.sessions.list("user 7")
        self.assertEqual({session_id(token) for token in seventh}, {session.session_id for session in listed})
        created = [session.created_at for session in listed]
        self.assertEqual(created, sorted(created, reverse=True))
        self.assertIs(servers.sessions.end_one("user 7", listed[0].session_id), True)
        self.assertEqual(servers.sessions.end_all("user 7"), len(seventh) - 1)
        self.assertEqual(sum(servers.session(token).verify() for token in seventh), 0)
        self.assertEqual(len(servers.sessions.list("user 8")), len(seventh))


class Page(unittest.TestCase):
    def test_its_example(self) -> None:
        page = (CLUSTER.parents[1] / "docs" / "scaling.md").read_text()
        (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
        names: dict[str, Any] = {}
        exec(example.replace("host=a dbname=shop", first).replace("host=b dbname=shop", second), names)
        self.addCleanup(names["servers"].close)
        self.assertEqual(names["cart"], {"items": [1, 2]})
        self.assertEqual([device.session_id for device in names["devices"]], [session_id(names["session"].ust)])


class SessionIds(unittest.TestCase):
    def test_they_are_those_that_the_server_tells(self) -> None:
        chance = random.Random(1)
        issued = ["sso_" + base64.urlsafe_b64encode(chance.randbytes(48)).decode() for _ in range(2000)]
        letters = "aZ09-_=+/ .ж€𝄞\n"
        texts = ["".join(chance.choices(letters, k=chance.randrange(18, 530))) for _ in range(2000)]
        edges = [None, "", "sso_", "x" * 21, "x" * 22, "ж" * 22, "𝄞" * 512, "x" * 512, "x" * 513, "sso" + "x" * 61]
        edges += [issued[0][:-1], issued[0] + "x", issued[0] + "\n", issued[0][:-1] + "=", issued[0][:-1] + "+"]
        edges += [issued[0][:-1] + "é", " " + issued[0], issued[0].upper(), "sso_" + "x" * 18, "sso_" + "٣" * 64]
        tokens = [*issued, *texts, *edges]
        with administrator() as connection:
            query = "SELECT sso_session_id(t) FROM unnest(%s::text[]) WITH ORDINALITY AS given (t, n) ORDER BY n"
            told = [row[0] for row in connection.execute(query, (tokens,))]
        # One by one: unittest takes minutes to show how two long lists differ.
        for token, session in zip(tokens, told, strict=True):
            self.assertEqual(session_id(token), session)
        self.assertEqual(sum(session is not None for session in told[:2000]), 2000)
        # What PostgreSQL cannot hold is no token either.
        self.assertIsNone(session_id("\0" * 30))
        self.assertIsNone(session_id("\ud800" * 30))
        self.assertIsNone(session_id(b"x" * 30))

    def test_tokens_are_drawn_from_open_slots_only(self) -> None:
        slots = Slots(range(8), closed=range(2, 7))
        drawn = Counter(slot(session) for session in (session_id(slots.draw()) for _ in range(300)) if session)
        self.assertEqual(set(drawn), {0, 1, 7})
        with self.assertRaises(sso_attr.BadArgument):
            Slots(range(8), closed=range(8)).draw()

    def test_slots_that_cannot_be(self) -> None:
        for slots in range(255, 257), range(-1, 1):
            with self.assertRaises(sso_attr.BadArgument):
                Slots(slots)
        for servers in (
            [],
            [SsoAttr()],
            [SsoAttr(slots=Slots(range(3))), SsoAttr(slots=Slots(range(2, 5)))],
        ):
            with self.assertRaises(sso_attr.BadArgument):
                Servers(*servers)


class Several(Both):
    several: type[Servers] | type[AsyncServers]

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.first = self.client(first, slots=Slots(FIRST_SLOTS))
        self.second = self.client(second, slots=Slots(SECOND_SLOTS))
        self.servers: Any = self.together(self.first, self.second)

    def together(self, *servers: Any) -> Any:
        """Those servers as one, closed when the test is over."""
        servers_: Any = self.several(*servers)
        self.addAsyncCleanup(self.closed, servers_)
        return servers_

    async def closed(self, servers: Any) -> None:
        await done(servers.close())

    async def on_each(self, *args: Any) -> list[Any]:
        """A session on each of the two servers."""
        return [await done(server.sessions.open(*args)) for server in (self.first, self.second)]

    async def test_a_session_is_found_by_its_token_alone(self) -> None:
        for server, session in zip((self.first, self.second), await self.on_each("ann"), strict=True):
            await done(session.attr.set("a", 1))
            self.assertIs(self.servers.server(session.ust), server)
            self.assertEqual(await done(self.servers.session(session.ust).attr.get("a")), 1)

    async def test_what_no_server_has_is_a_session_that_is_not_live(self) -> None:
        for token in "", "sso_", Slots(FIRST_SLOTS).draw(), Slots(SECOND_SLOTS).draw(), Slots(THIRD_SLOTS).draw():
            self.assertIs(await done(self.servers.session(token).verify()), False)
            with self.assertRaises(sso_attr.SessionNotLive):
                await done(self.servers.session(token).attr.get("a"))

    async def test_a_session_stays_where_it_is_when_its_token_is_changed(self) -> None:
        for session, own, other in zip(
            await self.on_each(), (FIRST_SLOTS, SECOND_SLOTS), (SECOND_SLOTS, FIRST_SLOTS), strict=True
        ):
            await done(session.attr.set("a", 1))
            session = await done(session.rotate("bob"))
            self.assertEqual(await done(self.servers.session(session.ust).attr.get("a")), 1)
            with self.assertRaisesRegex(sso_attr.BadArgument, "another server"):
                await done(self.servers.session(session.ust).rotate(new_ust=Slots(other).draw()))
            token = Slots(own).draw()
            await done(self.servers.session(session.ust).rotate(new_ust=token))
            self.assertEqual(await done(self.servers.session(token).attr.get("a")), 1)

    async def test_a_token_from_elsewhere_is_adopted_where_it_leads(self) -> None:
        for server, slots in (self.first, FIRST_SLOTS), (self.second, SECOND_SLOTS):
            token = Slots(slots).draw()
            session = await done(self.servers.sessions.open("ann", ust=token))
            self.assertEqual((session.ust, await done(server.session(token).verify())), (token, True))
        with self.assertRaisesRegex(sso_attr.BadArgument, "another server"):
            await done(self.first.sessions.open("ann", ust=Slots(SECOND_SLOTS).draw()))
        with self.assertRaisesRegex(sso_attr.BadArgument, "another server"):
            await done(self.servers.sessions.open("ann", ust=Slots(THIRD_SLOTS).draw()))

    async def test_a_login_opens_its_session_on_the_server_that_has_the_user(self) -> None:
        await done(self.second.users.create("carol", "password 1"))
        session = await done(self.second.users.login("carol", "password 1"))
        self.assertIs(self.servers.server(session.ust), self.second)
        await done(self.second.users.delete("carol"))

    async def test_what_is_about_a_user_asks_all_servers(self) -> None:
        one, other = await self.on_each("dave")
        listed = await done(self.servers.sessions.list("dave"))
        self.assertEqual([session.session_id for session in listed], [session_id(other.ust), session_id(one.ust)])
        for refused in "no token at all", Slots(SECOND_SLOTS).draw():
            with self.assertRaises(sso_attr.SessionNotLive):
                await done(self.servers.sessions.end_all("dave", refused))
        self.assertEqual(await done(self.servers.sessions.end_all("dave", other.ust)), 1)
        self.assertEqual([await done(session.verify()) for session in (one, other)], [False, True])
        self.assertIs(await done(self.servers.sessions.end_one("dave", session_id(other.ust))), True)
        self.assertEqual(await done(self.servers.sessions.list("dave")), [])

    async def test_a_server_that_is_gone_keeps_no_other_from_ending_sessions(self) -> None:
        gone = self.client("host=/nowhere port=1", timeout=0.3, slots=Slots(THIRD_SLOTS))
        (session, _) = await self.on_each("erin")
        servers = self.together(gone, self.first)
        with self.assertRaises(sso_attr.ServerGone):
            await done(servers.sessions.end_all("erin"))
        self.assertIs(await done(session.verify()), False)

    async def test_a_server_is_added(self) -> None:
        old = await self.on_each("fred")
        servers = self.together(
            self.client(first, slots=Slots(FIRST_SLOTS, closed=FIRST_SLOTS)),
            self.client(second, slots=Slots(SECOND_SLOTS, closed=SECOND_SLOTS)),
            self.client(third, slots=Slots(THIRD_SLOTS)),
        )
        new = await done(servers.sessions.open("fred"))
        self.assertIs(servers.server(new.ust), servers.all[2])
        for session in *old, new:
            self.assertIs(await done(servers.session(session.ust).verify()), True)
        self.assertEqual(await done(servers.sessions.end_all("fred")), 3)


class SeveralSync(Several):
    client, several = SsoAttr, Servers


class SeveralAsync(Several):
    client, several = AsyncSsoAttr, AsyncServers


del Both, Several
