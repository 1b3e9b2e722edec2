"""`manage.py load_catalog`: what it is given, what it says, and how it refuses."""

import gzip
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Attribute, Feedback, Item, User
from recommender.models import Job

pytestmark = pytest.mark.django_db

ITEMS = "id,title\n1,One\n2,Two\n"


def run(*args, **options) -> str:
    out = StringIO()
    call_command("load_catalog", *map(str, args), stdout=out, skip_checks=True, **options)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "people.csv").write_text("id\nu\n")
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "feedback.csv").write_text("user,item,rating\nu,1,4\nu,2,9\n")
    return tmp_path


def test_a_folder_is_loaded_with_its_work_and_reported(folder):
    assert run(folder, "--source", "shop", verbosity=0) == (
        "people.csv: 1 loaded, 0 updated, 0 unchanged, 0 rejected\n"
        "items.csv: 2 loaded, 0 updated, 0 unchanged, 0 rejected\n"
        "feedback.csv: 1 loaded, 0 updated, 0 unchanged, 1 rejected\n"
        "  1 rejected: rating is not from 0.5 to 5 (first in line 3)\n"
    )
    assert set(Item.objects.values_list("source", "external_id")) == {("shop", "1"), ("shop", "2")}
    assert set(Job.objects.values_list("kind", "key")) == {
        *(("embed", pk) for pk in Item.objects.values_list("pk", flat=True)),
        ("learn", User.objects.get().pk),
    }


def test_a_dry_run_says_so_and_leaves_no_work(folder):
    assert run(folder, "--dry-run", verbosity=0).endswith("dry run: nothing was changed\n")
    assert (Item.objects.count(), User.objects.count(), Job.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ITEMS, "2 loaded"),
        ("ID, Title\n1,One\n", "1 loaded"),
        ("id\n1\n", "1 loaded"),
        ("item,user,kind\n1,u,view\n", "1 rejected: unknown item"),
    ],
)
def test_one_file_is_recognised_by_its_header(tmp_path, content, says):
    (tmp_path / "export.csv").write_text(content)
    assert says in run(tmp_path / "export.csv")


def test_what_says_which_file_of_a_folder_to_load(folder):
    run(folder, "--what", "items")
    assert (Item.objects.count(), User.objects.count()) == (2, 0)


def test_a_packed_file_is_unpacked_while_it_is_read(tmp_path):
    (tmp_path / "items.csv.gz").write_bytes(gzip.compress(ITEMS.encode()))
    run(tmp_path)
    assert Item.objects.count() == 2


def test_items_get_the_kind_they_do_not_name(tmp_path):
    (tmp_path / "items.csv").write_text("id,title,kind\n1,One,\n2,Two,book\n")
    run(tmp_path, "--kind", "film")
    assert list(Item.objects.order_by("title").values_list("kind", flat=True)) == ["film", "book"]


def test_missing_hide_hides(folder):
    run(folder)
    (folder / "items.csv").write_text("id,title\n1,One\n")
    assert "hidden, since the file does not list them: 1" in run(folder, "--missing", "hide")
    assert Item.objects.get(is_available=True).title == "One"


def test_rejected_rows_are_written_to_a_file(folder):
    run(folder, "--rejects", folder / "rejects.csv")
    assert (folder / "rejects.csv").read_text() == (
        "file,line,id,reason\nfeedback.csv,3,u 2,rating is not from 0.5 to 5\n"
    )


@pytest.mark.parametrize("name", ["items.csv", "ratings.csv"])
def test_rejected_rows_never_overwrite_what_is_read(folder, name):
    with pytest.raises(CommandError, match="would overwrite"):
        run(folder, "--rejects", folder / name)
    assert (folder / "items.csv").read_text() == ITEMS


def test_rejected_rows_need_a_place(folder):
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        run(folder, "--rejects", folder / "none" / "rejects.csv")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"first line is missing: the file is empty; expected one of people: id\[,name\]"),
        (b"\x89PNG\r\n\x1a\n\0", "first line is "),
        ("id,title\n1,\u00e9".encode("utf-16"), "first line is "),
        (b"id;title\n1;One\n", "does not separate its cells by commas"),
        (b"id,title,Title\n1,One,Two\n", "has the column title twice"),
        (b"name,colour\na,b\n", "has the columns name, colour; expected one of"),
        (b"title\nOne\n", "has no column id; its columns are title"),
        (b"user,item\nu,1\n", "has no column kind; its columns are user, item"),
        (b"user,item,rating,kind\n", "a column rating stands in the place of kind and value"),
        (b"id,title,attr:colour\n", "attributes colour, which are not declared"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_what_was_expected(tmp_path, content, says):
    (tmp_path / "export.csv").write_bytes(content)
    with pytest.raises(CommandError, match=says):
        run(tmp_path / "export.csv")
    assert Item.objects.count() == 0


def test_a_declared_attribute_is_a_column(tmp_path):
    Attribute.objects.create(name="colour", type="text")
    (tmp_path / "items.csv").write_text("id,title,attr:colour\n1,One,red\n")
    run(tmp_path)
    assert Item.objects.get().attributes == {"colour": "red"}


def test_a_path_that_is_not_there_or_holds_nothing_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"none is not there; give a CSV file, or a folder"):
        run(tmp_path / "none")
    with pytest.raises(CommandError, match=r"has no people\.csv or items\.csv or feedback\.csv"):
        run(tmp_path)
    with pytest.raises(
        CommandError, match=r"is not a folder with ratings\.csv and movies\.csv, or"
    ):
        run(tmp_path, "--format", "movielens")


def test_movielens_is_loaded_with_its_terms(tmp_path):
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Heat (1995),Crime\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n7,1,4.5,1500000000\n")
    assert "not for commercial use" in run(tmp_path, "--format", "movielens")
    assert Feedback.objects.get().user.source == "movielens"


def test_a_missing_column_of_movielens_is_named(tmp_path):
    (tmp_path / "movies.csv").write_text("movieId,title\n1,Heat (1995)\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")
    with pytest.raises(CommandError, match=r"movies\.csv has no column genres"):
        run(tmp_path, "--format", "movielens")
