"""Many clients over few connections of PgBouncer in transaction mode: every answer is about the session asked for."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
from support import done, wait_until

from sso_attr import AsyncSsoAttr, SsoAttr

CLIENTS, CONNECTIONS, ROUNDS = 12, 3, 10


class Pooler(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="sso_attr."))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "pooler.ini").write_text(
            f"[databases]\n* = host={os.environ['PGHOST']} port={os.environ.get('PGPORT', 5432)} user=postgres\n"
            f"[pgbouncer]\npool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nauth_type = any\n"
            f"listen_port = 6432\nunix_socket_dir = {folder}\nlogfile = {folder}/pooler.log\n"
        )
        # PgBouncer, too, refuses to run as root.
        account = "nobody" if os.getuid() == 0 else None
        if account:
            os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
        pooler = subprocess.Popen(
            ["/usr/sbin/pgbouncer", "--quiet", folder / "pooler.ini"], user=account, stderr=subprocess.DEVNULL
        )
        self.addCleanup(pooler.wait)
        self.addCleanup(pooler.send_signal, signal.SIGTERM)
        self.dsn = f"host={folder} port=6432 user=postgres dbname={os.environ['PGDATABASE']}"
        wait_until("the pooler accepts connections", self.accepts)

    def accepts(self) -> bool:
        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    async def work(self, sso: Any, number: int) -> int:
        """Calls that are told apart by who asks; returns how many answers were right."""
        session = await done(sso.sessions.open(f"user {number}", "pooled"))
        right = 0
        for turn in range(ROUNDS):
            await done(session.attr.set("number", [number, turn]))
            await done(session.save({"turn": turn}))
            right += await done(session.attr.get("number")) == [number, turn]
            loaded = await done(session.load())
            right += (loaded.user_id, loaded.attributes["turn"]) == (f"user {number}", turn)
        await done(session.end())
        return right

    def test_waiting_clients(self) -> None:
        def one(number: int) -> int:
            with SsoAttr(self.dsn) as sso:
                return asyncio.run(self.work(sso, number))

        with ThreadPoolExecutor(CLIENTS) as threads:
            self.assertEqual(sum(threads.map(one, range(CLIENTS))), CLIENTS * ROUNDS * 2)

    async def test_asynchronous_clients(self) -> None:
        async def one(number: int) -> int:
            async with AsyncSsoAttr(self.dsn) as sso:
                return await self.work(sso, number)

        right = await asyncio.gather(*(one(number) for number in range(CLIENTS)))
        self.assertEqual(sum(right), CLIENTS * ROUNDS * 2)

    def test_transactions(self) -> None:
        with SsoAttr(self.dsn) as sso:
            session = sso.sessions.open()
            with sso.transaction() as (inside, connection):
                inside.session(session.ust)["a"] = 1
                connection.execute("SELECT 1")
            self.assertEqual(session["a"], 1)
