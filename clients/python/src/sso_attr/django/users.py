"""The sessions of a user, wherever that user is logged in: for a page of devices, and for logging out of them."""

from datetime import datetime
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, NamedTuple
from uuid import UUID

from .sessions import SessionStore
from .statement import rows


class UserSession(NamedTuple):
    session_id: UUID
    user_id: str
    current_app: str | None
    remote_addr: IPv4Interface | IPv6Interface | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime | None


def _user_id(user: Any) -> str:
    return str(user._meta.pk.value_to_string(user))


def sessions_of(user: Any) -> list[UserSession]:
    """The live ones, newest first."""
    return [UserSession(*row) for row in rows("SELECT * FROM sso_session_list(%s::text)", _user_id(user))]


def end_session(user: Any, session_id: UUID) -> bool:
    """Ends one; true if it was live and this user's."""
    return bool(rows("SELECT sso_session_end_one(%s::text, %s::uuid)", _user_id(user), session_id)[0][0])


def end_sessions(user: Any, keep: SessionStore | None = None) -> int:
    """Ends all, except the one to keep, as a rule request.session, and returns how many were live."""
    ust = keep.session_key if keep else None
    return int(rows("SELECT sso_session_end_all(%s::text, %s::text)", _user_id(user), ust, may_fail=True)[0][0])
