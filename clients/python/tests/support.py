"""What the tests share: both clients under one test, an administrator's connection, and waiting for a condition."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
import unittest
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from sso_attr import AsyncSsoAttr, SsoAttr

SOON = 10.0

# What a pool says of connections that a test breaks.
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


async def done(call: Any) -> Any:
    """What a call of either client comes to."""
    return await call if inspect.isawaitable(call) else call


def administrator() -> psycopg.Connection[TupleRow]:
    return psycopg.connect(autocommit=True)


def wait_until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.01)


class Both(unittest.IsolatedAsyncioTestCase):
    """Tests that are run with each client; a test awaits `done(call)`."""

    client: type[SsoAttr] | type[AsyncSsoAttr]
    source = ""

    async def asyncSetUp(self) -> None:
        # What the client that waits does is slow in the eyes of the loop.
        asyncio.get_running_loop().slow_callback_duration = SOON
        self.sso: Any = self.client(self.source)
        self.addAsyncCleanup(self.close)

    async def close(self) -> None:
        await done(self.sso.close())

    @asynccontextmanager
    async def fresh(self, dsn: str = "", **options: Any) -> AsyncIterator[Any]:
        """Another client of the same kind."""
        sso = self.client(dsn, **options)
        try:
            yield sso
        finally:
            await done(sso.close())

    @asynccontextmanager
    async def transaction(self, sso: Any) -> AsyncIterator[tuple[Any, Any]]:
        if isinstance(sso, AsyncSsoAttr):
            async with sso.transaction() as pair:
                yield pair
        else:
            with sso.transaction() as pair:
                yield pair

    async def session(self, *args: Any, **kwargs: Any) -> Any:
        return await done(self.sso.sessions.open(*args, **kwargs))
