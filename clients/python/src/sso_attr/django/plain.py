"""A session's data as the JSON that the database holds of it: one value for each key."""

import json
import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
QUOTED = 64


def from_data(serializer: Any, data: dict[Any, Any]) -> dict[str, Any]:
    """Django's serializer decides how data becomes JSON."""
    dumped = serializer.dumps(data)
    try:
        plain = json.loads(dumped)
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        raise ImproperlyConfigured("SESSION_SERIALIZER must write a JSON object.")
    return plain


def to_data(serializer: Any, plain: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = serializer.loads(json.dumps(plain).encode("ascii"))
    return data


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON, which 1, 1.0 and True are not, though Python calls them equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def to_text(plain: dict[str, Any]) -> str:
    """The text that becomes a jsonb. The server would quote a text that cannot, so that does not get there."""
    for name, value in plain.items():
        try:
            text = json.dumps({name: value}, allow_nan=False, ensure_ascii=False)
            text.encode()
        except ValueError:
            text = None
        if text is None or NUL.search(text):
            raise ValueError(
                f"session[{name[:QUOTED]!r}] is not JSON that PostgreSQL can hold: it has NaN, Infinity,"
                " a NUL character or half of a surrogate pair in it"
            )
    return json.dumps(plain)
