"""The surface of Zato's single sign-on: a service written for it runs with another import."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from datetime import datetime

from .client import Session, SsoAttr
from .errors import NotAllowed, SessionNotLive
from .records import SessionInfo


class CurrentSession(Session):
    """A session that was live when it was got, and what it was like then."""

    def __init__(self, session: Session, info: SessionInfo) -> None:
        super().__init__(session._client, session.ust)
        self.session_id = info.session_id
        self.user_id = info.user_id
        self.current_app = info.current_app
        self.remote_addr = info.remote_addr
        self.user_agent = info.user_agent
        self.creation_time = info.created_at
        self.expiration_time = info.expires_at


class SessionAPI:
    """`self.sso.user.session` of a service.

    strict: the caller's application and address have to be those that the session was opened with."""

    def __init__(self, client: SsoAttr, strict: bool) -> None:
        self._client = client
        self._strict = strict

    def get(
        self,
        cid: str,
        target_ust: str,
        current_ust: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> CurrentSession:
        """The session of target_ust, for the user of current_ust. Raises SessionNotLive, NotAllowed."""
        current = self._admitted(current_ust, current_app, remote_addr)
        if target_ust == current_ust:
            return current
        target = self._admitted(target_ust, current_app, remote_addr)
        # There are no super-users here.
        if target.user_id is None or target.user_id != current.user_id:
            raise NotAllowed("the session is another user's")
        return target

    def verify(
        self,
        cid: str,
        target_ust: str,
        current_ust: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> bool:
        """Whether `get` would return the session."""
        try:
            self.get(cid, target_ust, current_ust, current_app, remote_addr, user_agent)
        except (SessionNotLive, NotAllowed):
            return False
        return True

    def renew(
        self,
        cid: str,
        ust: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> datetime | None:
        """Moves the end of the session by its idle limit and returns it, None for never."""
        return self._admitted(ust, current_app, remote_addr).renew()

    def list(
        self,
        cid: str,
        target_ust: str,
        current_ust: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> list[SessionInfo]:
        """The live sessions of the user of target_ust, newest first."""
        found = self.get(cid, target_ust, current_ust, current_app, remote_addr, user_agent)
        if found.user_id is None:
            return []
        return self._client.sessions.list(found.user_id)

    def _admitted(self, ust: str, current_app: str | None, remote_addr: str | None) -> CurrentSession:
        session = self._client.session(ust)
        found = CurrentSession(session, session.info())
        if self._strict and (
            (found.current_app or None) != (current_app or None) or _address(found.remote_addr) != _address(remote_addr)
        ):
            raise NotAllowed("the session was opened by another application or from another address")
        return found


class UserAPI:
    """`self.sso.user` of a service."""

    def __init__(self, client: SsoAttr, strict: bool) -> None:
        self._client = client
        self.session = SessionAPI(client, strict)

    def login(
        self,
        cid: str,
        username: str,
        password: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> Session:
        """Opens a session, whose token is its `ust`. Raises LoginRefused."""
        return self._client.users.login(username, password, current_app, remote_addr, user_agent)

    def logout(
        self,
        cid: str,
        ust: str,
        current_app: str | None,
        remote_addr: str | None,
        user_agent: str | None = None,
    ) -> bool:
        """Ends the session; True if it was live. Raises NotAllowed."""
        try:
            return self.session._admitted(ust, current_app, remote_addr).end()
        except SessionNotLive:
            return False


class SSO:
    """`self.sso` of a service."""

    def __init__(self, client: SsoAttr, strict: bool) -> None:
        self.user = UserAPI(client, strict)


class Service:
    """The base class of a service.

    client: None is one for all services, which connects as the environment says (PGHOST and so on)."""

    # Whether a session is only for the application and the address that opened it.
    strict = True

    def __init__(self, client: SsoAttr | None = None) -> None:
        self.cid = uuid.uuid4().hex
        self.sso = SSO(client or _shared_client(), self.strict)

    def handle(self) -> None:
        raise NotImplementedError


@functools.cache
def _shared_client() -> SsoAttr:
    return SsoAttr()


def _address(text: str | None) -> object:
    """Addresses are compared as such; an IPv4 address may come written as one of IPv6."""
    try:
        address = ipaddress.ip_interface(text or "")
    except ValueError:
        return text or None
    mapped = address.ip.ipv4_mapped if isinstance(address, ipaddress.IPv6Interface) else None
    return mapped or (address.ip if address.network.num_addresses == 1 else address)
