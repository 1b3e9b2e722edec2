"""`manage.py load_demo`: real films and ratings from the packages, once, and two accounts."""

import importlib.util
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.importers import demo
from catalog.models import Consent, Feedback, Item, User
from recommender.models import Job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in demo.PACKAGES),
        reason="the packages of requirements-dev.txt are not installed",
    ),
]
MATRIX = "2571"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A data folder whose ratings a child process has written."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "demo").mkdir()
    demo.write_csv(folder / "demo", lambda _: None)
    return folder


@pytest.fixture
def data(source, settings) -> Path:
    settings.DATA_FOLDER = source
    for path in (source / "demo" / "loaded.json", source / demo.ACCOUNTS):
        path.unlink(missing_ok=True)
    return source


def run(*args) -> str:
    out = StringIO()
    call_command("load_demo", *map(str, args), stdout=out, skip_checks=True)
    return out.getvalue()


def accounts(data: Path) -> dict[str, tuple[str, str]]:
    lines = (data / demo.ACCOUNTS).read_text().splitlines()
    return {email: (password, role) for email, password, role in map(str.split, lines)}


def test_the_most_rated_films_come_with_their_texts_ratings_and_work(data):
    says = run("--films", 50)
    assert Item.objects.filter(source="movielens", kind="film").count() == 50
    matrix = Item.objects.get(external_id=MATRIX)
    assert (matrix.title, matrix.published_at.year, matrix.language) == ("The Matrix", 1999, "en")
    assert matrix.description == (
        "Directed by Lana Wachowski, Lilly Wachowski. With Ada Nicodemou, Anthony Ray Parker,"
        " Belinda McClory, Bill Young, Carrie-Anne Moss. Australia, United States. English."
    )
    assert {c.slug: c.names["zh"] for c in matrix.categories.all()} == {
        "action": "动作",
        "science-fiction": "科幻",
        "thriller": "惊悚",
    }
    directors = matrix.creators.order_by("itemcreator__position")
    assert [director.name for director in directors] == ["Lana Wachowski", "Lilly Wachowski"]
    assert Feedback.objects.filter(item=matrix, kind="rating").count() == 259
    assert Job.objects.filter(kind="embed").count() == 50
    assert "credits found for 100% of the films, which have 100% of the ratings" in says
    assert "not for commercial use" in says
    assert "CC0" in says


def test_the_accounts_are_a_person_with_a_history_and_an_operator(data):
    says = run("--films", 20)
    known = accounts(data)
    assert {email: role for email, (_, role) in known.items()} == {
        "demo@medley.example": "person",
        "operator@medley.example": "operator",
    }
    assert all(password in says for password, _ in known.values())
    assert (data / demo.ACCOUNTS).stat().st_mode & 0o777 == 0o600
    person = User.objects.get(email="demo@medley.example")
    assert (person.name, person.kind, person.source, person.is_staff) == (
        "Demo",
        "member",
        "movielens",
        False,
    )
    assert person.check_password(known[person.email][0])
    assert person.feedback.filter(kind="rating").count() == 10
    assert Consent.objects.get().user == person
    operator = User.objects.get(email="operator@medley.example")
    assert (operator.is_staff, operator.is_superuser) == (True, True)
    assert operator.check_password(known[operator.email][0])


def test_a_second_run_changes_nothing(data):
    run("--films", 20)
    before = accounts(data), list(User.objects.order_by("pk").values())
    Job.objects.all().delete()
    assert run("--films", 20).startswith("the films are there")
    assert run("--films", 10).startswith("the films are there")
    assert (accounts(data), list(User.objects.order_by("pk").values())) == before
    assert (Item.objects.count(), Job.objects.count()) == (20, 0)


def test_more_films_are_added_to_those_that_are_there(data):
    run("--films", 20)
    Job.objects.all().delete()
    assert "films: 10 loaded, 0 updated, 20 unchanged" in run("--films", 30)
    assert Job.objects.filter(kind="embed").count() == 10


def test_a_note_in_the_data_folder_is_not_believed_about_another_database(data):
    run("--films", 20)
    passwords = accounts(data)
    Feedback.objects.all().delete()
    Consent.objects.all().delete()
    Item.objects.all().delete()
    User.objects.all().delete()
    assert "films: 20 loaded" in run("--films", 20)
    assert accounts(data) == passwords
    assert User.objects.get(email=demo.PERSON_EMAIL).check_password(passwords[demo.PERSON_EMAIL][0])


def test_a_note_that_was_cut_short_is_not_believed(data):
    run("--films", 20)
    (data / "demo" / "loaded.json").write_text(json.dumps({"films": None})[:5])
    assert "films: 0 loaded, 0 updated, 20 unchanged" in run("--films", 20)


def test_a_lost_file_of_accounts_means_new_passwords(data):
    run("--films", 20)
    before = accounts(data)
    (data / demo.ACCOUNTS).unlink()
    run("--films", 20)
    after = accounts(data)
    assert after.keys() == before.keys()
    assert all(after[email][0] != before[email][0] for email in before)
    for email, (password, _) in after.items():
        assert User.objects.get(email=email).check_password(password)


@pytest.mark.parametrize("email", [demo.PERSON_EMAIL, demo.OPERATOR_EMAIL])
def test_an_account_of_somebody_else_is_not_taken_over(data, email):
    User.objects.create_user(email, "a password of somebody else")
    with pytest.raises(CommandError, match="is the account of somebody"):
        run("--films", 20)
    assert User.objects.get(email=email).check_password("a password of somebody else")
    assert not (data / demo.ACCOUNTS).exists()


def test_a_missing_package_is_named_with_what_installs_it(data, monkeypatch):
    monkeypatch.setattr(demo, "PACKAGES", {"no_such_package": "no-such-package==1"})
    with pytest.raises(CommandError, match=r"no-such-package==1: pip install -r requirements-dev"):
        run()


def test_some_films_means_at_least_one(data):
    with pytest.raises(CommandError, match="a number from 1"):
        run("--films", 0)


def test_titles_meet_in_spite_of_articles_accents_and_other_names():
    known = demo.Credits()
    for title, year, found in [
        ("Matrix, The", 1999, "The Matrix"),
        ("Seven (a.k.a. Se7en)", 1995, "Seven"),
        ("Star Wars: Episode IV - A New Hope", 1977, "Star Wars: Episode IV – A New Hope"),
        ("Amelie (Fabuleux destin d'Amélie Poulain, Le)", 2001, "Amélie"),
        ("My Life in Pink (Ma vie en rose)", 1997, "Ma vie en rose"),
        ("Saw", 2004, "Saw"),  # 2003 there
        ("Pit and the Pendulum", 1961, "The Pit and the Pendulum"),
    ]:
        assert known.of(title, year).title == found
    assert known.of("Postman, The (Postino, Il)", 1994) is None
