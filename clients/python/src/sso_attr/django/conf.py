"""The settings, each with its default."""

from django.conf import settings

ALL = "__all__"


def database() -> str:
    """SSO_ATTR_DATABASE: the alias of the database that has the extension."""
    return getattr(settings, "SSO_ATTR_DATABASE", "default")


def encrypted(names: list[str]) -> list[str]:
    """Those of these keys that SSO_ATTR_ENCRYPTED wants encrypted: a list of keys, or "__all__"."""
    wanted = getattr(settings, "SSO_ATTR_ENCRYPTED", ())
    return names if wanted == ALL else [name for name in names if name in wanted]
