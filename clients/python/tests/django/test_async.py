"""The asynchronous methods, by asynchronous requests."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import AsyncClient, TransactionTestCase

from sso_attr.django.sessions import SessionStore


@sync_to_async
def session_id(key):
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_id FROM sso_session_get(%s)", [key])
        return cursor.fetchone()[0]


class AsyncTests(TransactionTestCase):
    async def test_a_new_key_is_one_of_the_same_session(self):
        session = SessionStore()
        await session.acreate()
        before = session.session_key
        same = await session_id(before)
        await session.acycle_key()
        self.assertNotEqual(session.session_key, before)
        self.assertEqual(await session_id(session.session_key), same)

    async def test_requests(self):
        user = await User.objects.acreate_user("ann", password="secret")
        client = AsyncClient()

        async def key_after(path):
            response = await client.get(path)
            self.assertEqual(response.status_code, 200)
            return client.cookies[settings.SESSION_COOKIE_NAME].value

        anonymous = await key_after("/async/put?a=1&card=4111")
        self.assertEqual(await SessionStore(anonymous).aload(), {"a": "1", "card": "4111"})
        key = await key_after("/async/login?user=ann&password=secret")
        self.assertFalse(await SessionStore().aexists(anonymous))
        session = SessionStore(key)
        self.assertEqual(await session.aget("_auth_user_id"), str(user.pk))
        self.assertEqual(await session.aget("a"), "1")
        await key_after("/async/put?a=2")
        self.assertEqual((await SessionStore(key).aload())["a"], "2")
        self.assertEqual(await key_after("/async/logout"), "")
        self.assertFalse(await SessionStore().aexists(key))
        await SessionStore.aclear_expired()
