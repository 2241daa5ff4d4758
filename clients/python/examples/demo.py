"""Runs the two programs beside it, each with its login, and shows the attributes that they leave behind."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from session_attr_update import SessionAttrUpdate
from session_attr_update_many import SessionAttrUpdateMany

from sso_attr import Service, Session, SsoAttr
from sso_attr.service import UserAPI


class RememberingUserAPI(UserAPI):
    """Keeps the session of the last login."""

    session_of_login: Session

    def login(self, *args: Any, **kwargs: Any) -> Session:
        self.session_of_login = super().login(*args, **kwargs)
        return self.session_of_login


def run(program: type[Service], client: SsoAttr) -> Session:
    """Runs a program and returns the session that it logged in to."""
    service = program(client)
    user = service.sso.user = RememberingUserAPI(client, strict=True)
    service.handle()
    return user.session_of_login


def show(session: Session) -> None:
    for attribute in session.attr.list():
        note = "encrypted" if attribute.encrypted else ""
        if attribute.expires_at:
            note = f"ends in {(attribute.expires_at - datetime.now(timezone.utc)).total_seconds():.0f} s"
        print(f"  {attribute.name:<18}{attribute.value!r:<18}{note}".rstrip())


if __name__ == "__main__":
    with SsoAttr() as client:
        client.users.create("admin1", "abxqDJpXMVXYEO8NOGx9nVZvv4xSew9")
        for program in SessionAttrUpdate, SessionAttrUpdateMany:
            print(f"\n== {program.__name__}, a program in Python: its attributes afterwards")
            show(run(program, client))
