"""`manage.py new_item`: what becomes of an item nobody has touched, without keeping it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Item
from recommender.models import Job
from tests.factories import embed_and_learn, make_item


def told(*words: str) -> list[str]:
    out = StringIO()
    call_command("new_item", *words, stdout=out)
    return out.getvalue().splitlines()


def test_it_prints_what_the_item_is_like_and_keeps_nothing(db):
    for colour in ("blue", "red"):
        make_item(f"{colour} kettle", categories=["kitchen"])
    for season in ("winter", "summer", "autumn"):
        make_item(f"{season} boots")
    embed_and_learn()
    jobs = Job.objects.count()
    lines = told("steel kettle", "--text", "a kettle of steel", "--limit", "2")
    assert sorted(line.split("  ")[1] for line in lines) == [
        "blue kettle (kitchen)",
        "red kettle (kitchen)",
    ]
    assert Item.objects.count() == 5
    assert Job.objects.count() == jobs


@pytest.mark.parametrize("limit", ["0", "-1", "many", "²"])
def test_a_number_that_is_none_is_refused(db, limit):
    with pytest.raises(CommandError, match="use a whole number of at least 1"):
        told("kettle", "--limit", limit)


def test_without_a_space_it_says_what_to_do(db):
    with pytest.raises(CommandError, match="run `manage.py embed` first"):
        told("kettle")
