"""One statement of the extension's, over Django's own connection."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import OperationalError, connections, transaction

from . import conf

NOT_LIVE = "28000"


def rows(sql: str, *parameters: Any, may_fail: bool = False) -> list[tuple[Any, ...]]:
    """What the statement returns. One that may fail leaves a transaction that it is part of usable."""
    connection = connections[conf.database()]
    savepoint = may_fail and connection.in_atomic_block
    with transaction.atomic(connection.alias) if savepoint else nullcontext(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


@contextmanager
def if_not_live(error: Exception) -> Iterator[None]:
    """Raises this error where the session turns out not to be live."""
    try:
        yield
    except OperationalError as failure:
        if getattr(failure.__cause__, "sqlstate", None) != NOT_LIVE:
            raise
        raise error from None
