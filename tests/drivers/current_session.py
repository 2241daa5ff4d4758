"""Requests of different users by Django and SQLAlchemy; docs/row-level-security.md shows these classes."""

import os

import django
from django.conf import settings
from django.db import connection, models, transaction
from django.http import JsonResponse
from django.test import Client
from django.urls import path
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

ANN, BOB = os.environ["ANN"], os.environ["BOB"]
SEE = "SELECT string_agg(DISTINCT owner, ',') FROM note"


class CurrentSession:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT sso_session_use(%s)", [request.COOKIES.get("ust")])
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            return response


@event.listens_for(Session, "after_begin")
def use_session(session, transaction, connection):
    connection.execute(text("SELECT sso_session_use(:ust)"), {"ust": session.info.get("ust")})


DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGHOST"],
    "USER": os.environ["PGUSER"],
    "NAME": "postgres",
    "CONN_MAX_AGE": None,
    "OPTIONS": {"server_side_binding": True},
}
settings.configure(
    DATABASES={"default": DATABASE}, MIDDLEWARE=[f"{__name__}.CurrentSession"], ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]
)
django.setup()


class Note(models.Model):
    owner = models.TextField()

    class Meta:
        app_label, db_table, managed = "notes", "note", False


def notes(request):
    return JsonResponse(list(Note.objects.values_list("owner", flat=True).distinct().order_by("owner")), safe=False)


def fail(request):
    Note.objects.create(id=900, owner="ann")
    raise RuntimeError


urlpatterns = [path("notes", notes), path("fail", fail)]


def by_django(ust, page="/notes"):
    client = Client(raise_request_exception=False)
    if ust:
        client.cookies["ust"] = ust
    response = client.get(page)
    return response.json() if response.status_code == 200 else response.status_code


print("Django", by_django(ANN), by_django(None), by_django(BOB), by_django("no token"), by_django(ANN, "/fail"), by_django(ANN))
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("SELECT sso_session_use(%s)", [ANN])
    print("Django", Note.objects.filter(id=900).exists(), Note.objects.exists())

engine = create_engine("postgresql+psycopg://", hide_parameters=True, pool_size=1, max_overflow=0)
for ust in ANN, None, BOB:
    with Session(engine, info={"ust": ust}) as session:
        first = session.scalar(text(SEE))
        session.commit()
        with session.begin_nested() as nested:
            within = session.scalar(text(SEE))
            nested.rollback()
        print("SQLAlchemy", first, within, session.scalar(text(SEE)))
with engine.connect() as conn:
    print("SQLAlchemy", conn.scalar(text(SEE)))
