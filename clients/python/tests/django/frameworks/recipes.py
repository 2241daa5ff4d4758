"""The examples of docs/frameworks.md, taken from its text."""

import os
import re
from pathlib import Path

PAGE = Path(__file__).parents[5] / "docs" / "frameworks.md"
DSN = "host='{PGHOST}' port={PGPORT} user={PGUSER} dbname={PGDATABASE}".format(**os.environ)


def examples(heading: str, language: str = "python") -> list[str]:
    [section] = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def recipe(heading: str) -> dict:
    """What the first example defines."""
    namespace: dict = {}
    exec(compile(examples(heading)[0], str(PAGE), "exec"), namespace)
    return namespace


def statements(heading: str) -> list[str]:
    """The second one, which shows how the first one is used."""
    return [line.split("  #")[0].rstrip() for line in examples(heading)[1].splitlines() if line]
