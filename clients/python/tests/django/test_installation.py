"""The system checks, and the migration operation."""

from io import StringIO

from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, connections, migrations, transaction
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter
from django.test import TransactionTestCase, override_settings

from sso_attr.django import checks
from sso_attr.django.operations import CreateExtension
from sso_attr.django.sessions import SessionStore


def ids(databases=("default",)):
    return [message.id for message in [*checks.check_settings(), *checks.check_extension(databases=list(databases))]]


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


class CheckTests(TransactionTestCase):
    def setUp(self):
        self.expected = [] if connection.features.uses_server_side_binding else ["sso_attr.W001"]

    def test_they_are_registered(self):
        self.assertEqual([message.id for message in run_checks(databases=["default"])], self.expected)

    def test_a_right_installation(self):
        self.assertEqual(ids(), self.expected)

    def test_server_side_binding_other_than_true(self):
        """Django takes only True itself, which a database's URL cannot say."""
        options = connection.settings_dict["OPTIONS"]
        for value in "true", False, None:
            with self.subTest(value):
                before = options["server_side_binding"]
                options["server_side_binding"] = value
                connection.features.__dict__.pop("uses_server_side_binding", None)
                try:
                    self.assertEqual(ids(), ["sso_attr.W001"])
                finally:
                    options["server_side_binding"] = before
                    connection.features.__dict__.pop("uses_server_side_binding", None)

    def test_a_database_that_is_none(self):
        with override_settings(SSO_ATTR_DATABASE="absent"):
            self.assertEqual(ids(), ["sso_attr.E001"])

    def test_settings(self):
        with override_settings(SSO_ATTR_ENCRYPTED="card"):
            self.assertEqual(ids(), [*self.expected, "sso_attr.E002"])
        with override_settings(SSO_ATTR_ENCRYPTED="__all__"):
            self.assertEqual(ids(), self.expected)
        with override_settings(SESSION_SERIALIZER="test_storage.NotJson"):
            self.assertEqual(ids(), [*self.expected, "sso_attr.E003"])

    def test_the_extension(self):
        warned = [*self.expected, "sso_attr.W002"]
        for cause, remedy in [
            ("SET search_path = pg_catalog", "RESET search_path"),
            ("CREATE ROLE sso_attr_nobody; SET ROLE sso_attr_nobody", "RESET ROLE; DROP ROLE sso_attr_nobody"),
        ]:
            with self.subTest(cause):
                for statement in cause.split(";"):
                    run(statement)
                try:
                    self.assertEqual(ids(), warned)
                    self.assertEqual(ids(databases=[]), self.expected)
                finally:
                    for statement in remedy.split(";"):
                        run(statement)


class OperationTests(TransactionTestCase):
    INSTALLED = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'sso_attr'"

    def setUp(self):
        run("DROP EXTENSION sso_attr")
        run("CREATE ROLE sso_attr_django")
        self.addCleanup(self.restore)

    def restore(self):
        run("DROP EXTENSION IF EXISTS sso_attr")
        run('DROP SCHEMA IF EXISTS "My sso"')
        run("DROP OWNED BY sso_attr_django")
        run("DROP ROLE sso_attr_django")
        run("CREATE EXTENSION sso_attr")

    def migrate(self, operation, forwards=True):
        state = ProjectState()
        with connection.schema_editor() as editor:
            (operation.database_forwards if forwards else operation.database_backwards)("shop", editor, state, state)

    def test_without_the_extension_there_is_a_warning_and_migrations_run(self):
        self.assertIn("sso_attr.W002", ids())
        call_command("migrate", verbosity=0, stderr=StringIO())

    def test_in_the_search_path(self):
        self.migrate(CreateExtension())
        self.assertEqual(run(self.INSTALLED), [("public",)])
        self.migrate(CreateExtension(grant=["sso_attr_django"]))
        run("SET ROLE sso_attr_django")
        try:
            session = SessionStore()
            session.save()
            self.assertTrue(SessionStore().exists(session.session_key))
        finally:
            run("RESET ROLE")
        self.migrate(CreateExtension(), forwards=False)
        self.assertEqual(run(self.INSTALLED), [])

    def test_in_a_schema_of_its_own(self):
        operation = CreateExtension(schema="My sso", grant=["sso_attr_django"])
        for _ in range(2):
            self.migrate(operation)
            self.assertEqual(run(self.INSTALLED), [('"My sso"',)])
        run('SET search_path = "My sso"; SELECT 1')
        try:
            run("SET ROLE sso_attr_django")
            SessionStore().save()
        finally:
            run("RESET ROLE")
            run("RESET search_path")

    def test_it_can_be_written_into_a_migration(self):
        operation = CreateExtension(schema="sso", grant=["web"])
        migration = type("Migration", (migrations.Migration,), {"operations": [operation]})("0002_sso", "shop")
        self.assertIn("sso_attr.django.operations.CreateExtension(", MigrationWriter(migration).as_string())
        self.assertEqual(operation.deconstruct()[2], {"schema": "sso", "grant": ["web"]})


class DatabaseTests(TransactionTestCase):
    """Sessions on a connection of their own, and so apart from the transactions of requests."""

    databases = frozenset({"default", "sessions"})

    @override_settings(SSO_ATTR_DATABASE="sessions")
    def test_another_alias(self):
        session = SessionStore()
        with self.assertRaises(InterruptedError), transaction.atomic():
            session["a"] = 1
            session.save()
            raise InterruptedError
        self.assertEqual(SessionStore(session.session_key).load(), {"a": 1})
        self.assertIsNot(connections["sessions"], connections["default"])
