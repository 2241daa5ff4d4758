"""The examples of README.md, run in their order as they stand there."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import io
import re
import textwrap
import unittest
from typing import Any

from support import administrator

from sso_attr import AsyncSsoAttr, SsoAttr

README = importlib.metadata.metadata("sso-attr").json["description"]


class Readme(unittest.TestCase):
    def setUp(self) -> None:
        text = str(README).replace('"host=db user=shop dbname=shop"', '""')
        self.minute, self.asynchronous, self.service, self.transaction = re.findall(r"```python\n(.*?)```", text, re.S)
        self.sso = SsoAttr()
        self.addCleanup(self.sso.close)

    def test_in_a_minute(self) -> None:
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(self.minute, names)
        self.assertEqual(printed.getvalue(), "('crad',)\n")
        self.assertEqual(names["loaded"].attributes, {"cart": {"items": [1, 2]}, "card": "4222..."})
        self.assertIs(self.sso.session(names["ust"]).verify(), False)

    def test_with_asyncio(self) -> None:
        names: dict[str, Any] = {"dsn": "", "AsyncSsoAttr": AsyncSsoAttr}
        exec("async def main():\n" + textwrap.indent(self.asynchronous + "\n    return session.ust", "    "), names)
        self.assertEqual(self.sso.session(asyncio.run(names["main"]()))["cart"], {"items": [1, 2]})

    def test_a_service(self) -> None:
        self.sso.users.create("admin1", "password 1")
        self.addCleanup(self.sso.users.delete, "admin1")
        exec(self.service, {"dsn": "", "password": "password 1", "SsoAttr": SsoAttr})
        (user,) = [user for user in self.sso.users.list() if user.username == "admin1"]
        self.assertEqual(len(self.sso.sessions.list(user.user_id)), 1)

    def test_your_own_transaction(self) -> None:
        session = self.sso.sessions.open()
        session["cart"] = 1
        with administrator() as connection:
            connection.execute("CREATE TABLE orders (what text)")
            self.addCleanup(self.forget_orders)
            exec(self.transaction, {"sso": self.sso, "ust": session.ust})
            self.assertEqual(connection.execute("TABLE orders").fetchall(), [("cart",)])
        self.assertNotIn("cart", session)

    def forget_orders(self) -> None:
        with administrator() as connection:
            connection.execute("DROP TABLE orders")
