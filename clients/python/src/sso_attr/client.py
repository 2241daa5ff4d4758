"""The client for programs that wait for each call; `aio.py` is the same for asyncio."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from . import calls
from .calls import Call
from .connections import SETTINGS, conninfo, is_quiet, require_no_transaction
from .errors import translated
from .slots import Slots

T = TypeVar("T")
P = ParamSpec("P")


class _Part:
    """A part of the surface, and the client through which its calls go."""

    def __init__(self, client: SsoAttr) -> None:
        self._client = client


class _OfSession(_Part):
    """A part that is about one session. Its repr does not show the token."""

    def __init__(self, client: SsoAttr, ust: str) -> None:
        super().__init__(client)
        self.ust = ust

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _with_token(describe: Callable[Concatenate[str, P], Call[T]]) -> Callable[Concatenate[_OfSession, P], T]:
    @functools.wraps(describe)
    def method(self: _OfSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._run(describe(self.ust, *args, **kwargs))

    return method


def _plain(describe: Callable[P, Call[T]]) -> Callable[Concatenate[_Part, P], T]:
    def method(self: _Part, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._run(describe(*args, **kwargs))

    return calls.dressed(method, describe)


def _opening(describe: Callable[P, Call[str]]) -> Callable[Concatenate[_Part, P], Session]:
    def method(self: _Part, /, *args: P.args, **kwargs: P.kwargs) -> Session:
        return Session(self._client, self._client._run(describe(*args, **kwargs)))

    return calls.dressed(method, describe)


class Attributes(_OfSession):
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


class Session(_OfSession):
    """A session by its token. `session["name"]` reads, sets and deletes one of its attributes."""

    @property
    def attr(self) -> Attributes:
        return Attributes(self._client, self.ust)

    info = _with_token(calls.info)
    load = _with_token(calls.load)
    save = _with_token(calls.save)
    renew = _with_token(calls.renew)
    verify = _with_token(calls.verify)
    end = _with_token(calls.end)

    def rotate(self, user_id: str | None = None, new_ust: str | None = None) -> Session:
        """Gives the session a new token, the old one is dead at once; binds an anonymous session to its user."""
        return Session(self._client, self._client._run(calls.rotate(self.ust, user_id, new_ust)))

    __getitem__ = _with_token(calls.get_item)
    __delitem__ = _with_token(calls.delete_item)
    __contains__ = _with_token(calls.exists)

    def __setitem__(self, name: str, value: Any) -> None:
        self._client._run(calls.set_(self.ust, name, value))

    def __iter__(self) -> Iterator[str]:
        return iter(self._client._run(calls.names(self.ust)))


class Users(_Part):
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


class Sessions(_Part):
    """The sessions of a user, and opening one."""

    open = _opening(calls.open_session)
    list = _plain(calls.list_sessions)
    end_one = _plain(calls.end_one)
    end_all = _plain(calls.end_all)


class SsoAttr:
    """A client of a database with the extension sso_attr.

    source: a connection string, for a pool of this client's own; or a psycopg_pool.ConnectionPool; or a
    psycopg.Connection, in whose transaction everything then happens. schema: that of the extension, where it is
    not in the search_path. slots: those of this server, where it is one of several (`Servers`). The others are for the
    pool of its own."""

    def __init__(
        self,
        source: str | ConnectionPool[Any] | Connection[Any] = "",
        *,
        schema: str | None = None,
        slots: Slots | None = None,
        min_size: int = 1,
        max_size: int = 10,
        timeout: float = 10.0,
    ) -> None:
        self._schema = schema
        self.slots = slots
        self._owned: ConnectionPool[Any] | None = None
        self._source: ConnectionPool[Any] | Connection[Any]
        if isinstance(source, str):
            self._owned = self._source = ConnectionPool(
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
        self.users = Users(self)
        self.sessions = Sessions(self)

    def session(self, ust: str) -> Session:
        """The session with this token; no round trip, so it need not be live."""
        return Session(self, ust)

    @contextmanager
    def transaction(self) -> Iterator[tuple[SsoAttr, Connection[Any]]]:
        """One transaction for calls of this client and statements of your own on the connection."""
        with self._connection() as connection, connection.transaction():
            yield SsoAttr(connection, schema=self._schema, slots=self.slots), connection

    def close(self) -> None:
        """Closes the pool of this client's own; a pool or a connection that was given stays open."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> SsoAttr:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        if isinstance(self._source, Connection):
            yield self._source
            return
        with ExitStack() as stack:
            with translated():
                if self._owned is not None:
                    # At the first call, so that a process that forks before it hands on no connection.
                    self._owned.open()
                connection = stack.enter_context(self._source.connection())
            yield connection

    def _run(self, call: Call[T]) -> T:
        if self.slots is not None:
            call = self.slots.placed(call)
        with (
            translated(call.names, call.states),
            self._connection() as connection,
            self._committed(connection, call),
        ):
            cursor = Cursor(connection, row_factory=tuple_row)
            rows = cursor.execute(call.statement(self._schema), call.values).fetchall()
        return call.read(rows)

    def _committed(self, connection: Connection[Any], call: Call[T]) -> AbstractContextManager[object]:
        if not call.commits:
            return nullcontext()
        require_no_transaction(connection)
        return connection.transaction()


def _check(connection: Connection[Any]) -> None:
    if not is_quiet(connection):
        ConnectionPool.check_connection(connection)
