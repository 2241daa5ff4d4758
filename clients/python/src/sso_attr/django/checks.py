"""What `manage.py check` says; what needs a connection only with --database, and before migrations."""

from typing import Any

from django.conf import settings
from django.contrib.sessions.serializers import JSONSerializer
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from . import conf, plain

FOUND = """
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'sso_attr'),
        to_regprocedure('sso_session_list(text)') IS NOT NULL,
        has_function_privilege(to_regprocedure('sso_session_list(text)'), 'EXECUTE')
"""


@register(Tags.security)
def check_settings(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    alias = conf.database()
    if alias not in connections or connections[alias].vendor != "postgresql":
        return [Error(f"SSO_ATTR_DATABASE, {alias!r}, is not a PostgreSQL database.", id="sso_attr.E001")]
    if not connections[alias].features.uses_server_side_binding:
        found.append(
            Warning(
                "Session keys and values become part of statements' texts, so they are in pg_stat_activity"
                " and, after an error, in the server's log.",
                hint='Set "server_side_binding": True, no other value, in the OPTIONS of'
                f" the database {alias!r}, with psycopg 3.",
                id="sso_attr.W001",
            )
        )
    wanted = getattr(settings, "SSO_ATTR_ENCRYPTED", ())
    if isinstance(wanted, str) and wanted != conf.ALL:
        found.append(Error(f'SSO_ATTR_ENCRYPTED must be a list of keys, or "{conf.ALL}".', id="sso_attr.E002"))
    try:
        plain.from_data(import_string(settings.SESSION_SERIALIZER)(), {"key": "value"})
    except ImproperlyConfigured as error:
        found.append(Error(str(error), hint=f"{JSONSerializer.__module__}.JSONSerializer does.", id="sso_attr.E003"))
    return found


@register(Tags.database)
def check_extension(databases: list[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Only a warning: an error would keep the migration that creates the extension from running."""
    alias = conf.database()
    if alias not in (databases or ()) or connections[alias].vendor != "postgresql":
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(FOUND)
        is_there, is_in_path, may_call = cursor.fetchone()
    if not is_there:
        message, hint = (
            "The extension sso_attr is not in the database",
            "Create it by sso_attr.django.operations.CreateExtension.",
        )
    elif not is_in_path:
        message, hint = (
            "The functions of sso_attr are not in the search_path of the database",
            "ALTER ROLE ... SET search_path does that.",
        )
    elif not may_call:
        message, hint = (
            "The role may not call the functions of sso_attr in the database",
            "SELECT sso_attr_grant('role').",
        )
    else:
        return []
    return [Warning(f"{message} {alias!r}.", hint=hint, id="sso_attr.W002")]
