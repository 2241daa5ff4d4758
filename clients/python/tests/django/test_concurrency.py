"""What two requests of one browser do to each other."""

from browser import BrowserTestCase


class ConcurrencyTests(BrowserTestCase):
    def setUp(self):
        super().setUp()
        self.log_in()
        self.get("/put?first=0&second=0&gone=0")

    def test_two_requests_that_change_different_keys_both_count(self):
        response = self.while_saving_slowly("first=1&new=1", lambda: self.get("/put?second=2"))
        self.assertEqual(response.status_code, 200)
        self.assertEqual(self.shown()[1], {"first": "1", "second": "2", "gone": "0", "new": "1"})

    def test_logout_wins_over_a_request_that_saves_later(self):
        key = self.key()
        response = self.while_saving_slowly("first=1", lambda: self.get("/logout"))
        self.assertEqual(response.status_code, 400)
        self.assertFalse(self.is_live(key))
        self.assertEqual(self.rows("SELECT count(*) FROM sso_attr.attribute WHERE value = '\"1\"'"), [(0,)])

    def test_login_wins_over_a_request_that_saves_later(self):
        response = self.while_saving_slowly("first=1", self.log_in)
        self.assertEqual(response.status_code, 400)
        self.assertEqual(self.shown()[1]["first"], "0")
