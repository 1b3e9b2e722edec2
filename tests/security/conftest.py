"""Somebody who used everything, and those who would like to see it."""

import pytest

from tests.security import cases
from tests.security.routes import Asker


@pytest.fixture
def victim(db) -> cases.Victim:
    return cases.make_victim()


@pytest.fixture
def askers(db) -> list[Asker]:
    return cases.make_askers()
