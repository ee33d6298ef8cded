import io
import unittest

from chat import tests
from django.test import TestCase


class TestsOfThePage(TestCase):
    def test_a_broken_view_makes_them_fail(self):
        """The tests that the page shows can fail: this one is wrong about the name."""

        class Wrong(tests.LoginTests):
            def test_login_of_the_client_counts(self):
                self.client.force_login(tests.User.objects.create_user("bob"))
                with self.client.websocket("/whoami/") as websocket:
                    assert websocket.receive_json() == {"name": "ada"}

        suite = unittest.TestSuite([Wrong("test_login_of_the_client_counts")])
        result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
        assert len(result.failures) == 1
