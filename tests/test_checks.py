"""An unfit database is refused with what to do about it; a fit one is not."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from recsite import checks
from recsite.env import env_urls


class Answers:
    """A cursor of a server that says this of itself."""

    def __init__(self, version=180006, encoding="UTF8", knows_letters=True, pgvector="0.8.6"):
        self.row = (version, encoding, knows_letters, pgvector)

    def execute(self, statement: str) -> None:
        pass

    def fetchone(self) -> tuple:
        return self.row


@pytest.mark.parametrize(
    ("server", "what_to_do"),
    [
        ({"version": 150018}, "use 16 or later"),
        ({"encoding": "SQL_ASCII"}, "ENCODING 'UTF8'"),
        ({"knows_letters": False}, "Chinese has no words"),
        ({"pgvector": None}, "install it"),
        ({"pgvector": "0.8.3"}, "install 0.8.4 or later"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(server, what_to_do):
    [problem] = checks.problems(Answers(**server))
    assert what_to_do in problem


@pytest.mark.parametrize("version", ["0.8.4", "0.8.10", "0.9.0", "1.0"])
def test_later_versions_of_pgvector_are_fine(version):
    assert checks.problems(Answers(pgvector=version)) == []


@pytest.mark.django_db
def test_the_database_of_these_tests_is_fit():
    with connection.cursor() as cursor:
        assert checks.problems(cursor) == []


@pytest.mark.django_db
def test_the_first_connection_of_a_process_refuses_an_unfit_database(monkeypatch):
    monkeypatch.setattr(checks, "_looked", False)
    monkeypatch.setattr(checks, "problems", lambda cursor: ["pgvector is too old"])
    with pytest.raises(ImproperlyConfigured, match="pgvector is too old"):
        checks.refuse_unfit(None, connection)


@pytest.mark.parametrize(
    "value", ["", "gpu1:8080/v1", "http://", "http://u:secret@gpu1/v1", "http://gpu1:99999", "a,b"]
)
def test_addresses_that_are_none_stop_the_start_and_no_password_is_told(value, monkeypatch):
    monkeypatch.setenv("ENCODER_URL", f"http://gpu0/v1, {value}")
    with pytest.raises(ImproperlyConfigured, match="ENCODER_URL: use http") as caught:
        env_urls("ENCODER_URL", "")
    assert "secret" not in str(caught.value)


def test_several_addresses_are_taken(monkeypatch):
    monkeypatch.setenv("ENCODER_URL", "http://gpu0:8080/v1, https://gpu1/v1")
    assert env_urls("ENCODER_URL", "") == "http://gpu0:8080/v1, https://gpu1/v1"
