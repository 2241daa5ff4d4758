"""Login, logout and a new password, by requests."""

from browser import BrowserTestCase
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.exceptions import SessionInterrupted
from django.test import Client, RequestFactory
from django.utils import timezone

from sso_attr.django.sessions import SessionStore
from sso_attr.django.users import end_session, end_sessions, sessions_of


class LoginTests(BrowserTestCase):
    def test_login_keeps_the_data_gives_a_new_key_and_binds_the_user(self):
        self.get("/put?color=blue")
        anonymous = self.key()
        self.assertEqual(self.rows("SELECT user_id FROM sso_session_get(%s)", anonymous), [(None,)])
        self.log_in()
        self.assertTrue(self.key().startswith("sso_"))
        self.assertNotEqual(self.key(), anonymous)
        self.assertFalse(self.is_live(anonymous))
        self.assertEqual(self.rows("SELECT user_id FROM sso_session_get(%s)", self.key()), [(str(self.user.pk),)])
        self.assertEqual(self.shown(), ("ann", {"color": "blue"}))

    def test_login_without_a_session_before(self):
        self.log_in()
        [session] = sessions_of(self.user)
        self.assertEqual(session.user_id, str(self.user.pk))
        self.assertLess(session.created_at, timezone.now())

    def test_login_again_gives_a_new_key(self):
        self.log_in()
        before = self.key()
        self.log_in()
        self.assertFalse(self.is_live(before))
        self.assertEqual(len(sessions_of(self.user)), 1)

    def test_another_user_on_the_same_browser_starts_afresh(self):
        bob = User.objects.create_user("bob", password="secret")
        self.log_in()
        self.get("/put?color=blue")
        of_ann = self.key()
        self.log_in(user="bob")
        self.assertFalse(self.is_live(of_ann))
        self.assertEqual(self.shown(), ("bob", {}))
        self.assertEqual((len(sessions_of(self.user)), len(sessions_of(bob))), (0, 1))

    def test_a_session_of_another_user_ends_when_its_data_is_taken_over(self):
        """An application has removed the user from the data by hand, and another one logs in."""
        bob = User.objects.create_user("bob", password="secret")
        self.log_in()
        session = SessionStore(self.key())
        del session[SESSION_KEY]
        session["color"] = "blue"
        session.save()
        self.log_in(user="bob")
        self.assertFalse(self.is_live(session.session_key))
        self.assertEqual(self.shown(), ("bob", {"color": "blue"}))
        self.assertEqual((len(sessions_of(self.user)), len(sessions_of(bob))), (0, 1))

    def test_a_login_without_a_session_opens_none(self):
        """As libraries for tokens in headers do: they send the signal and log nobody in."""
        request = RequestFactory().get("/")
        request.session = SessionStore()
        user_logged_in.send(User, request=request, user=self.user)
        self.assertIsNone(request.session.session_key)
        user_logged_in.send(User, request=RequestFactory().get("/"), user=self.user)

    def test_logout_ends_the_session(self):
        self.log_in()
        key = self.key()
        tab = self.same_browser()
        self.get("/logout")
        self.assertFalse(self.is_live(key))
        self.assertEqual(self.key(), "")
        self.assertEqual(self.shown(tab), ("", {}))
        self.assertEqual(sessions_of(self.user), [])

    def test_devices_of_a_user(self):
        phone, laptop, tablet = Client(), Client(), Client()
        for client in phone, laptop, tablet:
            self.log_in(client)
        newest, *_ = sessions_of(self.user)
        self.assertFalse(end_session(User.objects.create_user("bob"), newest.session_id))
        self.assertTrue(end_session(self.user, newest.session_id))
        self.assertFalse(end_session(self.user, newest.session_id))
        self.assertEqual(self.shown(tablet), ("", {}))
        self.assertEqual(end_sessions(self.user, keep=SessionStore(self.key(phone))), 1)
        self.assertEqual((self.shown(phone)[0], self.shown(laptop)[0]), ("ann", ""))
        self.assertEqual(end_sessions(self.user), 1)
        self.assertEqual(self.shown(phone), ("", {}))

    def test_a_new_password_keeps_this_browser_with_a_new_key_and_ends_the_others(self):
        other = Client()
        self.log_in(other)
        self.log_in()
        before = self.key()
        self.get("/password?password=new")
        self.assertFalse(self.is_live(before))
        self.assertEqual(self.shown()[0], "ann")
        of_other = self.key(other)
        self.assertEqual(self.shown(other), ("", {}))
        self.assertFalse(self.is_live(of_other))
        self.assertEqual(len(sessions_of(self.user)), 1)

    def test_a_new_key_does_not_revive_a_session_that_was_ended(self):
        self.log_in()
        session = SessionStore(self.key())
        self.assertIn(HASH_SESSION_KEY, session)
        self.get("/logout")
        with self.assertRaises(SessionInterrupted):
            session.cycle_key()
        with self.assertRaises(SessionInterrupted):
            session.bind()
        self.assertEqual(sessions_of(self.user), [])

    def test_a_new_key_reaches_the_browser(self):
        self.log_in()
        for renew in "cycle_key", "bind":
            session = SessionStore(self.key())
            getattr(session, renew)()
            self.assertTrue(session.modified)
            self.client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key

    def test_a_new_key_for_a_cookie_of_no_session(self):
        session = SessionStore("sso_of_a_session_that_never_was")
        session.cycle_key()
        self.assertTrue(self.is_live(session.session_key))
        self.assertEqual(SessionStore(session.session_key).load(), {})

    def test_a_hand_made_login_is_bound(self):
        """As test suites and single sign-ons do it: no login(), only the data."""
        session = SessionStore()
        session[SESSION_KEY] = self.user.pk
        session.save()
        self.assertEqual(len(sessions_of(self.user)), 1)
