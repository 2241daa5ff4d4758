"""The one description of every call: the SQL function, its parameters, and what its rows mean.

Nothing here talks to a server: `client.py` and `aio.py` do, each with a few lines for all of it."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

from psycopg import sql

from .errors import (
    AttributeMissing,
    BadArgument,
    LoginRefused,
    SsoAttrError,
    TokenInUse,
    UserExists,
    UserMissing,
)
from .records import Attribute, LoadedSession, SessionInfo, User
from .values import dumps, fits, loads, number, seconds, text

T_co = TypeVar("T_co", covariant=True)
Q = ParamSpec("Q")
R = TypeVar("R")
Expiration: TypeAlias = "float | Decimal | timedelta | None"
Items: TypeAlias = "Iterable[Mapping[str, Any]]"
Rows: TypeAlias = "Sequence[tuple[Any, ...]]"
States: TypeAlias = "Mapping[str, type[SsoAttrError]]"


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One statement that calls one function. Its repr shows no parameter."""

    function: str
    parameters: tuple[tuple[str, object], ...] = field(repr=False)
    read: Callable[[Rows], T_co]
    columns: str = "r"
    names: tuple[str, ...] = ()
    states: States = field(default_factory=dict)
    # A refusal counts only once it is committed.
    commits: bool = False
    # Which parameter is a token for the session to take over.
    adopts: int | None = None

    def statement(self, schema: str | None) -> bytes:
        return _statement(schema, self.function, tuple(kind for kind, _ in self.parameters), self.columns)

    @property
    def values(self) -> list[object]:
        return [value for _, value in self.parameters]


@functools.lru_cache(maxsize=1024)
def _statement(schema: str | None, function: str, kinds: tuple[str, ...], columns: str) -> bytes:
    name = sql.Identifier(schema, function) if schema else sql.Identifier(function)
    parameters = ", ".join(f"%s::{kind}" for kind in kinds)
    function = name.as_string().replace("%", "%%")
    return f"SELECT {columns} FROM {function}({parameters}) AS r".encode()


def dressed(method: Callable[Q, R], describe: Callable[..., Any]) -> Callable[Q, R]:
    """A method that looks like its description, whose parameters come after self."""
    functools.update_wrapper(method, describe)
    signature = inspect.signature(describe)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])  # type: ignore[attr-defined]
    return method


# Parameters


def _ust(ust: object) -> tuple[str, object]:
    """What cannot be a text of PostgreSQL is no token, as NULL is none."""
    return "text", ust if fits(ust) else None


def _text(value: str | None, what: str) -> tuple[str, object]:
    return "text", None if value is None else text(value, what)


def _name(name: str) -> tuple[str, object]:
    return "text", text(name, "name")


def _names(names: Iterable[str], what: str = "names") -> tuple[str, object]:
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise BadArgument(f"{what} is a {type(names).__name__}; it has to be a list of str")
    return "text[]", [text(name, f"an element of {what}") for name in names]


def _json(value: object, what: str = "value") -> tuple[str, object]:
    return "jsonb", dumps(value, what)


def _seconds(expiration: Expiration) -> tuple[str, object]:
    return "double precision", seconds(expiration)


def _flag(value: bool | None, what: str) -> tuple[str, object]:
    if value is not None and not isinstance(value, bool):
        raise BadArgument(f"{what} is a {type(value).__name__}; it has to be True, False or None")
    return "boolean", value


def _time(value: datetime | None) -> tuple[str, object]:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise BadArgument("a time has to be a datetime with a time zone")
    return "timestamptz", value


def _count(value: int | None) -> tuple[str, object]:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadArgument("keep_newest has to be an int")
    return "integer", value


def _items(data: Items) -> tuple[tuple[str, object], tuple[str, ...]]:
    """The data of a batch, and the names in it. What an item may hold is left to the server to say."""
    if isinstance(data, (str, bytes, Mapping)) or not isinstance(data, Iterable):
        raise BadArgument(f"data is a {type(data).__name__}; it has to be a list of dicts")
    items = [_item(item) for item in data]
    names = [item["name"] for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)]
    return _json(items, "data"), tuple(names)


def _item(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    item = dict(item)
    if item.get("expiration") is not None:
        ends_in = seconds(item["expiration"])
        # JSON has no Infinity; the server takes this text for it.
        item["expiration"] = "Infinity" if ends_in == float("inf") else ends_in
    return item


# Results. JSON and numbers come as text, so that neither the connection's own conversions nor a float change them.

_AS_TEXT = "r::text"


def _one(rows: Rows) -> Any:
    return rows[0][0]


def _none(rows: Rows) -> None:
    return None


def _document(rows: Rows) -> Any:
    return None if rows[0][0] is None else loads(rows[0][0])


def _list(rows: Rows) -> list[Any]:
    return [row[0] for row in rows]


def _when(column: str) -> str:
    """A time that Python can hold, and NULL for a later one."""
    return f"CASE WHEN {column} < '9999-12-31 00:00+00' THEN {column} END"


_SESSION = "session_id, user_id, current_app, abbrev(remote_addr), user_agent, created_at, last_seen_at, " + _when(
    "expires_at"
)


def _session(rows: Rows) -> SessionInfo:
    return SessionInfo(*rows[0])


# Sessions


def open_session(
    user_id: str | None = None,
    current_app: str | None = None,
    remote_addr: str | None = None,
    user_agent: str | None = None,
    expiration: Expiration = None,
    ust: str | None = None,
    keep_newest: int | None = None,
    expires_at: datetime | None = None,
) -> Call[str]:
    """Opens a session, for a user or anonymous.

    expiration: seconds or a timedelta, its idle limit. ust: a token issued elsewhere to adopt. keep_newest: ends
    the user's oldest sessions so that at most so many remain."""
    return Call(
        "sso_session_create",
        (
            _text(user_id, "user_id"),
            _text(current_app, "current_app"),
            _text(remote_addr, "remote_addr"),
            _text(user_agent, "user_agent"),
            _seconds(expiration),
            _text(ust, "ust"),
            _count(keep_newest),
            _time(expires_at),
        ),
        _one,
        states={"23505": TokenInUse},
        adopts=5,
    )


def info(ust: str) -> Call[SessionInfo]:
    """Shows the session. Raises SessionNotLive."""
    return Call("sso_session_get", (_ust(ust),), _session, _SESSION)


def load(ust: str) -> Call[LoadedSession | None]:
    """Shows the session and all its attributes in one round trip; None if it is not live."""

    def read(rows: Rows) -> LoadedSession | None:
        if not rows:
            return None
        *columns, attributes = rows[0]
        return LoadedSession(*[*columns, loads(attributes)])

    return Call("sso_session_load", (_ust(ust),), read, _SESSION + ", attributes::text")


def save(
    ust: str,
    changed: Mapping[str, Any],
    removed: Iterable[str] | None = None,
    expiration: Expiration = None,
    replace: bool = False,
    encrypt: Iterable[str] | None = None,
    expires_at: datetime | None = None,
) -> Call[datetime | None]:
    """Sets and deletes attributes and renews the session in one round trip; returns when it ends, None for never.

    replace: deletes all that are not in changed. encrypt: names to seal. Raises SessionNotLive: a session that has
    ended never comes back."""
    if not isinstance(changed, Mapping):
        raise BadArgument(f"changed is a {type(changed).__name__}; it has to be a dict")
    return Call(
        "sso_session_save",
        (
            _ust(ust),
            _json(dict(changed), "changed"),
            _names([] if removed is None else removed, "removed"),
            _seconds(expiration),
            _flag(replace, "replace"),
            _names([] if encrypt is None else encrypt, "encrypt"),
            _time(expires_at),
        ),
        _one,
        _when("r"),
    )


def renew(ust: str, expiration: Expiration = None, expires_at: datetime | None = None) -> Call[datetime | None]:
    """Moves the end of the session, by its own idle limit if none is given; returns it, None for never."""
    parameters = (_ust(ust), _seconds(expiration), _time(expires_at))
    return Call("sso_session_renew", parameters, _one, _when("r"))


def rotate(ust: str, user_id: str | None = None, new_ust: str | None = None) -> Call[str]:
    parameters = (_ust(ust), _text(user_id, "user_id"), _text(new_ust, "new_ust"))
    adopts = None if new_ust is None else 2
    return Call("sso_session_rotate", parameters, _one, states={"23505": TokenInUse}, adopts=adopts)


def verify(ust: str) -> Call[bool]:
    """Whether the session is live."""
    return Call("sso_session_verify", (_ust(ust),), _one)


def end(ust: str) -> Call[bool]:
    """Ends the session; True if it was live."""
    return Call("sso_session_end", (_ust(ust),), _one)


def list_sessions(user_id: str) -> Call[list[SessionInfo]]:
    """The live sessions of a user, newest first."""

    def read(rows: Rows) -> list[SessionInfo]:
        return [SessionInfo(*row) for row in rows]

    return Call("sso_session_list", (_text(user_id, "user_id"),), read, _SESSION)


def end_one(user_id: str, session_id: UUID) -> Call[bool]:
    """Ends one of a user's sessions by its session_id; True if it was live and that user's."""
    if not isinstance(session_id, UUID):
        raise BadArgument("session_id has to be a UUID")
    return Call("sso_session_end_one", (_text(user_id, "user_id"), ("uuid", session_id)), _one)


def end_all(user_id: str, keep_ust: str | None = None) -> Call[int]:
    """Ends all sessions of a user, except that of keep_ust; returns how many were live."""
    kept = ("text", None) if keep_ust is None else ("text", keep_ust if fits(keep_ust) else "")
    return Call("sso_session_end_all", (_text(user_id, "user_id"), kept), _one)


# Attributes


def _write(function: str, ust: str, name: str, *parameters: tuple[str, object]) -> Call[bool]:
    return Call(function, (_ust(ust), _name(name), *parameters), _one, names=(name,))


def create(ust: str, name: str, value: Any, expiration: Expiration = None, encrypt: bool | None = None) -> Call[bool]:
    """Creates an attribute. Raises AttributeExists.

    expiration: seconds or a timedelta from now, None is with its session. encrypt: True stores it sealed."""
    return _write("sso_attr_create_json", ust, name, _json(value), _seconds(expiration), _flag(encrypt, "encrypt"))


def update(ust: str, name: str, value: Any, expiration: Expiration = None, encrypt: bool | None = None) -> Call[bool]:
    """Replaces the value of an attribute that is there. Raises AttributeMissing.

    expiration: None leaves it as it is, infinity takes it off. encrypt: None leaves the protection as it is,
    True seals, False stores in clear."""
    return _write("sso_attr_update_json", ust, name, _json(value), _seconds(expiration), _flag(encrypt, "encrypt"))


def set_(ust: str, name: str, value: Any, expiration: Expiration = None, encrypt: bool | None = None) -> Call[bool]:
    """Creates an attribute and returns True, or replaces it as update does and returns False."""
    return _write("sso_attr_set_json", ust, name, _json(value), _seconds(expiration), _flag(encrypt, "encrypt"))


def compare_and_set(
    ust: str, name: str, expected: Any, value: Any, expiration: Expiration = None, encrypt: bool | None = None
) -> Call[bool]:
    """Replaces a value if it equals expected; False, and nothing changed, if not. Raises AttributeMissing."""
    return _write(
        "sso_attr_compare_and_set",
        ust,
        name,
        _json(expected, "expected"),
        _json(value),
        _seconds(expiration),
        _flag(encrypt, "encrypt"),
    )


def increment(
    ust: str, name: str, by: int | float | Decimal = 1, expiration: Expiration = None
) -> Call[int | float | Decimal]:
    """Adds to a number in one step and returns the sum; creates it as `by`, ending after expiration."""
    if isinstance(by, bool) or not isinstance(by, (int, float, Decimal)):
        raise BadArgument(f"by is a {type(by).__name__}; it has to be a number")
    parameters = (_ust(ust), _name(name), ("numeric", number(by, "by")), _seconds(expiration))
    return Call("sso_attr_increment", parameters, _document, _AS_TEXT, names=(name,))


def get(ust: str, name: str, default: Any = None) -> Call[Any]:
    """The value of an attribute, or default."""

    def read(rows: Rows) -> Any:
        return default if rows[0][0] is None else loads(rows[0][0])

    return Call("sso_attr_get", (_ust(ust), _name(name)), read, _AS_TEXT)


def get_item(ust: str, name: str) -> Call[Any]:
    """The value of an attribute. Raises AttributeMissing."""

    def read(rows: Rows) -> Any:
        if rows[0][0] is None:
            raise AttributeMissing("attribute does not exist", (name,))
        return loads(rows[0][0])

    return Call("sso_attr_get", (_ust(ust), _name(name)), read, _AS_TEXT)


def take(ust: str, name: str, default: Any = None) -> Call[Any]:
    """The value of an attribute, which is deleted in the same step, or default."""
    return dataclasses.replace(get(ust, name, default), function="sso_attr_take")


def exists(ust: str, name: str) -> Call[bool]:
    """Whether an attribute is there."""
    return Call("sso_attr_exists", (_ust(ust), _name(name)), _one)


def names(ust: str) -> Call[list[str]]:
    """The names of all attributes, sorted by bytes."""
    return Call("sso_attr_names", (_ust(ust),), _list)


def list_attributes(ust: str) -> Call[list[Attribute]]:
    """All attributes, sorted by name: value, whether it is sealed, and times."""

    def read(rows: Rows) -> list[Attribute]:
        return [Attribute(name, loads(value), *rest) for name, value, *rest in rows]

    columns = f"name, value::text, encrypted, created_at, updated_at, {_when('expires_at')}"
    return Call("sso_attr_list", (_ust(ust),), read, columns)


def to_dict(ust: str) -> Call[dict[str, Any]]:
    """All attributes: names and values."""
    return Call("sso_attr_get_all", (_ust(ust),), _document, _AS_TEXT)


def delete(ust: str, name: str) -> Call[bool]:
    """Deletes an attribute; False if it was not there."""
    return Call("sso_attr_delete", (_ust(ust), _name(name)), _one)


def delete_item(ust: str, name: str) -> Call[None]:
    """Deletes an attribute. Raises AttributeMissing."""

    def read(rows: Rows) -> None:
        if not rows[0][0]:
            raise AttributeMissing("attribute does not exist", (name,))

    return Call("sso_attr_delete", (_ust(ust), _name(name)), read)


def expiration(ust: str, name: str, expiration: Expiration = None) -> Call[bool]:
    """Moves the end of an attribute; None is never, but with its session. Raises AttributeMissing."""
    return _write("sso_attr_set_expiry", ust, name, _seconds(expiration))


def _write_many(function: str, ust: str, data: Items, *parameters: tuple[str, object]) -> Call[int]:
    items, names = _items(data)
    return Call(function, (_ust(ust), items, *parameters), _one, names=names)


def create_many(ust: str, data: Items, expiration: Expiration = None, encrypt: bool | None = None) -> Call[int]:
    """Creates attributes, all or none; returns how many. Raises AttributeExists.

    data: dicts with name, value and, where they differ from the call's, expiration and encrypt."""
    return _write_many("sso_attr_create_many", ust, data, _seconds(expiration), _flag(encrypt, "encrypt"))


def update_many(ust: str, data: Items, expiration: Expiration = None, encrypt: bool | None = None) -> Call[int]:
    """Replaces the values of attributes that are all there, all or none. Raises AttributeMissing with their names.

    data: as for create_many."""
    return _write_many("sso_attr_update_many", ust, data, _seconds(expiration), _flag(encrypt, "encrypt"))


def set_many(ust: str, data: Items, expiration: Expiration = None, encrypt: bool | None = None) -> Call[int]:
    """Creates or replaces attributes, all or none; returns how many. data: as for create_many."""
    return _write_many("sso_attr_set_many", ust, data, _seconds(expiration), _flag(encrypt, "encrypt"))


def expiration_many(ust: str, data: Items, expiration: Expiration = None) -> Call[int]:
    """Moves the ends of attributes that are all there, all or none. data: dicts with name and expiration."""
    return _write_many("sso_attr_set_expiry_many", ust, data, _seconds(expiration))


def get_many(ust: str, names: Iterable[str]) -> Call[dict[str, Any]]:
    """The values under these names, None under one that is not there."""
    return Call("sso_attr_get_many", (_ust(ust), _names(names)), _document, _AS_TEXT)


def exists_many(ust: str, names: Iterable[str]) -> Call[dict[str, bool]]:
    """Which of these names are there."""
    return Call("sso_attr_exists_many", (_ust(ust), _names(names)), _document, _AS_TEXT)


def delete_many(ust: str, names: Iterable[str]) -> Call[int]:
    """Deletes attributes; returns how many were there."""
    return Call("sso_attr_delete_many", (_ust(ust), _names(names)), _one)


# Users

_USER = (
    "user_id, username, created_at, password_changed_at, failures, last_failed_at, last_refused_at, last_refusal, "
    f"{_when('waits_until')}, locked, {_when('locked_until')}"
)
_NO_USER: States = {"P0002": UserMissing}


def create_user(username: str, password: str, user_id: str | None = None) -> Call[str]:
    """Creates a user and returns the user_id, a new one if none is given. Raises UserExists."""
    parameters = (_text(username, "username"), _text(password, "password"), _text(user_id, "user_id"))
    return Call("sso_user_create", parameters, _one, states={"23505": UserExists})


def delete_user(username: str) -> Call[bool]:
    """Deletes a user and ends the user's sessions; False if there is no such user."""
    return Call("sso_user_delete", (_text(username, "username"),), _one)


def user_exists(username: str) -> Call[bool]:
    """Whether there is a user of that name."""
    return Call("sso_user_exists", (_text(username, "username"),), _one)


def list_users() -> Call[list[User]]:
    """All users, and how their logins went."""

    def read(rows: Rows) -> list[User]:
        return [User(*row) for row in rows]

    return Call("sso_user_list", (), read, _USER)


def lock_user(username: str, until: datetime | None = None) -> Call[bool]:
    """Has logins of a user refused until then, None is until unlock; sessions stay. Raises UserMissing."""
    return Call("sso_user_lock", (_text(username, "username"), _time(until)), _one, states=_NO_USER)


def unlock_user(username: str) -> Call[bool]:
    """Takes back a lock and the wait after failures. Raises UserMissing."""
    return Call("sso_user_unlock", (_text(username, "username"),), _one, states=_NO_USER)


def set_password(username: str, password: str, keep_ust: str | None = None) -> Call[None]:
    """Sets a password and ends the user's sessions, except that of keep_ust. Raises UserMissing."""
    kept = ("text", None) if keep_ust is None else ("text", keep_ust if fits(keep_ust) else "")
    parameters = (_text(username, "username"), _text(password, "password"), kept)
    return Call("sso_user_set_password", parameters, _none, states=_NO_USER)


def _credential(secret: object) -> tuple[str, object]:
    """What cannot be a text of PostgreSQL is nobody's name or password; NULL is refused at the same work."""
    return "text", secret if fits(secret) else None


def verify_user(username: str, password: str) -> Call[bool]:
    """Whether this is the user's password, counted as a login is, without opening a session."""
    return Call("sso_user_verify", (_credential(username), _credential(password)), _one, commits=True)


def login(
    username: str,
    password: str,
    current_app: str | None = None,
    remote_addr: str | None = None,
    user_agent: str | None = None,
    expiration: Expiration = None,
    ust: str | None = None,
    keep_newest: int | None = None,
) -> Call[str]:
    """Opens a session for the user whose password this is. Raises LoginRefused."""

    def read(rows: Rows) -> str:
        token = rows[0][0]
        if not isinstance(token, str):
            raise LoginRefused("login was refused")
        return token

    return Call(
        "sso_user_login",
        (
            _credential(username),
            _credential(password),
            _text(current_app, "current_app"),
            _text(remote_addr, "remote_addr"),
            _text(user_agent, "user_agent"),
            _seconds(expiration),
            _text(ust, "ust"),
            _count(keep_newest),
        ),
        read,
        states={"23505": TokenInUse},
        commits=True,
        adopts=6,
    )
