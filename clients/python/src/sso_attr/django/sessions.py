"""The session engine: one attribute for each key, of which a save writes those that changed."""

import json
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import IntegrityError, connections
from django.dispatch import receiver

from . import conf, plain
from .statement import if_not_live, rows

LOAD = "SELECT user_id, attributes::text FROM sso_session_load(%s::text)"
VERIFY = "SELECT sso_session_verify(%s::text)"
END = "SELECT sso_session_end(%s::text)"
ROTATE = "SELECT sso_session_rotate(%s::text, %s::text)"
SAVE = """
    SELECT sso_session_save(%s::text, %s::jsonb, %s::text[], encrypt => %s::text[], replace => %s::boolean,
        expires_at => clock_timestamp() + make_interval(secs => %s::float8))
"""
CREATE = """
    WITH opened AS MATERIALIZED (
        SELECT sso_session_create(user_id => %s::text, ust => %s::text,
            expires_at => clock_timestamp() + make_interval(secs => %s::float8)) AS ust
    )
    SELECT ust, CASE WHEN %s::boolean THEN sso_session_save(ust, %s::jsonb, encrypt => %s::text[]) END FROM opened
"""


class SessionStore(SessionBase):
    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._bound_to: str | None = None
        # What the database may hold: one state, or more after saves in a transaction, which may be rolled back.
        self._stored: list[dict[str, Any]] = [{}]
        self._replace = False

    def _validate_session_key(self, key: Any) -> bool:
        return bool(super()._validate_session_key(key)) and key.isascii() and key.isprintable()

    def exists(self, session_key: str | None) -> bool:
        return self._validate_session_key(session_key) and rows(VERIFY, session_key)[0][0]

    def load(self) -> dict[str, Any]:
        found = rows(LOAD, self.session_key) if self.session_key else []
        if not found:
            self._session_key = None
            return {}
        [[self._bound_to, attributes]] = found
        stored = json.loads(attributes)
        self._is_stored(stored)
        return plain.to_data(self.serializer(), stored)

    def create(self) -> None:
        self._session_key = None
        self._create()

    def _create(self) -> None:
        """Opens a session, under the session key if there is one, with what the session has in it."""
        data = plain.from_data(self.serializer(), self._get_session(no_load=True))
        user_id = None if data.get(SESSION_KEY) is None else str(data[SESSION_KEY])
        seconds = self.get_expiry_age()
        try:
            [[self._session_key, _]] = rows(
                CREATE,
                user_id,
                self.session_key,
                seconds,
                seconds > 0,
                plain.to_text(data),
                conf.encrypted(list(data)),
                may_fail=True,
            )
        except IntegrityError:
            raise CreateError from None
        self._bound_to = user_id
        self._stored, self._replace = [{}], False
        self._saved(data)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        session = self._get_session(no_load=must_create)
        if must_create or self.session_key is None:
            self._create()
        else:
            self._update(plain.from_data(self.serializer(), session))

    def _update(self, data: dict[str, Any]) -> None:
        """Writes what has changed since it was read, so that what others have written meanwhile stays."""
        changed = {
            name: value
            for name, value in data.items()
            if not all(name in state and plain.is_same(state[name], value) for state in self._stored)
        }
        removed = {name for state in self._stored for name in state} - data.keys()
        with if_not_live(UpdateError()):
            rows(
                SAVE,
                self.session_key,
                plain.to_text(changed),
                sorted(removed),
                conf.encrypted(list(changed)),
                self._replace,
                self.get_expiry_age(),
                may_fail=True,
            )
        self._saved(data)

    def _saved(self, data: dict[str, Any]) -> None:
        if connections[conf.database()].get_autocommit():
            self._is_stored(data)
        else:
            self._stored.append(data)

    def _is_stored(self, data: dict[str, Any]) -> None:
        self._stored, self._replace = [data], False

    def clear(self) -> None:
        super().clear()
        # It has not been loaded, perhaps, so nobody knows which keys are to be removed.
        self._stored, self._replace = [{}], True

    def delete(self, session_key: str | None = None) -> None:
        key = self.session_key if session_key is None else session_key
        if self._validate_session_key(key):
            rows(END, key)

    def cycle_key(self) -> None:
        self._session  # noqa: B018 (a cookie of a session that is not live loses its key here)
        if self.session_key is None:
            self._create()
        else:
            self._rotate()

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    def bind(self) -> None:
        """Gives the session a new key, and to the user who has logged in. If it is another user's, that one ends."""
        user_id = str(self[SESSION_KEY])
        if self._bound_to not in (None, user_id):
            self.delete()
            self._session_key = None
        if self.session_key is None:
            self._create()
        else:
            self._rotate(user_id)
            self._bound_to = user_id

    def _rotate(self, user_id: str | None = None) -> None:
        ended = SessionInterrupted(
            "The session was ended before the request completed, by a logout elsewhere for example."
        )
        with if_not_live(ended):
            [[self._session_key]] = rows(ROTATE, self.session_key, user_id, may_fail=True)
        self.modified = True

    @classmethod
    def clear_expired(cls) -> None:
        """Nothing: what has expired is gone for every call, and the purge of the extension removes it."""


@receiver(user_logged_in, dispatch_uid="sso_attr.django")
def bind_user(request: Any, **_: Any) -> None:
    session = getattr(request, "session", None)
    if isinstance(session, SessionStore) and SESSION_KEY in session:
        session.bind()
