"""`manage.py new_item`: what becomes of an item nobody has touched, without keeping it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Item
from recommender.models import Job, Served
from tests.factories import embed_and_learn, import_feedback, make_item, make_person


def told(*words: str) -> list[str]:
    out = StringIO()
    call_command("new_item", *words, stdout=out)
    return out.getvalue().splitlines()


def test_it_is_shown_to_people_and_nothing_is_kept(db):
    kettles = [make_item(f"{colour} kettle", categories=["kitchen"]) for colour in ("blue", "red")]
    boots = [make_item(f"{season} boots") for season in ("winter", "summer", "autumn")]
    for number in range(3):
        person = make_person(f"cook {number}")
        for kettle in kettles[: 1 + number % 2]:
            import_feedback(person, kettle, "rating", value=5)
        for boot in boots:
            import_feedback(person, boot, "rating", value=1)
    embed_and_learn()
    jobs = Job.objects.count()
    lines = told("steel kettle", "--text", "a kettle of steel", "--limit", "2", "--people", "2")
    assert sorted(line.split("  ")[1] for line in lines[:2]) == [
        "blue kettle (kitchen)",
        "red kettle (kitchen)",
    ]
    assert lines[2:] == [
        "In 40 of 40 lists of 20 for people who like most of these",
        "In 20 of 20 lists of 20 for people among all others",
    ]
    assert Item.objects.count() == 5
    assert not Served.objects.exists()
    assert Job.objects.count() == jobs


@pytest.mark.parametrize("limit", ["0", "-1", "many", "²"])
def test_a_number_that_is_none_is_refused(db, limit):
    with pytest.raises(CommandError, match="use a whole number of at least 1"):
        told("kettle", "--limit", limit)


def test_without_a_space_it_says_what_to_do(db):
    with pytest.raises(CommandError, match="run `manage.py embed` first"):
        told("kettle")
