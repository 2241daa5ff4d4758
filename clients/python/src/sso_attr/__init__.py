"""Session attributes inside PostgreSQL: the Python client of the extension sso_attr."""

from .aio import AsyncAttributes, AsyncSession, AsyncSsoAttr
from .client import Attributes, Session, SsoAttr
from .errors import (
    AttributeExists,
    AttributeMissing,
    BadArgument,
    Cancelled,
    Corrupted,
    LoginRefused,
    NoKeyring,
    NotAllowed,
    NotInstalled,
    ServerGone,
    SessionNotLive,
    SsoAttrError,
    TokenInUse,
    TooLong,
    TryAgain,
    UserExists,
    UserMissing,
)
from .records import Attribute, LoadedSession, SessionInfo, User
from .servers import AsyncServers, Servers
from .service import Service
from .slots import Slots, session_id, slot

__all__ = [
    "AsyncAttributes",
    "AsyncServers",
    "AsyncSession",
    "AsyncSsoAttr",
    "Attribute",
    "AttributeExists",
    "AttributeMissing",
    "Attributes",
    "BadArgument",
    "Cancelled",
    "Corrupted",
    "LoadedSession",
    "LoginRefused",
    "NoKeyring",
    "NotAllowed",
    "NotInstalled",
    "ServerGone",
    "Servers",
    "Service",
    "Session",
    "SessionInfo",
    "SessionNotLive",
    "Slots",
    "SsoAttr",
    "SsoAttrError",
    "TokenInUse",
    "TooLong",
    "TryAgain",
    "User",
    "UserExists",
    "UserMissing",
    "session_id",
    "slot",
]
