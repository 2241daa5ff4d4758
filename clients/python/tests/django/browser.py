"""A browser's requests to the shop, and what the database holds after them."""

from threading import Thread

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client, TransactionTestCase
from shop import views

from sso_attr.django.sessions import SessionStore


class BrowserTestCase(TransactionTestCase):
    def setUp(self):
        # Django empties its own tables only.
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE sso_attr.session, sso_attr.attribute")
        self.user = User.objects.create_user("ann", password="secret")
        views.loaded.clear()
        views.go_on.clear()

    def log_in(self, client=None, user="ann", password="secret"):
        return self.get(f"/login?user={user}&password={password}", client)

    def get(self, path, client=None, status=200):
        response = (client or self.client).get(path)
        self.assertEqual(response.status_code, status)
        return response

    def shown(self, client=None):
        page = self.get("/show", client).json()
        return page["user"], {name: value for name, value in page["session"].items() if not name.startswith("_auth")}

    def key(self, client=None):
        cookie = (client or self.client).cookies.get(settings.SESSION_COOKIE_NAME)
        return cookie and cookie.value

    def is_live(self, key):
        return SessionStore().exists(key)

    def same_browser(self):
        """Another tab: the same cookie."""
        tab = Client()
        tab.cookies[settings.SESSION_COOKIE_NAME] = self.key()
        return tab

    def while_saving_slowly(self, query, meanwhile):
        """Another tab's request has loaded the session before, and saves it after meanwhile; its response."""
        tab, responses = self.same_browser(), []

        def request():
            try:
                responses.append(tab.get(f"/slow?{query}"))
            finally:
                connections.close_all()

        thread = Thread(target=request)
        thread.start()
        try:
            self.assertTrue(views.loaded.wait(views.TIMEOUT))
            meanwhile()
        finally:
            views.go_on.set()
            thread.join()
        [response] = responses
        return response

    def rows(self, sql, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
