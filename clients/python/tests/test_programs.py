"""The programs that this package takes over, run as they are, and what the surface that they call refuses."""

from __future__ import annotations

import sys
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

from support import administrator

import sso_attr
from sso_attr import Service, SsoAttr

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

from demo import run
from session_attr_update import SessionAttrUpdate
from session_attr_update_many import SessionAttrUpdateMany


class Programs(unittest.TestCase):
    def setUp(self) -> None:
        self.client = SsoAttr()
        self.addCleanup(self.client.close)
        if not self.client.users.exists("admin1"):
            self.client.users.create("admin1", "abxqDJpXMVXYEO8NOGx9nVZvv4xSew9")
        self.addCleanup(self.client.users.delete, "admin1")

    def test_update(self) -> None:
        session = run(SessionAttrUpdate, self.client)
        self.assertEqual(
            [(a.name, a.value, a.encrypted, a.expires_at) for a in session.attr.list()],
            [("my-attribute-abc", "my-value2", False, None)],
        )
        info = session.info()
        self.assertEqual((info.current_app, info.remote_addr, info.user_agent), ("CRM", "127.0.0.1", "Firefox 139.0"))

    def test_update_many(self) -> None:
        session = run(SessionAttrUpdateMany, self.client)
        attributes = session.attr.list()
        self.assertEqual(
            [(a.name, a.value, a.encrypted) for a in attributes],
            [
                ("my-attr1", "my-value1-abc", False),
                ("my-attr2", "my-value2-abc", True),
                ("my-attr3", "my-value3-abc", False),
            ],
        )
        ends = attributes[2].expires_at
        assert ends is not None
        self.assertLess(abs(ends - datetime.now(timezone.utc) - timedelta(hours=1)), timedelta(seconds=30))
        self.assertEqual([a.expires_at for a in attributes[:2]], [None, None])

    def test_they_run_without_a_client_by_the_environment(self) -> None:
        SessionAttrUpdate().handle()
        SessionAttrUpdateMany().handle()
        with administrator() as connection:
            row = connection.execute(
                "SELECT count(*) FROM sso_attr.attribute JOIN sso_attr.session AS s ON s.id = session_id "
                "JOIN sso_attr.user AS u USING (user_id) WHERE username = 'admin1'"
            ).fetchone()
        self.assertEqual(row, (4,))


class Surface(unittest.TestCase):
    """What `self.sso` of a service does beyond the calls of the two programs."""

    app, addr = "CRM", "127.0.0.1"

    def setUp(self) -> None:
        self.client = SsoAttr()
        self.addCleanup(self.client.close)
        self.name, self.password = f"user {uuid.uuid4()}", "password 1"
        self.client.users.create(self.name, self.password)
        self.cid = "cid"
        self.user = Service(self.client).sso.user
        self.ust = self.login()

    def login(self, app: str = app, addr: str = addr) -> str:
        return self.user.login(self.cid, self.name, self.password, app, addr, "agent").ust

    def test_a_wrong_password_is_an_error_and_counted(self) -> None:
        with self.assertRaises(sso_attr.LoginRefused):
            self.user.login(self.cid, self.name, "wrong", self.app, self.addr)
        (user,) = [user for user in self.client.users.list() if user.username == self.name]
        self.assertEqual(user.failures, 1)

    def test_get_shows_the_session(self) -> None:
        session = self.user.session.get(self.cid, self.ust, self.ust, self.app, self.addr)
        self.assertEqual((session.ust, session.remote_addr, session.user_agent), (self.ust, self.addr, "agent"))
        assert session.expiration_time is not None
        self.assertEqual(session.expiration_time - session.creation_time, timedelta(hours=1))

    def test_a_session_is_for_its_application_and_address_only(self) -> None:
        session = self.user.session
        for app, addr in (("ERP", self.addr), (self.app, "127.0.0.2"), (None, self.addr), (self.app, None)):
            with self.subTest(f"{app} {addr}"):
                for call in (
                    lambda: session.get(self.cid, self.ust, self.ust, app, addr),  # noqa: B023
                    lambda: session.renew(self.cid, self.ust, app, addr),  # noqa: B023
                    lambda: session.list(self.cid, self.ust, self.ust, app, addr),  # noqa: B023
                    lambda: self.user.logout(self.cid, self.ust, app, addr),  # noqa: B023
                ):
                    with self.assertRaises(sso_attr.NotAllowed):
                        call()
                self.assertIs(session.verify(self.cid, self.ust, self.ust, app, addr), False)
        self.assertIs(session.verify(self.cid, self.ust, self.ust, self.app, self.addr), True)

    def test_an_address_is_compared_as_such(self) -> None:
        for opened, shown in (
            ("2001:db8::1", "2001:DB8:0:0::1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("127.0.0.1", "127.0.0.1/32"),
        ):
            ust = self.login(addr=opened)
            self.assertIs(self.user.session.verify(self.cid, ust, ust, self.app, shown), True, shown)
            self.assertIs(self.user.session.verify(self.cid, ust, ust, self.app, "10.0.0.0/8"), False)

    def test_a_service_can_be_lenient(self) -> None:
        class Lenient(Service):
            strict = False

        session = Lenient(self.client).sso.user.session
        self.assertEqual(session.get(self.cid, self.ust, self.ust, "ERP", "10.0.0.1").ust, self.ust)

    def test_a_session_is_for_its_user_only(self) -> None:
        session, anonymous = self.user.session, self.client.sessions.open(None, self.app, self.addr).ust
        another = self.login()
        self.assertEqual(session.get(self.cid, self.ust, another, self.app, self.addr).ust, self.ust)
        other = self.client.sessions.open("other", self.app, self.addr).ust
        stranger = self.client.sessions.open(None, self.app, self.addr).ust
        for target, current in (
            (self.ust, other),
            (other, self.ust),
            (anonymous, self.ust),
            (self.ust, anonymous),
            (anonymous, stranger),
        ):
            with self.assertRaises(sso_attr.NotAllowed):
                session.get(self.cid, target, current, self.app, self.addr)
        self.client.session(another).end()
        with self.assertRaises(sso_attr.SessionNotLive):
            session.get(self.cid, self.ust, another, self.app, self.addr)

    def test_list_renew_logout(self) -> None:
        session = self.user.session
        second = self.login()
        self.assertEqual(len(session.list(self.cid, self.ust, self.ust, self.app, self.addr)), 2)
        ends = session.renew(self.cid, self.ust, self.app, self.addr)
        assert ends is not None
        self.assertGreater(ends, datetime.now(timezone.utc))
        self.assertIs(self.user.logout(self.cid, self.ust, self.app, self.addr), True)
        self.assertIs(self.user.logout(self.cid, self.ust, self.app, self.addr), False)
        self.assertEqual(len(session.list(self.cid, second, second, self.app, self.addr)), 1)
