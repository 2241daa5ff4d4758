"""The settings for Django are those that the tests of the engine use."""

import os
import re
from unittest import TestCase

from recipes import examples


class SettingsTests(TestCase):
    def test_the_page_s_settings_are_those_of_the_tests(self):
        os.environ["SERVER_SIDE_BINDING"] = "1"
        import settings

        shown = {"INSTALLED_APPS": [], "DATABASES": {"default": {}}}
        [example] = examples("Django")
        exec(example, shown)
        names = re.findall(r"^\w+", example, re.MULTILINE)
        self.assertEqual(names, ["INSTALLED_APPS", "SESSION_ENGINE", "DATABASES", "SSO_ATTR_ENCRYPTED"])
        self.assertLessEqual(set(shown["INSTALLED_APPS"]), set(settings.INSTALLED_APPS))
        self.assertEqual(shown["DATABASES"]["default"]["OPTIONS"], settings.DATABASES["default"]["OPTIONS"])
        for name in "SESSION_ENGINE", "SSO_ATTR_ENCRYPTED":
            self.assertEqual(shown[name], getattr(settings, name))
