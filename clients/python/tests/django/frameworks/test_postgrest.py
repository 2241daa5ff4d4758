"""The functions for PostgREST, by the calls that it is documented to make for a request."""

import json
from unittest import TestCase

import psycopg
from recipes import DSN, examples

SETUP = """
    CREATE TABLE api.note (owner text NOT NULL DEFAULT sso_current_user_id(), body text);
    ALTER TABLE api.note ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON api.note USING (owner = (SELECT sso_current_user_id()));
    GRANT SELECT, INSERT ON api.note TO web_anon;
    SELECT sso_user_create('api-ann', 'right password', 'ann'), sso_user_create('api-bob', 'right password', 'bob');
"""
LOCALS = """
    SELECT set_config('search_path', 'api, public', true), set_config('role', 'web_anon', true),
        set_config('request.method', %s, true), set_config('request.cookies', %s, true)
"""


class PostgrestTests(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.connection = psycopg.connect(DSN, autocommit=True)
        [functions] = examples("PostgREST", "sql")
        cls.connection.execute(functions)
        cls.connection.execute(SETUP)

    @classmethod
    def tearDownClass(cls):
        cls.connection.execute(
            "DROP SCHEMA api, web CASCADE; DROP OWNED BY web_anon, web_login; DROP ROLE web_anon, web_login"
        )
        cls.connection.execute("SELECT sso_user_delete('api-ann'), sso_user_delete('api-bob')")
        cls.connection.close()

    def request(self, method, query, *parameters, token=None):
        """Its rows, the status and the headers."""
        cookies = {} if token is None else {"session": token}
        self.connection.read_only = method == "GET"
        try:
            with self.connection.transaction():
                self.connection.execute(LOCALS, [method, json.dumps(cookies)])
                self.connection.execute("SELECT web.use_session()")
                rows = self.connection.execute(query, parameters).fetchall()
                answer = "SELECT current_setting('response.status', true), current_setting('response.headers', true)"
                status, headers = self.connection.execute(answer).fetchone()
        finally:
            self.connection.read_only = None
        return rows, status or "200", json.loads(headers or "[]")

    def log_in(self, user, password="right password"):
        return self.request("POST", "SELECT * FROM api.login(%s, %s)", user, password)

    def token_of(self, user):
        _, status, [header] = self.log_in(user)
        self.assertEqual(status, "200")
        cookie, *attributes = header["Set-Cookie"].split("; ")
        self.assertEqual(attributes, ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"])
        name, token = cookie.split("=", 1)
        self.assertEqual(name, "session")
        return token

    def test_login_change_logout(self):
        ann, bob = self.token_of("api-ann"), self.token_of("api-bob")
        self.request("POST", "INSERT INTO api.note (body) VALUES ('mine') RETURNING body", token=ann)
        see = "SELECT owner FROM api.note"
        self.assertEqual(self.request("GET", see, token=ann), ([("ann",)], "200", []))
        for other in bob, None, "no token", "":
            self.assertEqual(self.request("GET", see, token=other), ([], "200", []))
        _, _, [header] = self.request("POST", "SELECT * FROM api.logout()", token=ann)
        self.assertEqual(header["Set-Cookie"], "session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0")
        self.assertEqual(self.request("GET", see, token=ann), ([], "200", []))
        self.assertEqual(self.request("GET", "SELECT sso_current_user_id()", token=bob)[0], [("bob",)])

    def test_a_refused_login_is_counted(self):
        failures = "SELECT failures FROM sso_user_list() WHERE username = 'api-bob'"
        [[before]] = self.connection.execute(failures).fetchall()
        for user in "api-bob", "api-nobody":
            _, status, headers = self.log_in(user, "wrong password")
            self.assertEqual((status, headers), ("401", []))
        [[after]] = self.connection.execute(failures).fetchall()
        self.assertEqual(after, before + 1)

    def test_a_client_may_do_nothing_else(self):
        for query in (
            "SELECT sso_user_login('api-ann', 'right password')",
            "SELECT sso_session_create('ann')",
            "SELECT * FROM sso_user_list()",
            "SELECT * FROM sso_session_list('ann')",
        ):
            with self.subTest(query), self.assertRaises(psycopg.errors.InsufficientPrivilege):
                self.request("POST", query)
