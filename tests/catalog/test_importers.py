"""Rows from files become facts; one that cannot be used is named, and never stops the others."""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event, Thread
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalog import services
from catalog.importers import bulk, csv, movielens
from catalog.importers.reading import Unusable, open_lines, read_rows
from catalog.models import Attribute, Category, Creator, Feedback, Item, User
from catalog.services import Given
from catalog.signals import feedback_recorded, item_changed

TEN_MEGABYTES = 10_000_000


def rows_of(path, **options):
    with open_lines(path) as lines:
        return list(read_rows(lines, **options))


@pytest.fixture
def load(db, tmp_path):
    """Load CSV given as text or bytes, by the name of the file: the reports, by the name, too."""

    def load(*, source="shop", **files):
        how = {name: files.pop(name) for name in ("kind", "hide_missing") if name in files}
        dry_run = files.pop("dry_run", False)
        for old in tmp_path.glob("*.csv"):
            old.unlink()
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(data)
        with bulk.load(source, dry_run=dry_run, rejects=tmp_path / "rejects") as job:
            return {r.name.removesuffix(".csv"): r for r in csv.load(job, tmp_path, **how)}

    return load


def counts(report):
    rejected = sum(count for count, _ in report.rejected.values())
    return report.loaded, report.updated, report.unchanged, rejected


def reasons(report):
    """The reasons, with the line in which each came first."""
    return {reason: line for reason, (_, line) in report.rejected.items()}


@pytest.fixture
def announced():
    """The ids that were announced: of items, of people."""
    items, people = [], []

    def hear_items(item_ids, **_):
        items.extend(item_ids)

    def hear_people(user_ids, **_):
        people.extend(user_ids)

    item_changed.connect(hear_items)
    feedback_recorded.connect(hear_people)
    yield items, people
    item_changed.disconnect(hear_items)
    feedback_recorded.disconnect(hear_people)


def versions(table):
    """Where each row lies and who last locked it: neither changes if nothing writes."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, ctid::text, xmax::text FROM {table} ORDER BY id")
        return cursor.fetchall()


# --- reading ------------------------------------------------------------------------------------


def test_a_cell_of_ten_megabytes_is_a_named_row_and_the_next_one_is_read(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text(f'id,title\n1,"{"x" * TEN_MEGABYTES}"\n2,Two\n')
    assert rows_of(path) == [
        (1, ["id", "title"], ""),
        (2, [], "a line longer than 1 MB"),
        (3, ["2", "Two"], ""),
    ]


def test_a_cell_of_ten_megabytes_over_many_lines_is_one_named_row(tmp_path):
    path = tmp_path / "items.csv"
    lines = '1,"' + "a line, with a comma\n" * (TEN_MEGABYTES // 21) + '"\n'
    path.write_text(f'{lines}2,"Two\nlines"\n')
    (first, cells, fault), (second, two, fine) = rows_of(path)
    assert (first, cells, fault) == (1, [], "a cell longer than 131,072 characters")
    assert (second, two, fine) == (TEN_MEGABYTES // 21 + 2, ["2", "Two\nlines"], "")


def test_a_quote_that_never_closes_is_named_by_the_line_where_it_opens(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('1,One\n2,"Two\n3,Three\n')
    assert rows_of(path)[1:] == [
        (2, [], "a quoted cell without an end; nothing behind it was read")
    ]


def test_text_behind_a_closing_quote_is_named(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('1,"One" or so\n2,Two\n')
    assert rows_of(path) == [
        (1, [], "not valid CSV (',' expected after '\"')"),
        (2, ["2", "Two"], ""),
    ]


def test_wrong_encoding_and_nul_are_named_by_line(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(b"1,caf\xe9\n2,a\0b\n3,caf\xc3\xa9\n")
    assert [(line, fault) for line, _, fault in rows_of(path)] == [
        (1, "not UTF-8"),
        (2, "a NUL byte"),
        (3, ""),
    ]


def test_a_byte_order_mark_and_blank_lines_are_no_content(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(b"\xef\xbb\xbfid,title\r\n\r\n1,One\r\n")
    assert rows_of(path) == [(1, ["id", "title"], ""), (3, ["1", "One"], "")]


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "items.csv.gz"
    path.write_bytes(gzip.compress(b"id,title\n" + bytes(range(33, 120)) * 1000)[:200])
    with pytest.raises(Unusable, match=r"items\.csv\.gz is damaged after line"):
        rows_of(path)


def test_a_line_too_long_does_not_end_a_file_without_quotes(tmp_path):
    path = tmp_path / "u.data"
    path.write_text("1\t2\n" + "x" * 2_000_000 + "\n3\t4\n")
    assert rows_of(path, separator="\t") == [
        (1, ["1", "2"], ""),
        (2, [], "a line longer than 1 MB"),
        (3, ["3", "4"], ""),
    ]


# --- items --------------------------------------------------------------------------------------


def test_an_item_is_loaded_with_all_that_is_said_of_it(load):
    Attribute.objects.create(name="colour", type="text")
    Attribute.objects.create(name="pages", type="number")
    Attribute.objects.create(name="signed", type="boolean")
    Attribute.objects.create(name="printed", type="date")
    report = load(
        items="id,title,description,language,kind,published,url,image_url,price,currency,latitude,"
        "longitude,available,categories,creators,attr:colour,attr:pages,attr:signed,attr:printed\n"
        "b1,<b>Ｂlue</b>&nbsp; book,It is  blue.,en,book,1999-12-31T23:00:00-02:00,"
        "https://a.example/1,http://a.example/1.png,3.5,eur,51.5,-0.1,yes,"
        "Science Fiction|科幻,Ann Lee|Bo,blue,120,no,2020-02-29\n"
    )["items"]
    assert counts(report) == (1, 0, 0, 0)
    item = Item.objects.get(source="shop", external_id="b1")
    assert (item.title, item.description, item.language) == ("Blue book", "It is blue.", "en")
    assert item.kind == "book"
    assert item.published_at == datetime(2000, 1, 1, 1, tzinfo=UTC)
    assert (item.url, item.image_url) == ("https://a.example/1", "http://a.example/1.png")
    assert (item.price, item.currency) == (Decimal("3.50"), "EUR")
    assert (item.latitude, item.longitude, item.is_available) == (51.5, -0.1, True)
    assert [(c.slug, c.names) for c in item.categories.order_by("slug")] == [
        ("science-fiction", {"en": "Science Fiction"}),
        ("科幻", {"en": "科幻"}),
    ]
    assert list(item.creators.order_by("itemcreator__position").values_list("name", flat=True)) == [
        "Ann Lee",
        "Bo",
    ]
    assert item.attributes == {
        "colour": "blue",
        "pages": 120,
        "signed": False,
        "printed": "2020-02-29",
    }
    assert item.uuid.version == 7


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"id": ""}, "no id"),
        ({"id": "x" * 201}, "an id longer than 200 characters"),
        ({"title": ""}, "no title"),
        ({"title": "<b> </b>"}, "no title"),
        ({"title": "x" * 501}, "a title longer than 500 characters"),
        ({"description": "x" * 20_001}, "a description longer than 20,000 characters"),
        ({"kind": "x" * 31}, "a kind longer than 30 characters"),
        ({"language": "English"}, "language is not a code such as en or zh-hans"),
        ({"published": "yesterday"}, "published is not a date"),
        ({"published": "2021-02-30"}, "published is not a date"),
        ({"published": "infinity"}, "published is not a date"),
        ({"url": "javascript:alert(1)"}, "an address that does not begin with http:// or https://"),
        ({"image_url": "a b"}, "an address that does not begin with http:// or https://"),
        ({"url": f"http://a/{'x' * 2000}"}, "an address longer than 2,000 characters"),
        ({"price": "-0.01"}, "price is negative"),
        ({"price": "NaN"}, "price is not a number"),
        ({"price": "1e999"}, "price is not a number"),
        ({"price": "12345678901"}, "price has more than 10 digits"),
        ({"currency": "euro"}, "currency is not a code such as EUR"),
        ({"latitude": "90.5"}, "latitude is not from -90 to 90"),
        ({"latitude": "north"}, "latitude is not from -90 to 90"),
        ({"longitude": "-181"}, "longitude is not from -180 to 180"),
        ({"longitude": "inf"}, "longitude is not from -180 to 180"),
        ({"available": "maybe"}, "available is not yes or no"),
        ({"categories": "Drama|!!"}, "a category without letters or digits"),
        ({"categories": "x" * 101}, "a category longer than 100 characters"),
        ({"creators": "x" * 201}, "a creator longer than 200 characters"),
        ({"creators": "|".join(map(str, range(101)))}, "more than 100 categories or creators"),
        ({"attr:pages": "many"}, "the attribute pages is not a number"),
        ({"attr:pages": "nan"}, "the attribute pages is not a number"),
        ({"attr:colour": "x" * 17_000}, "attributes larger than 16 kB"),
    ],
)
def test_an_item_that_cannot_be_used_is_rejected_by_its_reason(load, cells, reason):
    Attribute.objects.create(name="pages", type="number")
    Attribute.objects.create(name="colour", type="text")
    row = {"id": "1", "title": "One"} | cells
    report = load(items=f"{','.join(row)}\n{','.join(row.values())}\n2,Two{',' * (len(row) - 2)}\n")
    assert reasons(report["items"]) == {reason: 2}
    assert list(Item.objects.values_list("title", flat=True)) == ["Two"]


def test_of_two_rows_with_one_id_the_first_that_can_be_used_counts(load):
    report = load(items="id,title\n1,\n1,One\n1,Uno\n")["items"]
    assert reasons(report) == {"no title": 2, "this id is in the file twice": 4}
    assert Item.objects.get().title == "One"


def test_a_row_with_too_few_or_too_many_cells_is_rejected(load):
    report = load(items="id,title\n1\n2,Two,too\n3,Three\n")["items"]
    assert report.rejected == {"not 2 cells, which the header has": (2, 2)}
    assert Item.objects.get().title == "Three"


def test_a_second_load_writes_and_announces_nothing(load, announced):
    files = {
        "people": "id,name\nu,Ann\n",
        "items": "id,title,price,categories,creators\n1,One,2.50,Drama|Crime,Ann|Bo\n2,Two,,,\n",
        "feedback": "user,item,kind,value,at\nu,1,rating,4,1500000000\nu,2,like,,\n",
    }
    assert [counts(report)[:3] for report in load(**files).values()] == [
        (1, 0, 0),
        (2, 0, 0),
    ] * 1 + [(2, 0, 0)]
    items, people = announced
    assert len(items) == 2
    assert len(people) == 1
    tables = ("catalog_item", "catalog_feedback", "catalog_user", "catalog_itemcreator")
    before = [versions(table) for table in tables]
    again = load(**files)
    assert [counts(report) for report in again.values()] == [
        (0, 0, 1, 0),
        (0, 0, 2, 0),
        (0, 0, 2, 0),
    ]
    assert [versions(table) for table in tables] == before
    assert (len(items), len(people)) == (2, 1)


def test_only_what_differs_is_updated_and_announced(load, announced):
    load(
        items="id,title,categories,creators\n1,One,Drama,Ann\n2,Two,Drama,Ann\n3,Three,Drama,Ann\n"
    )
    before = {item.external_id: item for item in Item.objects.all()}
    announced[0].clear()
    report = load(
        items="id,title,categories,creators\n1,Uno,Drama,Ann\n2,Two,Crime,Ann\n3,Three,Drama,Ann\n"
    )["items"]
    assert counts(report) == (0, 2, 1, 0)
    assert announced[0] == [before["1"].pk, before["2"].pk]
    after = {item.external_id: item for item in Item.objects.all()}
    assert {name: item.uuid for name, item in after.items()} == {
        name: item.uuid for name, item in before.items()
    }
    assert after["1"].title == "Uno"
    assert [category.slug for category in after["2"].categories.all()] == ["crime"]
    assert [after[n].updated_at > before[n].updated_at for n in "123"] == [True, True, False]


def test_the_order_of_creators_is_a_change(load):
    load(items="id,title,creators\n1,One,Ann|Bo\n")
    report = load(items="id,title,creators\n1,One,Bo|Ann\n")["items"]
    assert counts(report) == (0, 1, 0, 0)
    names = Creator.objects.order_by("itemcreator__position").values_list("name", flat=True)
    assert list(names) == ["Bo", "Ann"]


def test_a_column_that_is_not_there_leaves_what_is_there_alone(load):
    Attribute.objects.create(name="colour", type="text")
    Attribute.objects.create(name="pages", type="number")
    load(
        kind="book",
        items="id,title,price,categories,creators,attr:colour,attr:pages\n1,One,5,Drama,Ann,red,9\n",
    )
    load(items="id,title,attr:pages\n1,Uno,\n")
    item = Item.objects.get()
    assert (item.title, item.price, item.kind) == ("Uno", Decimal("5.00"), "book")
    assert item.attributes == {"colour": "red"}
    assert item.categories.count() == item.creators.count() == 1


def test_an_empty_cell_of_a_column_that_is_there_takes_it_away(load):
    load(items="id,title,price,categories,creators\n1,One,5,Drama,Ann\n")
    load(items="id,title,price,categories,creators\n1,One,,,\n")
    item = Item.objects.get()
    assert (item.price, item.categories.count(), item.creators.count()) == (None, 0, 0)


def test_a_category_that_is_there_keeps_its_names_and_parent(load):
    arts = Category.objects.create(slug="arts", names={"en": "Arts"})
    Category.objects.create(slug="drama", names={"en": "Drama", "zh": "剧情"}, parent=arts)
    load(items="id,title,categories\n1,One,DRAMA|drama\n")
    drama = Item.objects.get().categories.get()
    assert (drama.names, drama.parent) == ({"en": "Drama", "zh": "剧情"}, arts)


def test_items_of_another_source_are_others(load):
    load(items="id,title\n1,One\n")
    load(source="museum", items="id,title\n1,Eins\n")
    assert set(Item.objects.values_list("source", "title")) == {("shop", "One"), ("museum", "Eins")}


def test_an_item_removed_here_does_not_come_back(load):
    load(items="id,title\n1,One\n")
    services.remove_items(list(Item.objects.values_list("pk", flat=True)))
    report = load(
        people="id\nu\n", items="id,title\n1,Uno\n", feedback="user,item,kind\nu,1,like\n"
    )
    assert reasons(report["items"]) == {"this item was removed here": 2}
    assert reasons(report["feedback"]) == {"this item was removed here": 2}
    assert Item.objects.get().title == "One"


def test_columns_that_are_not_known_are_named_and_ignored(load):
    report = load(items="id,title,colour\n1,One,red\n")["items"]
    assert report.notes == ["columns not known, so ignored: colour"]
    assert counts(report) == (1, 0, 0, 0)


# --- missing items ------------------------------------------------------------------------------

THREE = "id,title\n1,One\n2,Two\n3,Three\n"


def shown():
    return sorted(Item.objects.filter(is_available=True).values_list("external_id", flat=True))


def test_a_missing_item_is_hidden_and_comes_back_when_it_is_listed_again(load, announced):
    load(items=THREE)
    two = Item.objects.get(external_id="2").pk
    announced[0].clear()
    report = load(items="id,title\n1,One\n3,Three\n", hide_missing=True)["items"]
    assert (counts(report), shown()) == ((0, 0, 2, 0), ["1", "3"])
    assert report.notes == ["hidden, since the file does not list them: 1"]
    assert announced[0] == [two]
    assert counts(load(items=THREE)["items"]) == (0, 1, 2, 0)
    assert shown() == ["1", "2", "3"]


def test_missing_items_are_kept_where_nobody_asks_to_hide_them(load):
    load(items=THREE)
    load(items="id,title\n1,One\n")
    assert shown() == ["1", "2", "3"]


def test_only_items_of_the_same_source_are_hidden(load):
    load(items=THREE)
    Item.objects.create(title="made here")
    load(source="museum", items="id,title\n9,Nine\n")
    load(items="id,title\n1,One\n", hide_missing=True)
    assert set(Item.objects.filter(is_available=True).values_list("title", flat=True)) == {
        "One",
        "Nine",
        "made here",
    }


def test_a_rejected_row_still_lists_its_item(load):
    load(items=THREE)
    load(items="id,title\n1,One\n2,\n3,Three\n", hide_missing=True)
    assert shown() == ["1", "2", "3"]


@pytest.mark.parametrize("rest", [b"2,caf\xe9,x\n", b'\xe9,"x"\n', b"2\n", b'2,"Two\n3,Three\n'])
def test_nothing_is_hidden_where_a_row_may_be_of_any_item(load, rest):
    load(items=THREE)
    report = load(items=b"id,title\n1,One\n" + rest, hide_missing=True)["items"]
    assert report.notes == ["nothing hidden: a row without a readable id may be of any item"]
    assert shown() == ["1", "2", "3"]


def test_a_file_without_items_hides_nothing(load):
    load(items=THREE)
    report = load(items="id,title\n", hide_missing=True)["items"]
    assert report.notes == ["nothing hidden: the file lists no item that can be used"]
    assert shown() == ["1", "2", "3"]


# --- people -------------------------------------------------------------------------------------


def test_a_person_is_imported_without_a_usable_password(load):
    report = load(people="id,name\nu1,Ann\nu2,\n")["people"]
    assert counts(report) == (2, 0, 0, 0)
    ann = User.objects.get(source="shop", external_id="u1")
    assert (ann.kind, ann.name, ann.email, ann.is_active) == ("imported", "Ann", None, True)
    assert not ann.has_usable_password()
    assert (ann.is_staff, ann.is_superuser) == (False, False)
    assert ann.uuid.version == 7


def test_people_that_cannot_be_used_are_rejected(load):
    load(people="id\ngone\n")
    User.objects.update(erased_at=timezone.now())
    report = load(people=f"id,name\nu,Ann\nu,Bo\n,Cy\nv,{'x' * 101}\ngone,Di\n")["people"]
    assert reasons(report) == {
        "this id is in the file twice": 3,
        "no id": 4,
        "a name longer than 100 characters": 5,
        "this person was erased": 6,
    }
    assert User.objects.get(erased_at=None).name == "Ann"


def test_the_name_of_a_person_with_an_account_is_theirs(load):
    load(people="id,name\nu,Ann\nv,Bo\n")
    User.objects.filter(external_id="u").update(email="ann@example.org", name="Annie")
    report = load(people="id,name\nu,Ann\nv,Bob\n")["people"]
    assert counts(report) == (0, 1, 1, 0)
    assert set(User.objects.values_list("name", flat=True)) == {"Annie", "Bob"}


# --- feedback -----------------------------------------------------------------------------------

KNOWN = {"people": "id\nu\nv\n", "items": "id,title\n1,One\n2,Two\n"}


def history():
    """(person, item, kind, value, whether it is live), in order of happening, then by person."""
    return [
        (row.user.external_id, row.item.external_id, row.kind, row.value, not row.superseded_at)
        for row in Feedback.objects.select_related("user", "item").order_by(
            "occurred_at", "user__external_id", "id"
        )
    ]


def test_feedback_is_loaded_with_its_moment_and_a_lasting_id(load):
    report = load(
        **KNOWN,
        feedback="user,item,kind,value,text,at\n"
        "u,1,rating,4.5,,1500000000\n"
        "v,2,comment,,<i>fine</i>,2017-07-14 02:40:00Z\n",
    )["feedback"]
    assert counts(report) == (2, 0, 0, 0)
    rating, comment = Feedback.objects.order_by("user__external_id")
    moment = datetime(2017, 7, 14, 2, 40, tzinfo=UTC)
    assert (rating.value, rating.occurred_at) == (4.5, moment)
    assert (comment.text, comment.occurred_at) == ("fine", moment)
    assert (rating.uuid.version, rating.uuid.variant) == (8, UUID(int=0x8 << 60).variant)
    Feedback.objects.all().delete()
    load(feedback="user,item,kind,value,at\nu,1,rating,4.5,2017-07-14T02:40:00+00:00\n")
    assert Feedback.objects.get().uuid == rating.uuid


def test_a_column_rating_stands_for_kind_and_value(load):
    load(**KNOWN, feedback="user,item,rating,at\nu,1,0.5,1500000000\n")
    assert history() == [("u", "1", "rating", 0.5, True)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1,like,,,", "no user"),
        ("u,,like,,,", "no item"),
        (f"{'x' * 201},1,like,,,", "a user longer than 200 characters"),
        ("u,1,,,,", "kind is not one of view, like, dislike, rating, save, share, purchase,"
         " comment, dwell, hide"),
        ("u,1,love,,,", "kind is not one of view, like, dislike, rating, save, share, purchase,"
         " comment, dwell, hide"),
        ("u,1,rating,NaN,,", "value is not a number"),
        ("u,1,rating,-Infinity,,", "value is not a number"),
        ("u,1,view,often,,", "value is not a number"),
        ("u,1,rating,,,", "rating is not from 0.5 to 5"),
        ("u,1,rating,0.4,,", "rating is not from 0.5 to 5"),
        ("u,1,rating,5.1,,", "rating is not from 0.5 to 5"),
        ("u,1,dwell,,,", "dwell without its seconds"),
        ("u,1,dwell,-1,,", "dwell without its seconds"),
        ("u,1,purchase,1e10,,", "value is beyond 1,000,000,000"),
        ("u,1,comment,,,", "comment without a text"),
        (f"u,1,comment,,{'x' * 5001},", "a text longer than 5,000 characters"),
        ("u,1,like,,,now", "at is neither a date nor Unix seconds"),
        ("u,1,like,,,2020-13-01", "at is neither a date nor Unix seconds"),
        ("u,1,like,,,9999-12-31T23:59:59-12", "at is neither a date nor Unix seconds"),
        ("u,1,like,,,1500000000000", "at is neither a date nor Unix seconds"),
        ("u,1,like,,,2999-01-01", "at is in the future"),
        ("u,9,like,,,", "unknown item"),
        ("w,1,like,,,", "unknown user"),
    ],
)  # fmt: skip
def test_feedback_that_cannot_be_used_is_rejected_by_its_reason(load, row, reason):
    report = load(**KNOWN, feedback=f"user,item,kind,value,text,at\n{row}\nv,2,view,,,\n")
    assert reasons(report["feedback"]) == {reason: 2}
    assert history() == [("v", "2", "view", None, True)]


def test_seconds_have_nine_digits_and_what_is_older_is_written_as_a_date(load):
    report = load(**KNOWN, feedback="user,item,kind,at\nu,1,view,1970-01-02\nu,2,view,86400\n")
    assert reasons(report["feedback"]) == {"at is neither a date nor Unix seconds": 3}
    assert Feedback.objects.get().occurred_at == datetime(1970, 1, 2, tzinfo=UTC)


def test_feedback_of_an_erased_person_is_rejected(load):
    load(**KNOWN)
    User.objects.filter(external_id="u").update(erased_at=timezone.now())
    report = load(feedback="user,item,kind\nu,1,like\n")["feedback"]
    assert reasons(report) == {"this person was erased": 2}


def test_the_same_twice_in_a_file_counts_once(load):
    report = load(
        **KNOWN,
        feedback="user,item,kind,at\nu,1,view,1500000000\nu,1,view,1500000000\nu,1,view,1500000001\n",
    )["feedback"]
    assert reasons(report) == {"twice in the file for one user, item and moment": 3}
    assert len(history()) == 2


def test_of_two_opinions_without_a_moment_the_first_counts(load):
    file = "user,item,kind\nu,1,like\nu,1,dislike\nu,1,view\n"
    report = load(**KNOWN, feedback=file)["feedback"]
    assert reasons(report) == {"twice in the file for one user, item and moment": 3}
    assert {row[2] for row in history()} == {"like", "view"}
    assert counts(load(feedback=file)["feedback"]) == (0, 0, 2, 1)


def test_history_is_not_edited(load):
    load(**KNOWN, feedback="user,item,rating,at\nu,1,4,1500000000\n")
    report = load(feedback="user,item,rating,at\nu,1,2,1500000000\n")["feedback"]
    assert reasons(report) == {"known from an earlier load with another value or text": 2}
    assert history() == [("u", "1", "rating", 4.0, True)]


def test_a_new_value_without_a_moment_is_a_new_opinion(load):
    load(**KNOWN, feedback="user,item,rating\nu,1,4\n")
    report = load(feedback="user,item,rating\nu,1,2\n")["feedback"]
    assert counts(report) == (1, 0, 0, 0)
    assert [row[3:] for row in history()] == [(4.0, False), (2.0, True)]


def test_the_latest_opinion_in_a_file_is_the_live_one(load):
    load(
        **KNOWN,
        feedback="user,item,kind,value,at\n"
        "u,1,like,,1500000200\nu,1,rating,3,1500000300\nu,1,dislike,,1500000100\n"
        "u,1,view,,1500000150\nv,1,hide,,1500000000\n",
    )
    assert history() == [
        ("v", "1", "hide", None, True),
        ("u", "1", "dislike", None, False),
        ("u", "1", "view", None, True),
        ("u", "1", "like", None, False),
        ("u", "1", "rating", 3.0, True),
    ]


def test_of_opinions_of_one_moment_the_later_line_is_live(load):
    load(**KNOWN, feedback="user,item,kind,at\nu,1,like,1500000000\nu,1,dislike,1500000000\n")
    assert [row[2:] for row in history()] == [("like", None, False), ("dislike", None, True)]


def test_a_later_load_replaces_an_older_opinion_and_not_a_newer_one(load):
    load(**KNOWN, feedback="user,item,rating,at\nu,1,3,1500000000\nv,1,3,1500000000\n")
    report = load(feedback="user,item,rating,at\nu,1,4,1500000001\nv,1,2,1499999999\n")["feedback"]
    assert report.notes == ["opinions that later ones replaced: 1"]
    assert history() == [
        ("v", "1", "rating", 2.0, False),
        ("u", "1", "rating", 3.0, False),
        ("v", "1", "rating", 3.0, True),
        ("u", "1", "rating", 4.0, True),
    ]


def test_what_a_person_said_here_since_stays_their_opinion(load):
    load(**KNOWN, feedback="user,item,rating,at\nu,1,3,1500000000\n")
    user, item = User.objects.get(external_id="u"), Item.objects.get(external_id="1")
    services.record_feedback(user, Given(item=item.uuid, kind="dislike"))
    load(feedback="user,item,rating,at\nu,1,3,1500000000\nu,1,5,1500000001\n")
    assert [row[2:] for row in history() if row[4]] == [("dislike", None, True)]


def test_what_a_person_took_back_stays_taken_back(load):
    file = "user,item,rating,at\nu,1,3,1500000000\n"
    load(**KNOWN, feedback=file)
    row = Feedback.objects.get()
    services.retract_feedback(row.user, row.uuid)
    assert counts(load(feedback=file)["feedback"]) == (0, 0, 1, 0)
    assert Feedback.objects.get().retracted_at


@pytest.mark.django_db(transaction=True)
def test_a_load_waits_for_a_request_of_the_same_person(load):
    load(**KNOWN)
    user, item = User.objects.get(external_id="u"), Item.objects.get(external_id="1")
    has_liked = Event()

    def like_slowly():
        with transaction.atomic():
            services.record_feedback(user, Given(item=item.uuid, kind="like"))
            has_liked.set()
            with connection.cursor() as cursor:
                for _ in range(100):  # until the load waits, at most 10 seconds
                    cursor.execute("SELECT pg_sleep(0.1)")
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    if cursor.fetchone()[0]:
                        break
        connection.close()

    request = Thread(target=like_slowly)
    request.start()
    assert has_liked.wait(10)
    load(feedback="user,item,rating,at\nu,1,3,1500000000\n")
    request.join()
    assert history() == [("u", "1", "rating", 3.0, False), ("u", "1", "like", None, True)]


def test_people_with_new_feedback_are_announced_each_once(load, announced):
    load(**KNOWN, feedback="user,item,kind\nv,1,view\nu,1,view\nu,2,view\n")
    assert announced[1] == list(User.objects.order_by("pk").values_list("pk", flat=True))
    announced[1].clear()
    load(feedback="user,item,kind\nv,1,view\nu,1,like\n")
    assert announced[1] == [User.objects.get(external_id="u").pk]


# --- a load as a whole --------------------------------------------------------------------------


def test_a_dry_run_reports_the_same_and_changes_nothing(load, announced):
    files = KNOWN | {"feedback": "user,item,kind\nu,1,like\nu,9,like\n"}
    dry = load(**files, dry_run=True)
    assert (Item.objects.count(), User.objects.count(), Feedback.objects.count()) == (0, 0, 0)
    assert announced == ([], [])
    assert dry == load(**files)
    assert counts(dry["feedback"]) == (1, 0, 0, 1)


def test_a_load_that_fails_leaves_nothing_behind(load, announced):
    with pytest.raises(Unusable, match=r"feedback\.csv has no column kind"):
        load(**KNOWN, feedback="user,item\nu,1\n")
    assert (Item.objects.count(), User.objects.count()) == (0, 0)


def test_rejected_rows_are_written_down_so_that_no_spreadsheet_computes_them(load, tmp_path):
    load(items='id,title\n=1+1,\n"a,b",\n@x,\n-2,\n')
    assert (tmp_path / "rejects").read_text().splitlines() == [
        "file,line,id,reason",
        "items.csv,2,'=1+1,no title",
        'items.csv,3,"a,b",no title',
        "items.csv,4,'@x,no title",
        "items.csv,5,'-2,no title",
    ]


def test_bulk_work_has_no_time_limit(db):
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with bulk.load("shop"), connection.cursor() as cursor:
        for limit in limits:
            cursor.execute(f"SHOW {limit}")
            assert cursor.fetchone() == ("0",)


@pytest.mark.parametrize("source", ["medley", "", "x" * 51])
def test_a_source_has_a_name_of_its_own(db, source):
    with pytest.raises(Unusable, match="a source is a name"), bulk.load(source):
        pass


def test_no_statement_reads_the_table_it_fills_once_a_row(load, monkeypatch):
    run, reads = bulk.Load._run, []

    def count_reads(job, statement, **values):
        before = scans()
        rows = run(job, statement, **values)
        if "INSERT INTO catalog_" in statement:
            reads.append(scans() - before)
        return rows

    def scans():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE relname LIKE 'catalog%'"
            )
            return cursor.fetchone()[0]

    monkeypatch.setattr(bulk.Load, "_run", count_reads)
    ids = range(300)
    with connection.cursor() as cursor:
        # Known to have no page, so to be cheap to read: what a statement is planned with.
        cursor.execute("TRUNCATE catalog_item CASCADE")
        cursor.execute("ANALYZE catalog_item, catalog_feedback")
    load(
        people="id\n" + "".join(f"{n}\n" for n in ids),
        items="id,title,categories,creators\n" + "".join(f"{n},Item {n},A,B\n" for n in ids),
        feedback="user,item,kind\n" + "".join(f"{n},{n},like\n" for n in ids),
    )
    assert len(reads) == 6
    assert max(reads) < 10


def test_ids_are_read_and_announced_in_chunks(load, announced, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 2)
    load(items="id,title,creators\n" + "".join(f"{n},Item {n},By {n}\n" for n in range(5)))
    assert announced[0] == list(Item.objects.order_by("pk").values_list("pk", flat=True))
    assert Creator.objects.count() == 5


# --- MovieLens ----------------------------------------------------------------------------------


@pytest.fixture
def load_movielens(db, tmp_path):
    def load(encoding="utf-8", **files):
        for name, content in files.items():
            (tmp_path / name.replace("_", ".")).write_text(content, encoding=encoding)
        with bulk.load(movielens.SOURCE) as job:
            return [counts(report) for report in movielens.load(job, tmp_path)]

    return load


def films():
    return [
        (
            film.external_id,
            film.title,
            film.published_at and film.published_at.year,
            sorted(category.slug for category in film.categories.all()),
        )
        for film in Item.objects.filter(kind="film").order_by("external_id")
    ]


def test_latest_small_is_read(load_movielens):
    assert load_movielens(
        movies_csv="movieId,title,genres\n"
        '1,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Sci-Fi|Children\n'
        "2,Babylon 5,(no genres listed)\n",
        ratings_csv="userId,movieId,rating,timestamp\n7,1,4.5,1500000000\n8,9,4,1500000000\n",
        tags_csv="ignored",
    ) == [(2, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 1)]
    assert films() == [
        ("1", "The City of Lost Children (La Cité des enfants perdus)", 1995,
         ["children", "science-fiction"]),
        ("2", "Babylon 5", None, []),
    ]  # fmt: skip
    assert Category.objects.get(slug="science-fiction").names == {
        "en": "Science Fiction",
        "zh": "科幻",
    }
    assert history() == [("7", "1", "rating", 4.5, True)]
    assert User.objects.get().kind == "imported"


def test_the_100k_set_is_read_in_its_own_encoding(load_movielens):
    flags = "|".join("1" if n in (4, 15) else "0" for n in range(19))
    assert load_movielens(
        encoding="latin-1",
        u_item=f"1|Misérables, Les (1995)|01-Jan-1995||http://x|{flags}\n",
        u_data="196\t1\t3\t881250949\n186\t1\tNaN\t881250949\n",
    ) == [(1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 1)]
    assert films() == [("1", "Les Misérables", 1995, ["children", "science-fiction"])]


def test_the_1m_set_is_read(load_movielens):
    assert load_movielens(
        encoding="latin-1",
        movies_dat="1::Heat (1995)::Crime|Film-Noir\n",
        ratings_dat="1::1::5::978300760\n1::1::5\n",
    ) == [(1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 1)]
    assert films() == [("1", "Heat", 1995, ["crime", "film-noir"])]


def test_a_second_load_of_movielens_changes_nothing(load_movielens):
    files = {
        "movies_csv": "movieId,title,genres\n1,Heat (1995),Crime\n",
        "ratings_csv": "userId,movieId,rating,timestamp\n7,1,4.5,1500000000\n",
    }
    load_movielens(**files)
    assert load_movielens(**files) == [(0, 0, 1, 0), (0, 0, 1, 0), (0, 0, 1, 0)]
