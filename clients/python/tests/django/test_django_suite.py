"""Django's own tests of session engines and of the middleware, run against this one."""

from django.conf import settings
from django.http import HttpResponse
from django.test import TestCase
from sessions_tests import tests as django_tests

from sso_attr.django.sessions import SessionStore


class EngineTests(django_tests.SessionTestsMixin, TestCase):
    backend = SessionStore


class MiddlewareTests(django_tests.SessionMiddlewareTests):
    def test_empty_session_saved(self):
        """Django's looks into the table of its own engine; this one does the same requests and loads the session."""

        def response_set_session(request):
            request.session["foo"] = "bar"
            return HttpResponse("Session test")

        request = self.request_factory.get("/")
        middleware = django_tests.SessionMiddleware(response_set_session)
        response = middleware(request)
        key = request.session.session_key
        self.assertEqual(SessionStore(key).load(), {"foo": "bar"})

        del request.session["foo"]
        response = middleware.process_response(request, HttpResponse("Session test"))
        self.assertEqual(SessionStore(key).load(), {})
        self.assertTrue(SessionStore().exists(key))
        self.assertIn(f"Set-Cookie: {settings.SESSION_COOKIE_NAME}={key}", str(response.cookies))
        self.assertEqual(response.headers["Vary"], "Cookie")
