"""A site as its users configure it; the database of the environment, in which Django creates one for tests."""

import os

DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"],
    "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"],
    "NAME": os.environ["PGDATABASE"],
    "OPTIONS": {"server_side_binding": os.environ["SERVER_SIDE_BINDING"] == "1"},
}
DATABASES = {"default": DATABASE, "sessions": DATABASE | {"OPTIONS": {"server_side_binding": True}}}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "sso_attr.django",
    "sessions_tests",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "shop.urls"
SESSION_ENGINE = "sso_attr.django.sessions"
SSO_ATTR_ENCRYPTED = ["card"]
SECRET_KEY = "only for tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
