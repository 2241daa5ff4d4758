"""The client for asyncio; `client.py` is the same for programs that wait for each call."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from . import calls
from .calls import Call
from .connections import SETTINGS, conninfo, is_quiet, require_no_transaction
from .errors import translated
from .slots import Slots

T = TypeVar("T")
P = ParamSpec("P")


class _Part:
    def __init__(self, client: AsyncSsoAttr) -> None:
        self._client = client


class _OfSession(_Part):
    def __init__(self, client: AsyncSsoAttr, ust: str) -> None:
        super().__init__(client)
        self.ust = ust

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _with_token(
    describe: Callable[Concatenate[str, P], Call[T]],
) -> Callable[Concatenate[_OfSession, P], Coroutine[Any, Any, T]]:
    @functools.wraps(describe)
    async def method(self: _OfSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client._run(describe(self.ust, *args, **kwargs))

    return method


def _plain(describe: Callable[P, Call[T]]) -> Callable[Concatenate[_Part, P], Coroutine[Any, Any, T]]:
    async def method(self: _Part, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client._run(describe(*args, **kwargs))

    return calls.dressed(method, describe)


def _opening(
    describe: Callable[P, Call[str]],
) -> Callable[Concatenate[_Part, P], Coroutine[Any, Any, AsyncSession]]:
    async def method(self: _Part, /, *args: P.args, **kwargs: P.kwargs) -> AsyncSession:
        return AsyncSession(self._client, await self._client._run(describe(*args, **kwargs)))

    return calls.dressed(method, describe)


class AsyncAttributes(_OfSession):
    """The attributes of a session."""

    create = _with_token(calls.create)
    update = _with_token(calls.update)
    set = _with_token(calls.set_)
    compare_and_set = _with_token(calls.compare_and_set)
    increment = _with_token(calls.increment)
    get = _with_token(calls.get)
    take = _with_token(calls.take)
    exists = _with_token(calls.exists)
    names = _with_token(calls.names)
    list = _with_token(calls.list_attributes)
    to_dict = _with_token(calls.to_dict)
    delete = _with_token(calls.delete)
    expiration = _with_token(calls.expiration)
    create_many = _with_token(calls.create_many)
    update_many = _with_token(calls.update_many)
    set_many = _with_token(calls.set_many)
    get_many = _with_token(calls.get_many)
    exists_many = _with_token(calls.exists_many)
    delete_many = _with_token(calls.delete_many)
    expiration_many = _with_token(calls.expiration_many)


class AsyncSession(_OfSession):
    """A session by its token."""

    @property
    def attr(self) -> AsyncAttributes:
        return AsyncAttributes(self._client, self.ust)

    info = _with_token(calls.info)
    load = _with_token(calls.load)
    save = _with_token(calls.save)
    renew = _with_token(calls.renew)
    verify = _with_token(calls.verify)
    end = _with_token(calls.end)

    async def rotate(self, user_id: str | None = None, new_ust: str | None = None) -> AsyncSession:
        """Gives the session a new token, the old one is dead at once; binds an anonymous session to its user."""
        return AsyncSession(self._client, await self._client._run(calls.rotate(self.ust, user_id, new_ust)))


class AsyncUsers(_Part):
    """Users that are kept in the database, and their passwords."""

    create = _plain(calls.create_user)
    delete = _plain(calls.delete_user)
    exists = _plain(calls.user_exists)
    list = _plain(calls.list_users)
    lock = _plain(calls.lock_user)
    unlock = _plain(calls.unlock_user)
    set_password = _plain(calls.set_password)
    verify = _plain(calls.verify_user)
    login = _opening(calls.login)


class AsyncSessions(_Part):
    """The sessions of a user, and opening one."""

    open = _opening(calls.open_session)
    list = _plain(calls.list_sessions)
    end_one = _plain(calls.end_one)
    end_all = _plain(calls.end_all)


class AsyncSsoAttr:
    """As SsoAttr, with a psycopg_pool.AsyncConnectionPool or a psycopg.AsyncConnection."""

    def __init__(
        self,
        source: str | AsyncConnectionPool[Any] | AsyncConnection[Any] = "",
        *,
        schema: str | None = None,
        slots: Slots | None = None,
        min_size: int = 1,
        max_size: int = 10,
        timeout: float = 10.0,
    ) -> None:
        self._schema = schema
        self.slots = slots
        self._owned: AsyncConnectionPool[Any] | None = None
        self._source: AsyncConnectionPool[Any] | AsyncConnection[Any]
        if isinstance(source, str):
            self._owned = self._source = AsyncConnectionPool(
                conninfo(source),
                kwargs=SETTINGS,
                min_size=min_size,
                max_size=max_size,
                timeout=timeout,
                check=_check,
                open=False,
            )
        else:
            self._source = source
        self.users = AsyncUsers(self)
        self.sessions = AsyncSessions(self)

    def session(self, ust: str) -> AsyncSession:
        """The session with this token; no round trip, so it need not be live."""
        return AsyncSession(self, ust)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[AsyncSsoAttr, AsyncConnection[Any]]]:
        """One transaction for calls of this client and statements of your own on the connection."""
        async with self._connection() as connection, connection.transaction():
            yield AsyncSsoAttr(connection, schema=self._schema, slots=self.slots), connection

    async def close(self) -> None:
        """Closes the pool of this client's own; a pool or a connection that was given stays open."""
        if self._owned is not None:
            await self._owned.close()

    async def __aenter__(self) -> AsyncSsoAttr:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        if isinstance(self._source, AsyncConnection):
            yield self._source
            return
        async with AsyncExitStack() as stack:
            with translated():
                if self._owned is not None:
                    await self._owned.open()
                connection = await stack.enter_async_context(self._source.connection())
            yield connection

    async def _run(self, call: Call[T]) -> T:
        if self.slots is not None:
            call = self.slots.placed(call)
        with translated(call.names, call.states):
            async with self._connection() as connection, self._committed(connection, call):
                cursor = AsyncCursor(connection, row_factory=tuple_row)
                await cursor.execute(call.statement(self._schema), call.values)
                rows = await cursor.fetchall()
        return call.read(rows)

    def _committed(self, connection: AsyncConnection[Any], call: Call[T]) -> AbstractAsyncContextManager[object]:
        if not call.commits:
            return nullcontext()
        require_no_transaction(connection)
        return connection.transaction()


async def _check(connection: AsyncConnection[Any]) -> None:
    if not is_quiet(connection):
        await AsyncConnectionPool.check_connection(connection)
