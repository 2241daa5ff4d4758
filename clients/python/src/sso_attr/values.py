"""What is sent and read: JSON without a silent change, and texts that PostgreSQL can hold."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from .errors import BadArgument, TooLong

_UNFIT = re.compile("[\x00\ud800-\udfff]")
# PostgreSQL's numeric has so many digits before the decimal point, and so many after it.
_WHOLE_DIGITS, _FRACTION_DIGITS = 131072, 16383
# Python itself refuses to turn longer texts into an int, and longer ints into a text.
_INT_DIGITS = 4300


def dumps(value: object, what: str = "value") -> str:
    """JSON text of None, bool, int, float, Decimal, str, list, tuple and dict with str keys; nothing else."""
    try:
        return "".join(_parts(value, what))
    except RecursionError:
        raise TooLong(f"{what} is nested too deeply") from None


def _parts(value: object, what: str) -> Iterator[str]:
    if value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        yield _string(value, what)
    elif isinstance(value, (int, float, Decimal)):
        yield number(value, what)
    elif isinstance(value, dict):
        yield "{"
        for place, (key, element) in enumerate(value.items()):
            yield ", " if place else ""
            yield _string(key, f"a key of {what}")
            yield ": "
            yield from _parts(element, what)
        yield "}"
    elif isinstance(value, (list, tuple)):
        yield "["
        for place, element in enumerate(value):
            yield ", " if place else ""
            yield from _parts(element, what)
        yield "]"
    else:
        raise BadArgument(f"{what} holds {_kind(value)}, which JSON cannot hold: convert it first")


def _string(value: object, what: str) -> str:
    return json.dumps(text(value, what), ensure_ascii=False)


def number(value: int | float | Decimal, what: str) -> str:
    """A number with all its digits."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadArgument(f"{what} holds NaN or Infinity, which JSON cannot hold")
        return float.__repr__(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise BadArgument(f"{what} holds NaN or Infinity, which JSON cannot hold")
        exponent = value.as_tuple().exponent
        if value.adjusted() >= _WHOLE_DIGITS or (isinstance(exponent, int) and -exponent > _FRACTION_DIGITS):
            raise BadArgument(f"{what} holds a number that PostgreSQL cannot hold")
        return str(value)
    try:
        return int.__repr__(value)
    except ValueError:
        raise BadArgument(f"{what} holds an int of more digits than Python writes: pass a Decimal") from None


def loads(document: str) -> Any:
    """A value as it is stored, digit for digit."""
    try:
        return json.loads(document, parse_float=_fraction, parse_int=_whole)
    except RecursionError:
        raise TooLong("the stored value is nested more deeply than Python reads") from None


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _INT_DIGITS else Decimal(digits)


def _fraction(digits: str) -> float | Decimal:
    """A float where that has the same digits, else a Decimal."""
    exact, near = Decimal(digits), float(digits)
    return near if Decimal(repr(near)).as_tuple() == exact.as_tuple() else exact


def fits(value: object) -> bool:
    """Whether PostgreSQL can hold this as a text."""
    return isinstance(value, str) and not _UNFIT.search(value)


def text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise BadArgument(f"{what} is {_kind(value)}; it has to be a str")
    if not fits(value):
        raise BadArgument(f"{what} holds a NUL character or half of a surrogate pair, which PostgreSQL cannot hold")
    return value


def seconds(expiration: object) -> float | None:
    """Seconds from now, given as a number or a timedelta; None is "not given"."""
    if isinstance(expiration, timedelta):
        return expiration.total_seconds()
    if expiration is None:
        return None
    if isinstance(expiration, bool) or not isinstance(expiration, (int, float, Decimal)):
        raise BadArgument(f"expiration is {_kind(expiration)}; it has to be seconds or a timedelta")
    try:
        return float(expiration)
    except (OverflowError, ValueError):
        raise BadArgument("expiration is out of range") from None


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"
