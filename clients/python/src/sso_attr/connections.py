"""How this package connects, with and without asyncio."""

from __future__ import annotations

import selectors
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from .errors import BadArgument

SETTINGS: dict[str, Any] = {
    "autocommit": True,
    "client_encoding": "UTF8",
    # Named prepared statements give wrong answers behind a pooler in transaction mode.
    "prepare_threshold": None,
}


def conninfo(dsn: str) -> str:
    """The connection string, refused here if it cannot be read: the pool would only log that, password included."""
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        raise BadArgument("the connection string cannot be read") from None
    return dsn


def is_quiet(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether nothing has come from the server since the last call: a server that goes away says so, or hangs up."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return not selector.select(timeout=0)


def require_no_transaction(connection: psycopg.BaseConnection[Any]) -> None:
    """A login that is refused has to be counted, and a rollback of what came before it would undo that."""
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise BadArgument("a login needs a transaction of its own: log in before this one begins, or after it")
