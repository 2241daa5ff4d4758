"""What is written, when, and how."""

import json
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

from browser import BrowserTestCase
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, connection, connections, transaction
from django.test import override_settings
from django.utils import timezone

from sso_attr.django.sessions import SessionStore

HELD = """
    SELECT name, sealed IS NOT NULL, value FROM sso_attr.attribute
    WHERE session_id = (SELECT session_id FROM sso_session_get(%s)) ORDER BY name
"""


class WithTimes:
    """A serializer of a site's own, whose JSON has times in it."""

    def dumps(self, data):
        return json.dumps(data, cls=DjangoJSONEncoder).encode()

    def loads(self, data):
        return {k: datetime.fromisoformat(v) if k == "at" else v for k, v in json.loads(data).items()}


class NotJson:
    def dumps(self, data):
        return b"\x80\x04"


class StorageTests(BrowserTestCase):
    def stored(self, **data):
        session = SessionStore()
        session.update(data)
        session.save()
        return SessionStore(session.session_key)

    def held(self, session):
        return {name: json.loads(value) for name, sealed, value in self.rows(HELD, session.session_key) if not sealed}

    # Round trips

    def test_statements_of_a_request(self):
        with self.assertNumQueries(0):
            self.get("/put")  # that changes nothing, without a cookie
        self.client.cookies.clear()
        for path, statements in [
            ("/put?a=1", 1),  # opens a session
            ("/show", 1),  # load
            ("/put?a=2", 2),  # load, save
            ("/login?user=ann&password=secret", 6),  # load, user, new key, last_login, user bound and new key, save
            ("/show", 2),  # load, user
            ("/put?a=3", 2),  # load, save
            ("/logout", 3),  # load, user, end
        ]:
            with self.subTest(path), self.assertNumQueries(statements):
                self.get(path)

    def test_only_keys_that_changed_are_written(self):
        session = self.stored(a=1, b={"x": [1]}, c=True)
        session["a"] = 2
        session["b"] = {"x": [1]}
        session["c"] = 1
        self.assertEqual(self.written_by(session.save), {"a", "c"})
        self.assertEqual(self.written_by(session.save), set())
        session["a"] = 3
        self.assertEqual(self.written_by(session.save), {"a"})

    def written_by(self, save):
        """The keys whose rows are other ones after the save."""
        versions = "SELECT name, ctid::text FROM sso_attr.attribute"
        before = set(self.rows(versions))
        save()
        return {name for name, _ in set(self.rows(versions)) - before}

    # What Django documents of a session

    def test_a_change_within_a_value_is_saved_if_the_session_is_said_to_be_modified(self):
        session = self.stored(cart=["tea"])
        self.client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        self.get("/add?item=milk")
        self.assertEqual(self.shown()[1], {"cart": ["tea"]})
        self.get("/add?item=milk&modified")
        self.assertEqual(self.shown()[1], {"cart": ["tea", "milk"]})

    def test_clear_removes_what_was_never_loaded(self):
        session = self.stored(a=1, b=2)
        session.clear()
        session["b"] = 2
        session.save()
        self.assertEqual(self.held(session), {"b": 2})
        session.clear()
        session.save()
        self.assertEqual(self.held(session), {})

    def test_keys_become_strings(self):
        self.assertEqual(self.stored(a=(1, 2)).load(), {"a": [1, 2]})
        session = SessionStore()
        session[0] = {1: "bar"}
        session.save()
        self.assertEqual(SessionStore(session.session_key).load(), {"0": {"1": "bar"}})

    def test_expiry(self):
        for expiry, seconds in (
            (60, 60),
            (timedelta(minutes=2), 120),
            (timezone.now() + timedelta(hours=1), 3600),
            (None, settings.SESSION_COOKIE_AGE),
            (0, settings.SESSION_COOKIE_AGE),
        ):
            with self.subTest(expiry):
                session = self.stored(a=1)
                session.set_expiry(expiry)
                session.save()
                [[left]] = self.rows(
                    "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM sso_session_get(%s)",
                    session.session_key,
                )
                self.assertAlmostEqual(float(left), seconds, delta=30)

    def test_a_session_whose_expiry_is_past_is_over_with_the_save(self):
        for expiry in -1, timezone.now() - timedelta(days=1):
            session = self.stored(a=1)
            session.set_expiry(expiry)
            session.save()
            self.assertFalse(self.is_live(session.session_key))

    @override_settings(SESSION_SAVE_EVERY_REQUEST=True, SESSION_COOKIE_AGE=1000)
    def test_each_request_renews(self):
        self.get("/put?a=1")
        self.rows("SELECT sso_session_renew(%s, 10)", self.key())
        self.get("/show")
        [[left]] = self.rows(
            "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM sso_session_get(%s)", self.key()
        )
        self.assertGreater(left, 900)

    def test_clearsessions_touches_nothing(self):
        session = self.stored(a=1)
        call_command("clearsessions")
        self.assertEqual(session.load(), {"a": 1})

    # Values

    def test_values(self):
        values = {
            "text": '日 \\u0000 " 😀',
            "number": 1.5,
            "big": 2**70,
            "null": None,
            "yes": True,
            "deep": {"a": [{"b": []}]},
        }
        self.assertEqual(self.stored(**values).load(), values)

    def test_what_json_cannot_hold_is_refused_and_nothing_is_written(self):
        for value, error in (
            (b"x", TypeError),
            (datetime.now(UTC), TypeError),
            ({1, 2}, TypeError),
            (float("nan"), ValueError),
            ([float("inf")], ValueError),
            ("secret\0", ValueError),
            ("\\\0", ValueError),
            ({"secret\udc80": 1}, ValueError),
        ):
            with self.subTest(value):
                session = self.stored(a=1)
                session.update({"a": 2, "bad": value})
                with self.assertRaises(error) as caught:
                    session.save()
                self.assertNotIn("secret", str(caught.exception))
                self.assertEqual(self.held(session), {"a": 1})
                self.assertTrue(error is TypeError or "session['bad']" in str(caught.exception))

    @override_settings(SESSION_SERIALIZER=f"{__name__}.WithTimes")
    def test_the_serializer_decides(self):
        at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.assertEqual(self.stored(at=at).load(), {"at": at})

    @override_settings(SESSION_SERIALIZER=f"{__name__}.NotJson")
    def test_a_serializer_that_does_not_write_json_is_refused(self):
        with self.assertRaises(ImproperlyConfigured):
            self.stored(a=1)

    def test_encrypted_keys_are_sealed(self):
        session = self.stored(card="4111", color="blue")
        self.assertEqual([row[:2] for row in self.rows(HELD, session.session_key)], [("card", True), ("color", False)])
        session["card"] = "4222"
        session.save()
        session = SessionStore(session.session_key)
        self.assertEqual(session.load(), {"card": "4222", "color": "blue"})
        self.assertEqual(
            self.rows(
                "SELECT count(*) FROM sso_attr.attribute AS a WHERE a::text LIKE '%%4111%%' OR a::text LIKE '%%4222%%'"
            ),
            [(0,)],
        )

    @override_settings(SSO_ATTR_ENCRYPTED="__all__")
    def test_all_keys_can_be_encrypted(self):
        session = self.stored(a=1)
        session["b"] = 2
        session.save()
        self.assertEqual([row[:2] for row in self.rows(HELD, session.session_key)], [("a", True), ("b", True)])
        self.assertEqual(session.load(), {"a": 1, "b": 2})

    # Keys

    def test_cookies_that_are_no_keys(self):
        for cookie in "x", "x" * 8, "sso_" + "A" * 64, "x" * 4000, "'; DROP TABLE x; --", "\0" * 30, "é" * 30:
            with self.subTest(cookie):
                # As a browser that is not one may send it: newer releases of Python refuse to store some of them.
                sent = {"HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={SimpleCookie().value_encode(cookie)[1]}"}
                page = self.client.get("/show", **sent).json()
                self.assertEqual((page["user"], page["session"]), ("", {}))
                self.client.cookies.clear()
                self.client.get("/put?a=1", **sent)
                self.assertTrue(self.key().startswith("sso_"))
        for key in "\0" * 30, "é" * 30, "\udc80" * 30, "x", "", None:
            with self.subTest(key):
                session = SessionStore(key)
                self.assertEqual(session.load(), {})
                self.assertFalse(session.exists(key))
                session.delete(key)
                session.cycle_key()
                self.assertTrue(self.is_live(session.session_key))

    def test_a_key_that_is_given_is_adopted_once(self):
        key = "k" * 32
        session = SessionStore(key)
        session.save(must_create=True)
        self.assertEqual(session.session_key, key)
        with self.assertRaises(CreateError), transaction.atomic():
            SessionStore(key).save(must_create=True)

    # Transactions

    def test_a_refused_save_leaves_the_transaction_usable(self):
        session = self.stored(a=1)
        session["a"] = 2
        session.delete()
        adopted = SessionStore("k" * 32)
        adopted.save(must_create=True)
        with transaction.atomic():
            with self.assertRaises(UpdateError):
                session.save()
            with self.assertRaises(CreateError):
                SessionStore(adopted.session_key).save(must_create=True)
            self.assertEqual(self.rows("SELECT 1"), [(1,)])

    def test_a_save_that_is_rolled_back_is_made_good_by_the_next(self):
        session = self.stored(a=1, b=1, c=1)
        session["a"] = 2
        del session["b"]
        with self.assertRaises(InterruptedError), transaction.atomic():
            session.save()
            raise InterruptedError
        session.save()
        self.assertEqual(self.held(session), {"a": 2, "c": 1})

    def test_a_save_without_autocommit(self):
        session = self.stored(a=1)
        session["a"] = 2
        transaction.set_autocommit(False)
        try:
            session.save()
            transaction.rollback()
            session.save()
            transaction.commit()
        finally:
            transaction.set_autocommit(True)
        self.assertEqual(self.held(session), {"a": 2})

    def test_saves_within_one_transaction(self):
        session = self.stored(a=1)
        with transaction.atomic():
            session["b"] = 1
            session["a"] = 2
            session.save()
            del session["b"]
            session["a"] = 1
            session.save()
        self.assertEqual(self.held(session), {"a": 1})

    def test_a_server_that_goes_away_leaves_nothing_half_written(self):
        session = self.stored(a=1, b=1)
        session.update({"a": 2, "b": 2})
        [[pid]] = self.rows("SELECT pg_backend_pid()")
        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        finally:
            other.close()
        with self.assertRaises(OperationalError):
            session.save()
        connection.close()
        self.assertEqual(self.held(session), {"a": 1, "b": 1})
        session.save()
        self.assertEqual(self.held(session), {"a": 2, "b": 2})

    # Who may

    def test_the_right_app_is_enough(self):
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE sso_attr_django")
            cursor.execute("SELECT sso_attr_grant('sso_attr_django')")
            cursor.execute("SET ROLE sso_attr_django")
        try:
            session = self.stored(a=1, card="4111")
            session["a"] = 2
            session.save()
            session.cycle_key()
            session["_auth_user_id"] = "1"
            session.bind()
            self.assertEqual(session.load(), {"a": 2, "card": "4111"})
            session.flush()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")
                cursor.execute("DROP OWNED BY sso_attr_django")
                cursor.execute("DROP ROLE sso_attr_django")

    def test_a_token_is_in_a_statement_only_without_server_side_binding(self):
        """What the check sso_attr.W001 says."""
        session = self.stored(a="my value")
        session["a"] = "other value"
        session.save()
        # Asked by a connection of its own.
        [[pid]] = self.rows("SELECT pg_backend_pid()")
        session.save()
        session["a"] = "my value"
        session.save()
        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])
                [[query]] = cursor.fetchall()
        finally:
            other.close()
        self.assertIn("sso_session_save", query)
        is_bound = connection.features.uses_server_side_binding
        self.assertEqual((session.session_key in query, "my value" in query), (not is_bound, not is_bound))
