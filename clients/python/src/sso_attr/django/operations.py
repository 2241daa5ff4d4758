"""Migration operations."""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres import operations
from django.db import router


class CreateExtension(operations.CreateExtension):
    """Creates the extension, as a superuser, in a schema of its own if one is named, and opens it to roles."""

    def __init__(self, schema: str | None = None, grant: Sequence[str] = ()) -> None:
        super().__init__("sso_attr")
        self.schema = schema
        self.grant = grant

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or not router.allow_migrate(connection.alias, app_label):
            return
        quoted = schema_editor.quote_name
        schema = self._schema(connection)
        if schema is None:
            schema, place = self.schema, ""
            if schema:
                schema_editor.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                place = f" SCHEMA {quoted(schema)}"
            schema_editor.execute(f"CREATE EXTENSION {self.name}{place}")
        function = f"{quoted(schema)}.sso_attr_grant" if schema else "sso_attr_grant"
        for role in self.grant:
            schema_editor.execute(f"SELECT {function}(%s::text::regrole)", [quoted(role)])

    def _schema(self, connection: Any) -> str | None:
        """Where it is, if it is there already."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = %s",
                [self.name],
            )
            found: tuple[str] | None = cursor.fetchone()
        return found[0] if found else None
