"""The recipe for Starlette, by requests."""

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import IsolatedAsyncioTestCase

import httpx
import psycopg
from psycopg_pool import AsyncConnectionPool
from recipes import DSN as dsn
from recipes import recipe, statements
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SsoAttrSessions = recipe("Starlette")["SsoAttrSessions"]
TIMEOUT = 30


class Shop:
    """Its pages, as a browser's requests reach them."""

    def __init__(self):
        self.loaded, self.go_on = asyncio.Event(), asyncio.Event()
        paths = {
            "/put": self.put,
            "/remove": self.remove,
            "/login": self.log_in,
            "/logout": self.log_out,
            "/show": self.show,
        }
        self.routes = [Route(path, page) for path, page in paths.items()]

    async def put(self, request):
        request.session.update(request.query_params)
        if "slowly" in request.query_params:
            self.loaded.set()
            await asyncio.wait_for(self.go_on.wait(), TIMEOUT)
        return Response()

    async def remove(self, request):
        del request.session[request.query_params["name"]]
        return Response()

    async def log_in(self, request):
        request.session["user"] = "ann"
        request.session["is"] = 1
        return Response()

    async def log_out(self, request):
        request.session.clear()
        return Response()

    async def show(self, request):
        return JSONResponse(request.session)


class StarletteTests(IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.shop = Shop()
        routes = self.shop.routes
        pool = AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False)
        app = Starlette(routes=routes, middleware=[Middleware(SsoAttrSessions, pool=pool)])
        await self.enterAsyncContext(pool)
        self.app = app
        self.client = await self.enterAsyncContext(self.browser())
        self.connection = await self.enterAsyncContext(await psycopg.AsyncConnection.connect(dsn, autocommit=True))
        await self.ask("SELECT sso_session_end_all('ann')")

    @asynccontextmanager
    async def browser(self, **arguments):
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.test", **arguments) as client:
            yield client

    async def another_tab(self):
        return await self.enterAsyncContext(self.browser(cookies=httpx.Cookies(self.client.cookies)))

    async def ask(self, sql, *parameters):
        return (await (await self.connection.execute(sql, parameters)).fetchone())[0]

    async def get(self, path, client=None):
        response = await (client or self.client).get(path)
        self.assertEqual(response.status_code, 200)
        return response

    async def shown(self, client=None):
        return (await self.get("/show", client)).json()

    def token(self, client=None):
        return (client or self.client).cookies.get("session")

    async def of_ann(self):
        return await self.ask("SELECT count(*) FROM sso_session_list('ann')")

    async def while_saving_slowly(self, query, path):
        tab = await self.another_tab()
        slow = asyncio.create_task(self.get(f"/put?slowly=1&{query}", tab))
        await asyncio.wait_for(self.shop.loaded.wait(), TIMEOUT)
        await self.get(path)
        self.shop.go_on.set()
        await slow
        return tab

    async def test_the_page_s_statements_are_those_of_this_program(self):
        program = re.sub(r"\s+", " ", Path(__file__).read_text())
        self.assertEqual(len(statements("Starlette")), 4)
        for statement in statements("Starlette"):
            self.assertIn(statement, program)

    async def test_login_change_logout(self):
        await self.get("/put?color=blue&gone=1")
        anonymous = self.token()
        await self.get("/login")
        self.assertFalse(await self.ask("SELECT sso_session_verify(%s)", anonymous))
        self.assertEqual(await self.of_ann(), 1)
        self.assertEqual(await self.shown(), {"color": "blue", "gone": "1", "user": "ann", "is": 1})
        await self.get("/put?color=red")
        await self.get("/remove?name=gone")
        self.assertEqual(await self.shown(), {"color": "red", "user": "ann", "is": 1})
        token, tab = self.token(), await self.another_tab()
        await self.get("/logout")
        self.assertFalse(await self.ask("SELECT sso_session_verify(%s)", token))
        self.assertEqual((await self.of_ann(), self.token(), await self.shown(tab)), (0, None, {}))

    async def test_login_in_a_first_request(self):
        await self.get("/login")
        self.assertEqual((await self.of_ann(), await self.shown()), (1, {"user": "ann", "is": 1}))

    async def test_a_request_that_changes_nothing_sets_no_cookie(self):
        for path in "/show", "/logout":
            self.assertNotIn("set-cookie", (await self.get(path)).headers)
        await self.get("/login")
        self.assertNotIn("set-cookie", (await self.get("/show")).headers)

    async def test_two_requests_that_change_different_keys_both_count(self):
        await self.get("/put?first=0&second=0")
        await self.while_saving_slowly("first=1", "/put?second=2")
        self.assertEqual(await self.shown(), {"first": "1", "second": "2", "slowly": "1"})

    async def test_logout_wins_over_a_request_that_saves_later(self):
        await self.get("/login")
        token = self.token()
        tab = await self.while_saving_slowly("first=1", "/logout")
        self.assertFalse(await self.ask("SELECT sso_session_verify(%s)", token))
        self.assertEqual((self.token(tab), await self.of_ann()), (None, 0))
