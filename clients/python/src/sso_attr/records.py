"""What calls return that is more than one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class SessionInfo:
    """A live session. `expires_at` None is never, or past the year 9999."""

    session_id: UUID
    user_id: str | None
    current_app: str | None
    remote_addr: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class LoadedSession(SessionInfo):
    """A live session with all its attributes."""

    attributes: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Attribute:
    """An attribute. `expires_at` None is never, or past the year 9999."""

    name: str
    value: Any = field(repr=False)
    encrypted: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class User:
    """A user, and how logins of that user went."""

    user_id: str
    username: str
    created_at: datetime
    password_changed_at: datetime
    failures: int
    last_failed_at: datetime | None
    last_refused_at: datetime | None
    last_refusal: str | None
    waits_until: datetime | None
    locked: bool
    locked_until: datetime | None
