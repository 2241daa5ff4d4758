"""Which server a session belongs to: its slot, which is the last byte of its id, tells."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from .calls import Call
from .errors import BadArgument
from .values import fits

T = TypeVar("T")

_ISSUED = re.compile("sso_([A-Za-z0-9_-]{64})")


def session_id(ust: object) -> UUID | None:
    """The id of the session that a token names, as sso_session_id tells it; None for what is no token."""
    if not isinstance(ust, str) or not fits(ust):
        return None
    if ust.startswith("sso_"):
        issued = _ISSUED.fullmatch(ust)
        return UUID(bytes=base64.urlsafe_b64decode(issued[1])[:16]) if issued else None
    if not 22 <= len(ust) <= 512:
        return None
    # A UUID of version 8, made of the token's hash.
    raw = bytearray(hashlib.sha256(ust.encode()).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return UUID(bytes=bytes(raw))


def slot(session: UUID) -> int:
    """The slot of a session, 0 to 255: the last two hexadecimal digits of its id."""
    return session.bytes[-1]


class Slots:
    """The slots that are one server's.

    own: those whose sessions are there. closed: those of them in which no new session is opened."""

    def __init__(self, own: Iterable[int], *, closed: Iterable[int] = ()) -> None:
        self.own = frozenset(own)
        self.open = self.own.difference(closed)
        if not self.own <= frozenset(range(256)):
            raise BadArgument("slots are numbers from 0 to 255")

    def draw(self) -> str:
        """A new token whose session belongs here: 256 bits of chance."""
        if not self.open:
            raise BadArgument("all slots are closed: no session can be opened")
        while True:
            token = secrets.token_urlsafe(32)
            drawn = session_id(token)
            if drawn is not None and slot(drawn) in self.open:
                return token

    def placed(self, call: Call[T]) -> Call[T]:
        """The call, which opens no session elsewhere: a token that it lacks is drawn, and one that leads to
        another server is refused."""
        if call.adopts is None:
            return call
        kind, token = call.parameters[call.adopts]
        if token is None:
            parameters = list(call.parameters)
            parameters[call.adopts] = (kind, self.draw())
            return dataclasses.replace(call, parameters=tuple(parameters))
        adopted = session_id(token)
        if adopted is not None and slot(adopted) not in self.own:
            raise BadArgument("the token to adopt leads to another server")
        return call
