"""Several servers that know nothing of each other: a session's token tells which one has it.

Only what is about a user, and not about a session, asks all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Generic, TypeVar
from uuid import UUID

from .aio import AsyncSession, AsyncSsoAttr
from .calls import Expiration
from .client import Session, SsoAttr
from .errors import BadArgument, SsoAttrError
from .records import SessionInfo
from .slots import Slots, session_id, slot

Client = TypeVar("Client", SsoAttr, AsyncSsoAttr)


class _Servers(Generic[Client]):
    def __init__(self, *servers: Client) -> None:
        if not servers:
            raise BadArgument("there has to be a server")
        self._by_slot: dict[int, Client] = {}
        open_slots: set[int] = set()
        for server in servers:
            if server.slots is None:
                raise BadArgument("a server has no slots")
            if not server.slots.own.isdisjoint(self._by_slot):
                raise BadArgument("a slot is of two servers")
            self._by_slot.update(dict.fromkeys(server.slots.own, server))
            open_slots |= server.slots.open
        self.all: tuple[Client, ...] = servers
        self.slots = Slots(self._by_slot, closed=set(self._by_slot) - open_slots)

    def server(self, ust: str) -> Client:
        """The server that the session of this token is on. What is no token, or of no server, leads to the first
        one, which answers as it does of a session that is not live."""
        return self._of(session_id(ust))

    def _of(self, session: UUID | None) -> Client:
        return self.all[0] if session is None else self._by_slot.get(slot(session), self.all[0])


class _Part(Generic[Client]):
    def __init__(self, servers: _Servers[Client]) -> None:
        self._servers: _Servers[Client] = servers


class SpreadSessions(_Part[SsoAttr]):
    """The sessions of a user on all servers, and opening one."""

    def open(
        self,
        user_id: str | None = None,
        current_app: str | None = None,
        remote_addr: str | None = None,
        user_agent: str | None = None,
        expiration: Expiration = None,
        ust: str | None = None,
        *,
        expires_at: datetime | None = None,
    ) -> Session:
        """Opens a session on any server, by its share of the open slots; one of a given token on that token's server.

        As `SsoAttr.sessions.open`, without keep_newest: a server counts its own sessions only."""
        ust = self._servers.slots.draw() if ust is None else ust
        sessions = self._servers.server(ust).sessions
        return sessions.open(user_id, current_app, remote_addr, user_agent, expiration, ust, expires_at=expires_at)

    def list(self, user_id: str) -> list[SessionInfo]:
        """The live sessions of a user, newest first."""
        return _newest_first(server.sessions.list(user_id) for server in self._servers.all)

    def end_one(self, user_id: str, session_id: UUID) -> bool:
        """Ends one of a user's sessions by its session_id; True if it was live and that user's."""
        return self._servers._of(session_id).sessions.end_one(user_id, session_id)

    def end_all(self, user_id: str, keep_ust: str | None = None) -> int:
        """Ends all sessions of a user, except that of keep_ust; returns how many were live. Where a server fails,
        it raises after it has asked the others."""
        ended, kept = 0, None
        if keep_ust is not None:
            # First: where keep_ust is refused, nothing is ended.
            kept = self._servers.server(keep_ust)
            ended = kept.sessions.end_all(user_id, keep_ust)
        failures = []
        for server in self._servers.all:
            if server is not kept:
                try:
                    ended += server.sessions.end_all(user_id)
                except SsoAttrError as error:
                    failures.append(error)
        if failures:
            raise failures[0]
        return ended


class AsyncSpreadSessions(_Part[AsyncSsoAttr]):
    """As SpreadSessions; all servers are asked at once."""

    async def open(
        self,
        user_id: str | None = None,
        current_app: str | None = None,
        remote_addr: str | None = None,
        user_agent: str | None = None,
        expiration: Expiration = None,
        ust: str | None = None,
        *,
        expires_at: datetime | None = None,
    ) -> AsyncSession:
        ust = self._servers.slots.draw() if ust is None else ust
        sessions = self._servers.server(ust).sessions
        return await sessions.open(
            user_id, current_app, remote_addr, user_agent, expiration, ust, expires_at=expires_at
        )

    async def list(self, user_id: str) -> list[SessionInfo]:
        return _newest_first(await asyncio.gather(*(server.sessions.list(user_id) for server in self._servers.all)))

    async def end_one(self, user_id: str, session_id: UUID) -> bool:
        return await self._servers._of(session_id).sessions.end_one(user_id, session_id)

    async def end_all(self, user_id: str, keep_ust: str | None = None) -> int:
        ended, kept = 0, None
        if keep_ust is not None:
            kept = self._servers.server(keep_ust)
            ended = await kept.sessions.end_all(user_id, keep_ust)
        others = [server for server in self._servers.all if server is not kept]
        answers = await asyncio.gather(*(server.sessions.end_all(user_id) for server in others), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            ended += answer
        return ended


def _newest_first(lists: Iterable[list[SessionInfo]]) -> list[SessionInfo]:
    sessions = [session for sessions in lists for session in sessions]
    return sorted(sessions, key=lambda session: (session.created_at, session.session_id), reverse=True)


class Servers(_Servers[SsoAttr]):
    """Several servers as one: each an SsoAttr with slots of its own.

    `all` has them, for the operator's calls; `server(ust)` is that of a token, for its transactions."""

    def __init__(self, *servers: SsoAttr) -> None:
        super().__init__(*servers)
        self.sessions = SpreadSessions(self)

    def session(self, ust: str) -> Session:
        """The session with this token; no round trip, so it need not be live."""
        return self.server(ust).session(ust)

    def close(self) -> None:
        for server in self.all:
            server.close()

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncServers(_Servers[AsyncSsoAttr]):
    """As Servers, each an AsyncSsoAttr."""

    def __init__(self, *servers: AsyncSsoAttr) -> None:
        super().__init__(*servers)
        self.sessions = AsyncSpreadSessions(self)

    def session(self, ust: str) -> AsyncSession:
        """The session with this token; no round trip, so it need not be live."""
        return self.server(ust).session(ust)

    async def close(self) -> None:
        for server in self.all:
            await server.close()

    async def __aenter__(self) -> AsyncServers:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
