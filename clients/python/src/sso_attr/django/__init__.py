"""Sessions of Django in PostgreSQL, by the extension sso_attr: SESSION_ENGINE = "sso_attr.django.sessions"."""
