"""What `load_catalog` reads besides CSV, and what it refuses before reading it."""

import gzip
import json
import resource
import stat
import time
import zipfile
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.importers import archives, exports, reading
from catalog.models import Attribute, Feedback, Item, User
from recommender.models import Job

pytestmark = pytest.mark.django_db


def run(*args, **options) -> str:
    out = StringIO()
    options = {"verbosity": 0} | options
    call_command("load_catalog", *map(str, args), stdout=out, skip_checks=True, **options)
    return out.getvalue()


def put(path: Path, *rows: object) -> Path:
    path.write_text(
        "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    )
    return path


ITEMS = (
    {"id": "1", "title": "Kettle", "price": 19.5, "categories": ["Kitchen"], "creators": ["Ada"]},
    {"id": "2", "title": "Boots", "attributes": {"colour": "red"}},
    {"id": "3", "title": ""},
)
FEEDBACK = (
    {"user": "u", "item": "1", "kind": "rating", "value": 4.5, "at": "2026-11-01"},
    {"user": "u", "item": "9", "kind": "like", "at": "2026-11-01"},
)


# --- lines of JSON, and Parquet -------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    Attribute.objects.create(name="colour", type="text")
    put(tmp_path / "items.jsonl", *ITEMS)
    put(tmp_path / "people.jsonl", {"id": "u", "name": "Ann"})
    put(tmp_path / "feedback.jsonl", *FEEDBACK)
    return tmp_path


REPORT = (
    "people.{0}: 1 loaded, 0 updated, 0 unchanged, 0 rejected\n"
    "items.{0}: 2 loaded, 0 updated, 0 unchanged, 1 rejected\n"
    "  1 rejected: no title (first in line 3)\n"
    "feedback.{0}: 1 loaded, 0 updated, 0 unchanged, 1 rejected\n"
    "  1 rejected: unknown item (first in line 2)\n"
)


def check_loaded() -> None:
    kettle, boots = Item.objects.order_by("external_id")
    assert (kettle.title, str(kettle.price), boots.attributes) == (
        "Kettle",
        "19.50",
        {"colour": "red"},
    )
    assert [c.slug for c in kettle.categories.all()] == ["kitchen"]
    assert [c.name for c in kettle.creators.all()] == ["Ada"]
    assert list(Feedback.objects.values_list("user__name", "item", "value", "occurred_at")) == [
        ("Ann", kettle.pk, 4.5, datetime(2026, 11, 1, tzinfo=UTC))
    ]
    assert set(Job.objects.values_list("kind", flat=True)) == {"embed", "learn"}


def test_lines_of_json_are_loaded_and_reported(folder):
    assert run(folder, "--format", "jsonl") == REPORT.format("jsonl")
    check_loaded()


def test_a_second_load_of_lines_of_json_writes_nothing(folder):
    run(folder, "--format", "jsonl")
    before = list(Item.objects.values()), list(Job.objects.values())
    assert "0 loaded, 0 updated, 2 unchanged" in run(folder, "--format", "jsonl")
    assert (list(Item.objects.values()), list(Job.objects.values())) == before


def test_a_dry_run_of_lines_of_json_changes_nothing(folder):
    said = run(folder, "--format", "jsonl", "--dry-run")
    assert said == REPORT.format("jsonl") + "dry run: nothing was changed\n"
    assert not Item.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (ITEMS, "2 loaded"),
        ([{"id": "u"}], "1 loaded"),
        (FEEDBACK, "2 rejected: unknown"),
    ],
)
def test_one_file_is_recognised_by_its_first_line(tmp_path, rows, says):
    Attribute.objects.create(name="colour", type="text")
    assert says in run(put(tmp_path / "export.jsonl", *rows), "--format", "jsonl")


def test_what_is_not_recognised_is_asked_for(tmp_path):
    for first in ('["a"]\n', "{\n", "", "[" * 100_000):
        with pytest.raises(CommandError, match=r"begins with nothing known; say what it holds"):
            run(put(tmp_path / "export.jsonl", first), "--format", "jsonl")


def test_rejected_rows_of_json_are_written_down(folder):
    rejects = folder / "rejects.csv"
    for _again in range(2):
        run(folder, "--format", "jsonl", "--rejects", rejects)
    assert rejects.read_text().splitlines()[1:] == [
        "items.jsonl,3,3,no title",
        "feedback.jsonl,2,u 9,unknown item",
    ]
    with pytest.raises(CommandError, match="would overwrite"):
        run(folder, "--format", "jsonl", "--rejects", folder / "items.jsonl")


@pytest.fixture
def parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    Attribute.objects.create(name="colour", type="text")
    text = pa.list_(pa.string())
    colour = pa.struct([("colour", pa.string())])
    parquet.write_table(
        pa.table(
            {
                "id": pa.array([1, 2, 3]),
                "title": ["Kettle", "Boots", ""],
                "price": pa.array([19.5, float("nan"), None]),
                "categories": pa.array([["Kitchen"], None, []], text),
                "creators": pa.array([["Ada"], None, None], text),
                "attributes": pa.array([None, {"colour": "red"}, None], colour),
                "embedding": pa.array([[1.0], [2.0], [3.0]]),
            }
        ),
        tmp_path / "items.parquet",
    )
    parquet.write_table(pa.table({"id": ["u"], "name": ["Ann"]}), tmp_path / "people.parquet")
    at = pa.array([datetime(2026, 11, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    parquet.write_table(
        pa.table(
            {
                "user": ["u", "u"],
                "item": pa.array([1, 9]),
                "kind": ["rating", "like"],
                "value": [4.5, None],
                "at": at,
            }
        ),
        tmp_path / "feedback.parquet",
    )
    return tmp_path


def test_parquet_is_loaded_as_lines_of_json_are(parquet):
    assert run(parquet, "--format", "parquet") == REPORT.format("parquet")
    check_loaded()


def test_what_is_no_parquet_or_a_bomb_of_it_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    with pytest.raises(CommandError, match="cannot be read as Parquet"):
        run(put(tmp_path / "items.parquet", "PAR1 no"), "--format", "parquet")
    title = pa.array(["x" * 1000] * 30_000)
    table = pa.table({"id": [str(n) for n in range(30_000)], "title": title})
    parquet.write_table(table, tmp_path / "items.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(CommandError, match="unpacks to more than 100 times its size"):
        run(tmp_path, "--format", "parquet")
    assert not Item.objects.exists()


# --- what others publish or export ----------------------------------------------------------------


def test_amazon_reviews_of_2018_and_2023_are_loaded(tmp_path):
    (tmp_path / "meta_Toys.json.gz").write_bytes(
        gzip.compress(
            b'{"asin":"B1","title":"Kite &amp; string","price":"$1,019.50","brand":"Ada",'
            b'"category":["Toys","Outdoor"],"description":["Flies."],"also_buy":["B2"]}\n'
            b'{"asin":"B2","title":"","price":"See price","category":[]}\n{"title":"none"}\n'
        )
    )
    put(
        tmp_path / "Toys_5.json",
        {"reviewerID": "A", "asin": "B1", "overall": 5.0, "unixReviewTime": 1_514_764_800},
        {"reviewerID": "A", "asin": "B9", "overall": 5.0, "unixReviewTime": 1_514_764_800},
    )
    put(
        tmp_path / "Garden.jsonl",
        {"user_id": "B", "asin": "x", "parent_asin": "B2", "rating": 2, "timestamp": 1.6e12},
        {"user_id": "B", "rating": 2, "timestamp": 1_600_000_000_000},
    )
    said = run(tmp_path, "--format", "amazon")
    assert "meta_Toys.json.gz: 2 loaded, 0 updated, 0 unchanged, 1 rejected" in said
    assert "1 rejected: not a row of this format (first in line 3)" in said
    kite, other = Item.objects.order_by("external_id")
    assert (kite.title, str(kite.price), kite.currency, kite.kind) == (
        "Kite & string",
        "1019.50",
        "USD",
        "product",
    )
    assert (other.title, other.price) == ("B2", None)
    assert list(
        Feedback.objects.order_by("user__external_id").values_list(
            "user__external_id", "item", "value", "occurred_at__year"
        )
    ) == [("A", kite.pk, 5.0, 2018), ("B", other.pk, 2.0, 2020)]


def test_mind_is_loaded_with_what_was_clicked_and_read(tmp_path):
    put(
        tmp_path / "news.tsv",
        'N1\tsports\tsoccer\tA "goal\tLate.\thttps://news.example/1\t[]\t[]\n',
        "N2\tnews\tnewsworld\tVote\t\t\t[]\t[]\n",
        "N3\tnews\n",
    )
    put(
        tmp_path / "behaviors.tsv",
        "1\tU1\t11/15/2019 8:55:22 AM\tN2\tN1-1 N2-0\n",
        "2\tU1\t11/15/2019 9:00:00 PM\tN2\tN2-1\n",
        "3\tU2\tyesterday\t\tN1-1\n",
    )
    said = run(tmp_path, "--format", "mind")
    assert "news.tsv: 2 loaded, 0 updated, 0 unchanged, 1 rejected" in said
    assert "time is not as 11/15/2019 8:55:22 AM (first in line 3)" in said
    goal = Item.objects.get(external_id="N1")
    assert (goal.title, goal.kind, goal.description) == ('A "goal', "news", "Late.")
    assert set(goal.categories.values_list("slug", flat=True)) == {"sports", "soccer"}
    assert list(
        Feedback.objects.order_by("occurred_at").values_list(
            "item__external_id", "kind", "occurred_at"
        )
    ) == [
        ("N2", "view", datetime(2019, 11, 15, 8, 54, 22, tzinfo=UTC)),
        ("N1", "view", datetime(2019, 11, 15, 8, 55, 22, tzinfo=UTC)),
        ("N2", "view", datetime(2019, 11, 15, 21, 0, tzinfo=UTC)),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_an_export_of_gorse_is_loaded(tmp_path, ending):
    at = "2026-01-02T03:04:05Z"
    if ending == "jsonl":
        put(tmp_path / "users.jsonl", {"UserId": "u", "Labels": {"a": 1}})
        put(
            tmp_path / "items.jsonl",
            {
                "ItemId": "i",
                "IsHidden": False,
                "Categories": ["Kitchen"],
                "Timestamp": at,
                "Labels": ["x"],
                "Comment": "A kettle",
            },
            {"ItemId": "j", "IsHidden": True, "Timestamp": "0001-01-01T00:00:00Z"},
        )
        put(
            tmp_path / "feedback.jsonl",
            {"FeedbackType": "star", "UserId": "u", "ItemId": "i", "Timestamp": at},
            {"FeedbackType": "sneeze", "UserId": "u", "ItemId": "i", "Timestamp": at},
        )
    else:
        put(tmp_path / "users.csv", "user_id,labels\nu,a\n")
        put(
            tmp_path / "items.csv",
            "item_id,is_hidden,categories,time_stamp,labels,comment\n"
            f"i,false,Kitchen,{at},x,A kettle\nj,true,,0001-01-01T00:00:00Z,,\n".replace(
                "time_stamp", "timestamp"
            ),
        )
        put(
            tmp_path / "feedback.csv",
            f"feedback_type,user_id,item_id,time_stamp\nstar,u,i,{at}\nsneeze,u,i,{at}\n",
        )
    said = run(tmp_path, "--format", "gorse")
    assert "1 rejected: unknown feedback type: sneeze" in said
    kettle, other = Item.objects.order_by("external_id")
    assert (kettle.title, kettle.is_available, kettle.published_at.year) == ("A kettle", True, 2026)
    assert (other.title, other.is_available, other.published_at) == ("j", False, None)
    assert list(Feedback.objects.values_list("user__external_id", "item", "kind")) == [
        ("u", kettle.pk, "like")
    ]


@pytest.mark.parametrize("format", ["jsonl", "parquet", "amazon", "mind", "gorse"])
def test_a_folder_without_files_of_the_format_is_refused_with_what_was_expected(tmp_path, format):
    with pytest.raises(CommandError, match=r" has n| is not a folder with "):
        run(tmp_path, "--format", format)


def test_every_format_says_what_it_expects_in_the_help():
    from catalog.management.commands import load_catalog

    assert all(name in load_catalog.COLUMNS for name in load_catalog.LOADERS)
    assert set(exports.KINDS.values()) <= set(Feedback.Kind.values)


# --- archives, and what is hidden in them ---------------------------------------------------------


def pack(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_an_archive_is_read_as_it_lies_whatever_folder_its_files_are_in(tmp_path):
    members = {
        "ml-latest/README.html": "<h1>",
        "ml-latest/movies.csv": "movieId,title,genres\n1,Heat (1995),Crime\n",
        "ml-latest/ratings.csv": "userId,movieId,rating,timestamp\n7,1,4.5,1500000000\n",
    }
    archive = pack(tmp_path / "ml-latest.zip", **members)
    before = sorted(tmp_path.rglob("*"))
    assert "ratings.csv: 1 loaded" in run(archive, "--format", "movielens")
    assert Feedback.objects.get().item.title == "Heat"
    assert sorted(tmp_path.rglob("*")) == before


def test_movielens_1m_is_loaded_from_its_archive(tmp_path):
    members = {
        "ml-1m/movies.dat": "1::Les Misérables (1998)::Drama\n",
        "ml-1m/ratings.dat": "7::1::4::978300760\n",
        "ml-1m/users.dat": "7::F::1::10::48067\n",
    }
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text.encode("latin-1"))
    assert "ratings.dat: 1 loaded" in run(tmp_path / "ml-1m.zip", "--format", "movielens")
    assert Item.objects.get().title == "Les Misérables"


def linked(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("items.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")


def bomb(path: Path) -> None:
    pack(path, **{"items.csv": "id,title\n" + "1,x\n" * 10_000_000})


def leading_out(path: Path) -> None:
    pack(path, **{"../../items.csv": "id,title\n1,One\n"})


def absolute(path: Path) -> None:
    pack(path, **{"/tmp/items.csv": "id,title\n1,One\n"})


def crowded(path: Path) -> None:
    pack(path, **{f"{n}.csv": "" for n in range(archives.MEMBERS + 1)})


def twice(path: Path) -> None:
    pack(path, **{"a/items.csv": "id,title\n1,One\n", "b/items.csv": "id,title\n2,Two\n"})


def nested(path: Path) -> None:
    inner = path.with_name("inner.zip")
    bomb(inner)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "items.csv.zip")


def laughing(path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    pack(
        path,
        **{
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.xml": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l9;</x>',
        },
    )


def lying(path: Path) -> None:
    """Says that it holds little, and holds much."""
    bomb(path)
    text = path.read_bytes()
    real = (len("id,title\n") + 4 * 10_000_000).to_bytes(4, "little")
    path.write_bytes(text.replace(real, (40).to_bytes(4, "little")))


def cut(path: Path) -> None:
    twice(path)
    path.write_bytes(path.read_bytes()[:-30])


def packed_bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(b"id,title\n" + (b"1," + b"x" * 400 + b"\n") * 100_000))


def packed_twice(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.compress(b"id,title\n1,One\n")))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (bomb, "unpacks to more than 100 times its size"),
        (linked, "holds a link"),
        (leading_out, "a name that leads out of it"),
        (absolute, "a name that leads out of it"),
        (crowded, "holds more than 1,000 files"),
        (twice, r"holds items\.csv twice"),
        (nested, r"has no people\.csv"),
        (laughing, r"has no people\.csv"),
        (lying, "items.csv is damaged"),
        (cut, "is not a zip archive"),
        (packed_bomb, "more than 100 times as large"),
        (packed_twice, "first line is"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_hidden_in_a_file_is_refused_at_once(tmp_path, make, says):
    """In less than two seconds, without the memory that it asks for, and nothing beside it."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    make(folder / "items.zip")
    before = sorted(tmp_path.rglob("*"))
    peak, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(CommandError, match=says):
        run(folder / "items.zip")
    assert time.process_time() - begun < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000  # KB
    assert sorted(tmp_path.rglob("*")) == before
    assert not Item.objects.exists()


def test_what_is_packed_well_and_honestly_is_read():
    packed = gzip.compress(b"id,title\n" + b"1,x\n" * 1000)
    assert b"".join(reading.inflated([packed[:50], packed[50:]])).endswith(b"1,x\n")


def test_a_person_of_a_file_who_was_erased_stays_so(folder):
    run(folder, "--format", "jsonl")
    User.objects.update(erased_at=datetime.now(UTC))
    assert "1 rejected: this person was erased" in run(folder, "--format", "jsonl")
