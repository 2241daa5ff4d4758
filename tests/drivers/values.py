"""What the programs for Python's drivers share: the table of values and what is done with it."""

import inspect
import json
import pathlib
import sys

VALUES = json.loads((pathlib.Path(__file__).parent / "values.json").read_text(encoding="utf-8"))
BARE = {"42": 42, "true": True, "null": None, "[1, 2]": [1, 2], "{a: 1}": {"a": 1}}


async def result(maybe):
    return await maybe if inspect.isawaitable(maybe) else maybe


async def store(open_session, json_verb, get, set_bare):
    """Every value through every verb for JSON, then some as they are through the polymorphic one.

    Prints the tokens of the two sessions, for the test to look at what the server has."""
    ust = await result(open_session())
    for name, value in VALUES.items():
        for verb, given in ("create", value), ("update", [value]), ("set", value):
            await result(json_verb(f"sso_attr_{verb}_json", ust, name, given))
            # As texts, because 1, 1.0 and True are equal.
            found = await result(get(ust, name))
            assert json.dumps(found) == json.dumps(given), (verb, name, found)
    print(ust)

    ust = await result(open_session())
    for name, value in BARE.items():
        try:
            await result(set_bare(ust, name, value))
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
    print(ust)
