"""Plain files of interactions become feedback: what their numbers mean, and what cannot be used."""

from datetime import UTC, datetime

import pytest

from catalog.importers import interactions
from catalog.importers.interactions import Files
from catalog.importers.reading import Unusable
from catalog.models import Feedback, Item, User

pytestmark = pytest.mark.django_db

ITEMS = "item,title,genres,text\na,Alpha,Drama|Crime,About a thief\nb,Beta,,\nc,,,\n"


@pytest.fixture
def load(tmp_path):
    def load(train, valid=None, items=ITEMS, candidates=None):
        given = {"train": train, "items": items, "valid": valid, "candidates": candidates}
        files = Files(
            **{
                name: written(tmp_path / f"{name}.csv", content)
                for name, content in given.items()
                if content is not None
            }
        )
        found = interactions.survey(files)
        return interactions.load(files, found, rejects=tmp_path / "rejects", say=lambda line: None)

    return load


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def events():
    """(person, item, kind, value) of what counts, oldest first."""
    live = Feedback.objects.filter(superseded_at=None).order_by("occurred_at", "pk")
    return list(live.values_list("user__external_id", "item__external_id", "kind", "value"))


def of_ratings(*ratings):
    return "user,item,rating\n" + "".join(f"u{n},a,{rating}\n" for n, rating in enumerate(ratings))


# --- what numbers mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratings", "values", "note"),
    [
        ((0.5, 3, 5), [0.5, 3, 5], "from 0.5 to 5, as they are"),
        ((1, 7, 10), [0.5, 3.5, 5], "from 0.5 to 10, halved"),
    ],
)
def test_ratings_up_to_ten_become_ratings_up_to_five(load, ratings, values, note):
    assert f"ratings: {note}" in load(of_ratings(*ratings)).notes
    assert [(kind, value) for *_, kind, value in events()] == [("rating", v) for v in values]


@pytest.mark.parametrize(
    ("ratings", "why"),
    [
        ((1, 2, 35), "on no scale up to 5 or 10"),
        ((4, 4, 4), "all equal"),
        ((1, 1, 3), "most are 1, so they count something"),
        (("", "good", 4), "none that can be used"),
    ],
)
def test_numbers_that_are_no_opinions_make_each_row_a_positive_event(load, ratings, why):
    assert f"ratings: {why}; each row is a positive event" in load(of_ratings(*ratings)).notes
    assert [(kind, value) for *_, kind, value in events()] == [("like", None)] * 3


def test_without_a_column_of_ratings_each_row_is_a_positive_event(load):
    load("user,item\nu,a\nu,b\n")
    assert events() == [("u", "a", "like", None), ("u", "b", "like", None)]


def test_below_zero_is_a_dislike_and_zero_says_nothing_of_the_item(load):
    load(of_ratings(-1, 0, 1))
    assert [(kind, value) for *_, kind, value in events()] == [
        ("dislike", None),
        ("dwell", 0),
        ("like", None),
    ]


@pytest.mark.parametrize(
    "cells", [("874724710", "874724727"), ("874724710000", "874724727500"),
              ("1997-09-20T03:05:10Z", "1997-09-20 03:05:27")]
)  # fmt: skip
def test_times_are_seconds_or_milliseconds_or_dates(load, cells):
    load(f"timestamp,Item,USER,shop\n{cells[1]},b,u,x\n{cells[0]},a,u,x\n")
    assert [item for _, item, *_ in events()] == ["a", "b"]
    assert Feedback.objects.earliest("occurred_at").occurred_at == datetime(
        1997, 9, 20, 3, 5, 10, tzinfo=UTC
    )


@pytest.mark.parametrize("valid", ["user,item\nu,c\n", "user,item,ts\nu,c,3\n"])
def test_without_times_in_each_file_the_order_of_rows_is_the_order_in_time(load, valid):
    loaded = load("user,item\nu,b\nu,a\n", valid)
    assert [item for _, item, *_ in events()] == ["b", "a", "c"]
    assert any(note.startswith("times: none") for note in loaded.notes)


def test_an_item_that_comes_again_counts_where_it_came_last(load):
    load("user,item\nu,a\nu,b\nu,a\n")
    assert [item for _, item, *_ in events()] == ["b", "a"]


def test_a_clock_that_is_ahead_is_set_back_for_all_rows(load):
    loaded = load("user,item,ts\nu,b,9000000000\nu,a,9000000060\n")
    assert loaded.bad_rows == 0
    first, last = Feedback.objects.order_by("occurred_at")
    assert (first.item.external_id, last.item.external_id) == ("b", "a")
    assert (last.occurred_at - first.occurred_at).total_seconds() == 60


# --- rows that cannot be used -------------------------------------------------------------------


def test_bad_rows_are_named_and_the_others_are_loaded(load):
    loaded = load(
        "user,item,rating,ts\n"
        "u,a,4,100\n"
        ",a,4,100\n"
        "u,,4,100\n"
        "u,b,four,100\n"
        "u,c,4,yesterday\n"
        "u,a,4,100\n"
        "v,a,2,100,5\n"
        "v,a,3,90\n"
    )
    assert loaded.named == [
        "train.csv line 3: no user",
        "train.csv line 4: no item",
        "train.csv line 5: rating 'four' is not a number; it counts as seen, not as an opinion",
        "train.csv line 6: time 'yesterday' is neither seconds since 1970 nor a date; it counts as"
        " seen, not as an opinion",
        "train.csv line 7: twice in the file for one user, item and moment",
        "train.csv line 8: not 4 cells, which the header has",
    ]
    assert loaded.bad_rows == 6
    assert sorted(events()) == [
        ("u", "a", "rating", 4),
        ("u", "b", "dwell", 0),
        ("u", "c", "dwell", 0),
        ("v", "a", "rating", 3),
    ]


def test_twenty_bad_rows_are_named_and_all_are_counted(load):
    loaded = load("user,item,rating\nu,a,3\nu,b,4\n" + ",a,3\nu,c,x\n" * 15)
    assert loaded.bad_rows == 30
    assert [line.split(":")[0] for line in loaded.named] == [
        f"train.csv line {n}" for n in range(4, 24)
    ]


def test_a_candidate_without_an_id_is_named(load):
    loaded = load("user,item\nu,a\n", candidates="item,title\na,Alpha\n,Beta\nb\n")
    assert loaded.named == [
        "candidates.csv line 3: no item",
        "candidates.csv line 4: not 2 cells, which the header has",
    ]


def test_a_single_rating_off_the_scale_does_not_change_the_scale(load):
    loaded = load(of_ratings(*[4, 5] * 1000, 99))
    assert loaded.named == [
        "train.csv line 2002: rating '99' is beyond 5; it counts as seen, not as an opinion"
    ]
    assert Feedback.objects.filter(kind="rating").count() == 2000


def test_somebody_whose_only_row_is_bad_is_still_there(load):
    assert load("user,item,ts\nu,a,100\nu,b,100\nv,a,soon\n").people == 2
    assert User.objects.filter(external_id="v", kind="imported").exists()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"train": ""}, "train.csv cannot be read: its first line is missing: the file is empty"),
        ({"train": "user,item\n"}, "train.csv has no row that can be read"),
        ({"train": "user,film\nu,a\n"}, "train.csv has no column item; its columns are user, film"),
        ({"train": "user;item\nu;a\n"}, "train.csv does not separate its cells by commas"),
        ({"train": "user,item\nu,a\n", "valid": ""}, "valid.csv cannot be read"),
        ({"train": "user,item\nu,a\n", "items": "id\na\n"}, "items.csv has no column item"),
        ({"train": "user,item\nu,a\n", "items": "item\n"}, "items.csv lists no item"),
        ({"train": "user,item\nu,a\n", "candidates": "item\n"}, "candidates.csv lists no item"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_was_expected(load, files, says):
    with pytest.raises(Unusable, match=says):
        load(**files)
    assert (User.objects.count(), Item.objects.count(), Feedback.objects.count()) == (0, 0, 0)


# --- items --------------------------------------------------------------------------------------


def test_items_have_what_the_file_says_of_them(load):
    load("user,item\nu,a\n")
    alpha = Item.objects.get(external_id="a")
    assert (alpha.title, alpha.description) == ("Alpha", "About a thief")
    assert {category.names["en"] for category in alpha.categories.all()} == {"Drama", "Crime"}


def test_a_text_does_not_repeat_title_and_genres(load):
    load(
        "user,item\nu,a\n",
        items="item,title,genres,text\n"
        'a,Heat (1995),Action|Crime,"Heat (1995). Genres: Action, Crime"\n'
        "b,Heat (1995),Crime,Heat (1995). A thief and a detective\n",
    )
    assert dict(Item.objects.values_list("external_id", "description")) == {
        "a": "",
        "b": "A thief and a detective",
    }


def test_items_without_a_word_exist_and_are_not_embedded(load):
    load("user,item\nu,a\nu,z\n", candidates="item\ny\na\n")
    assert set(Item.objects.values_list("external_id", flat=True)) == set("abcyz")
    with_text = Item.objects.filter(pk__in=interactions.items_with_text())
    assert set(with_text.values_list("external_id", flat=True)) == {"a", "b"}


def test_an_item_with_a_text_alone_has_a_title(load):
    load("user,item\nu,a\n", items=f"item,text\na,{'word ' * 50}\nb,{'词' * 200}\n")
    assert dict(Item.objects.values_list("external_id", "title")) == {
        "a": ("word " * 16).strip(),
        "b": "词" * 80,
    }


def test_only_candidates_may_be_shown(load):
    load("user,item\nu,a\n", candidates="title,item\nBeta,b\n,y\n")
    assert set(Item.objects.filter(is_available=True).values_list("external_id", flat=True)) == {
        "b",
        "y",
    }


def test_the_pairs_of_the_validation_file_are_known(load):
    loaded = load("user,item,ts\nu,a,5\nu,b,6\n", "user,item,ts\nu,c,7\n")
    ((person, item),) = interactions.pairs_after(loaded.last_of_train)
    assert User.objects.get(pk=person).external_id == "u"
    assert Item.objects.get(pk=item).external_id == "c"
