"""What was built and installed, which is what all tests here run."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import inspect
import tarfile
import unittest
import zipfile
from pathlib import Path

import sso_attr
from sso_attr import AsyncAttributes, AsyncSession, AsyncSsoAttr, Attributes, Session, SsoAttr

DIST = Path(sso_attr.__file__).parents[2] / "dist"


class Package(unittest.TestCase):
    def test_the_wheel_is_what_is_tested(self) -> None:
        (wheel,) = DIST.glob("*.whl")
        self.assertEqual(wheel.name, f"sso_attr-{importlib.metadata.version('sso-attr')}-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as archive:
            self.assertIn("sso_attr/py.typed", archive.namelist())
            installed = (importlib.resources.files("sso_attr") / "client.py").read_bytes()
            self.assertEqual(archive.read("sso_attr/client.py"), installed)

    def test_the_sdist_has_all_that_it_is_built_from(self) -> None:
        (sdist,) = DIST.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        self.assertLessEqual({"pyproject.toml", "README.md", "LICENSE", "src/sso_attr/py.typed"}, names)

    def test_it_needs_psycopg_and_its_pool_only(self) -> None:
        needed = [line for line in importlib.metadata.requires("sso-attr") or [] if "extra ==" not in line]
        self.assertEqual(needed, ["psycopg>=3.2", "psycopg-pool>=3.2"])


class Surface(unittest.TestCase):
    def test_both_clients_have_the_same_calls(self) -> None:
        for waiting, asynchronous in ((SsoAttr, AsyncSsoAttr), (Session, AsyncSession), (Attributes, AsyncAttributes)):
            own = {name for name in vars(waiting) if not name.startswith("_")}
            self.assertEqual(own, {name for name in vars(asynchronous) if not name.startswith("_")})
            for name in own:
                if inspect.isfunction(getattr(waiting, name)):
                    pair = [inspect.signature(getattr(client, name)) for client in (waiting, asynchronous)]
                    self.assertEqual(list(pair[0].parameters.items()), list(pair[1].parameters.items()), name)

    def test_a_call_shows_its_parameters(self) -> None:
        for client in SsoAttr, AsyncSsoAttr:
            shown = inspect.signature(client().users.create).parameters
            self.assertEqual(list(shown), ["username", "password", "user_id"])
            self.assertEqual(list(inspect.signature(client().session("").save).parameters)[:2], ["changed", "removed"])

    def test_the_calls_of_the_source_have_its_names_and_parameters(self) -> None:
        attr = Attributes(SsoAttr(), "")
        for name, parameters in (
            ("update", {"name": inspect.Parameter.empty, "value": inspect.Parameter.empty}),
            ("update_many", {"data": inspect.Parameter.empty}),
        ):
            found = inspect.signature(getattr(attr, name)).parameters.values()
            wanted = {**parameters, "expiration": None, "encrypt": None}
            self.assertEqual({p.name: p.default for p in found}, wanted)
