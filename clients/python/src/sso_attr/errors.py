"""Every way a call can fail, each a class; no text of theirs holds a token, a value or a password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import psycopg
import psycopg_pool


class SsoAttrError(Exception):
    """The base of all of them. What the driver raised is kept as `__cause__`."""

    sqlstate: str | None = None


class SessionNotLive(SsoAttrError):
    """The token is unknown, malformed, ended or expired, which are not told apart."""


class _OfAttributes(SsoAttrError):
    """Attributes are not as they have to be, and nothing was changed.

    `names` are those that are known for certain, `unlisted` is the number of others: the server lists a hundred."""

    def __init__(self, message: str, names: tuple[str, ...] = (), unlisted: int = 0) -> None:
        super().__init__(message, names, unlisted)
        self.names = names
        self.unlisted = unlisted

    def __str__(self) -> str:
        names = ", ".join(json.dumps(name, ensure_ascii=False) for name in self.names)
        return f"{self.args[0]}{names and ': '}{names}" + (f" and {self.unlisted} more" if self.unlisted else "")


class AttributeMissing(_OfAttributes, KeyError):
    """Attributes that have to be there are not."""


class AttributeExists(_OfAttributes):
    """Attributes to be created are there already, or named twice."""


class TokenInUse(SsoAttrError):
    """The token to adopt belongs to a live session."""


class UserExists(SsoAttrError):
    """The username or user_id is another user's."""


class UserMissing(SsoAttrError):
    """There is no such user."""


class LoginRefused(SsoAttrError):
    """No session was opened: unknown user, wrong password, locked or waiting, which are not told apart."""


class NotAllowed(SsoAttrError):
    """The role has not been granted the function, or the session is of another application, address or user."""


class BadArgument(SsoAttrError, ValueError):
    """An argument, or an item of `data`, is not what the call takes, or a value is nothing that JSON can hold."""


class TooLong(SsoAttrError, ValueError):
    """A name, a value or another text is too long, or a value is nested too deeply."""


class NoKeyring(SsoAttrError):
    """Encryption is asked for, or needed to read, and the server has no keyring or not that key."""


class Corrupted(SsoAttrError):
    """A sealed value does not open, or somebody else has written a row."""


class NotInstalled(SsoAttrError):
    """The function is not found: the extension is not in this database, or its schema not in the search_path."""


class TryAgain(SsoAttrError):
    """The transaction met another one (serialization failure or deadlock): run it again."""


class Cancelled(SsoAttrError):
    """The call was cancelled, by a timeout for example; nothing was changed."""


class ServerGone(SsoAttrError):
    """No connection could be had, or it broke during the call.

    A call is one statement, so what it was to change is changed as a whole or not at all."""


STATES: Mapping[str, type[SsoAttrError]] = {
    "28000": SessionNotLive,
    "P0002": AttributeMissing,
    "23505": AttributeExists,
    "22023": BadArgument,
    "22021": BadArgument,
    "22003": BadArgument,
    "54000": TooLong,
    "55000": NoKeyring,
    "XX001": Corrupted,
    "42501": NotAllowed,
    "42883": NotInstalled,
    "3F000": NotInstalled,
    "40001": TryAgain,
    "40P01": TryAgain,
    "57014": Cancelled,
}


# Connection exceptions, and what a server says that shuts down or ends the connection.
_GONE = ("08", "57P")


@contextmanager
def translated(
    names: tuple[str, ...] = (), states: Mapping[str, type[SsoAttrError]] = MappingProxyType({})
) -> Iterator[None]:
    """Turns what the driver raises within into one of the classes above.

    names: those that the call was about; states: where the call means something else by an SQLSTATE."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, names, states) from error


def _translate(error: psycopg.Error, names: tuple[str, ...], states: Mapping[str, type[SsoAttrError]]) -> SsoAttrError:
    state = error.sqlstate
    if state is None or state.startswith(_GONE):
        if isinstance(error, psycopg_pool.PoolClosed):
            return ServerGone("the client is closed")
        if isinstance(error, psycopg_pool.PoolTimeout):
            return ServerGone("no connection was free in time, or the server could not be reached")
        if isinstance(error, psycopg.OperationalError):
            return ServerGone("the server could not be reached, or went away during the call")
        return SsoAttrError(f"the driver refused the call ({type(error).__name__})")
    kind = {**STATES, **states}.get(state, SsoAttrError)
    message = error.diag.message_primary or "the call failed"
    translation = (
        kind(message, *_names(error.diag.message_detail or "", names))
        if issubclass(kind, _OfAttributes)
        else kind(message)
    )
    translation.sqlstate = state
    return translation


_NAME = re.compile(r'("(?:[^"\\]|\\.)*")(\.\.\.)?(?:, | and (\d+) more|\.$)')


def _names(detail: str, sent: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """What the server's DETAIL lists; a name that is cut there is looked up among those that were sent."""
    found: list[str] = []
    unlisted = 0
    for quoted, cut, more in _NAME.findall(detail):
        name = json.loads(quoted)
        whole = {other for other in sent if other.startswith(name)} if cut else {name}
        if len(whole) == 1:
            found.extend(whole)
        else:
            unlisted += 1
        unlisted += int(more or 0)
    return tuple(found), unlisted
