"""The recipe for Flask-Session, by requests."""

import re
from pathlib import Path
from threading import Event, Thread
from unittest import TestCase

import psycopg
from flask import Flask, request, session
from psycopg_pool import ConnectionPool
from recipes import DSN as dsn
from recipes import recipe, statements

SsoAttrSessions = recipe("Flask")["SsoAttrSessions"]
TIMEOUT = 30


def make_app():
    app = Flask(__name__)
    app.testing = True
    app.session_interface = SsoAttrSessions(app, ConnectionPool(dsn, kwargs={"autocommit": True}, open=True))
    app.loaded, app.go_on = Event(), Event()

    @app.get("/put")
    def put():
        session.update(request.args.to_dict())
        if "slowly" in request.args:
            app.loaded.set()
            if not app.go_on.wait(TIMEOUT):
                raise TimeoutError
        return "put"

    @app.get("/add")
    def add():
        session["cart"] = [*session.get("cart", []), 1]
        session["is"] = request.args["is"] == "True" or 1
        return "added"

    @app.get("/remove")
    def remove():
        del session[request.args["name"]]
        return "removed"

    @app.get("/login")
    def log_in():
        app.session_interface.regenerate(session, "ann")
        session["user"] = "ann"
        return "logged in"

    @app.get("/logout")
    def log_out():
        session.clear()
        return "logged out"

    @app.get("/show")
    def show():
        return dict(session)

    return app


class FlaskTests(TestCase):
    def setUp(self):
        self.app = make_app()
        self.addCleanup(self.app.session_interface.pool.close)
        self.client = self.app.test_client()
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.addCleanup(self.connection.close)
        self.connection.execute("SELECT sso_session_end_all('ann')")

    def get(self, path, client=None):
        response = (client or self.client).get(path)
        self.assertEqual(response.status_code, 200)
        return response

    def shown(self, client=None):
        return {k: v for k, v in self.get("/show", client).json.items() if k != "_permanent"}

    def token(self):
        cookie = self.client.get_cookie("session")
        return cookie and f"session:{cookie.value}"

    def of_ann(self):
        return self.connection.execute("SELECT count(*) FROM sso_session_list('ann')").fetchone()[0]

    def is_live(self, token):
        return self.connection.execute("SELECT sso_session_verify(%s)", [token]).fetchone()[0]

    def another_tab(self):
        client = self.app.test_client()
        client.set_cookie("session", self.client.get_cookie("session").value)
        return client

    def while_saving_slowly(self, query, meanwhile):
        tab = self.another_tab()
        thread = Thread(target=lambda: self.get(f"/put?slowly=1&{query}", tab))
        thread.start()
        try:
            self.assertTrue(self.app.loaded.wait(TIMEOUT))
            meanwhile()
        finally:
            self.app.go_on.set()
            thread.join()
        return tab

    def test_the_page_s_statements_are_those_of_this_program(self):
        program = re.sub(r"\s+", " ", Path(__file__).read_text())
        self.assertEqual(len(statements("Flask")), 3)
        for statement in statements("Flask"):
            self.assertIn(statement, program)

    def test_login_change_logout(self):
        self.get("/put?color=blue&gone=1")
        anonymous = self.token()
        self.get("/login")
        self.assertFalse(self.is_live(anonymous))
        self.assertEqual((self.of_ann(), self.shown()), (1, {"color": "blue", "gone": "1", "user": "ann"}))
        self.get("/put?color=red")
        self.get("/remove?name=gone")
        self.assertEqual(self.shown(), {"color": "red", "user": "ann"})
        token, tab = self.token(), self.another_tab()
        self.get("/logout")
        self.assertEqual((self.of_ann(), self.is_live(token), self.token()), (0, False, None))
        self.assertEqual(self.shown(tab), {})

    def test_login_in_a_first_request(self):
        self.get("/login")
        self.assertEqual((self.of_ann(), self.shown()), (1, {"user": "ann"}))

    def test_values_keep_their_types(self):
        self.get("/add?is=1")
        self.get("/add?is=True")
        self.assertEqual(str(self.shown()), "{'cart': [1, 1], 'is': True}")

    def test_two_requests_that_change_different_keys_both_count(self):
        self.get("/put?first=0&second=0")
        self.while_saving_slowly("first=1", lambda: self.get("/put?second=2"))
        self.assertEqual(self.shown(), {"first": "1", "second": "2", "slowly": "1"})

    def test_logout_wins_over_a_request_that_saves_later(self):
        self.get("/login")
        token = self.token()
        tab = self.while_saving_slowly("first=1", lambda: self.get("/logout"))
        self.assertFalse(self.is_live(token))
        self.assertIsNone(tab.get_cookie("session"))
        self.assertEqual(self.of_ann(), 0)
