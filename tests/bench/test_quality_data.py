"""Tables of data sets as they are found, each read by what its columns are called."""

import gzip
import hashlib
import zipfile

import numpy as np
import pytest

from bench.quality import data as sources
from bench.quality.data import NoData, data_sets, movielens_100k, read


def folder_of(root, name, **tables):
    """root/name with a table for each keyword: rows of words, the first one the head."""
    folder = root / name
    folder.mkdir()
    for table, text in tables.items():
        rows = "\n".join(",".join(row.split()) for row in text.strip().splitlines())
        (folder / f"{table.replace('__', '-')}.csv.gz").write_bytes(gzip.compress(rows.encode()))
    return root


def read_all(root):
    return {name: read(name, tables) for name, tables in data_sets(root).items()}


def events(data):
    return [
        (data.person_ids[person], data.catalogue[item]["item"])
        for person, item in zip(data.people, data.items, strict=True)
    ]


def test_ratings_are_read_in_the_order_of_time_and_other_tables_left_alone(tmp_path):
    folder_of(
        tmp_path,
        "films",
        ratings="userId movieId rating timestamp\n 1 7 4.5 30\n 1 8 2 10\n 2 7 5 20\n 2 8 5 40",
        movies_text="movieId title genres text\n 7 Alien Horror|SF Space.\n 8 Up Family Air.",
        links="movieId imdbId\n 7 1\n 8 2",
        tags="userId movieId tag timestamp\n 1 8 sad 1",
    )
    films = read_all(tmp_path)["films"]
    assert events(films) == [("1", "8"), ("2", "7"), ("1", "7"), ("2", "8")]
    assert films.ratings.tolist() == [2, 5, 4.5, 5]
    assert films.rated
    assert films.clock == "time"
    alien = {"item": "7", "title": "Alien", "genres": "Horror|SF", "text": "Space."}
    assert films.catalogue[0] == alien


def test_of_purchases_the_first_of_a_pair_counts_and_returns_do_not(tmp_path):
    folder_of(
        tmp_path,
        "shop",
        transactions="""
            InvoiceNo StockCode Quantity InvoiceDate CustomerID
            1 21A 6 2010-12-02T08:26:00 17
            2 21A 1 2010-12-01T08:26:00 17
            3 22B 1 2010-12-03T08:26:00
            C4 22B -1 2010-12-04T08:26:00 17
            5 23C 2 2010-12-01T09:26:00 17
        """,
        items="StockCode Description\n 21A KETTLE\n 22B CLOCK",
    )
    shop = read_all(tmp_path)["shop"]
    assert events(shop) == [("17", "21A"), ("17", "23C")]
    assert np.diff(shop.moments).tolist() == [3600]
    assert not shop.rated
    assert shop.catalogue == [
        {"item": "21A", "title": "KETTLE", "genres": "", "text": ""},
        {"item": "23C", "title": "", "genres": "", "text": ""},
    ], "nobody has the clock, and the catalogue does not know 23C"


def test_several_sets_of_one_folder_are_told_by_their_names(tmp_path):
    folder_of(
        tmp_path,
        "amazon",
        office_items="item_id title description\n 0 Pen Blue\n 1 Ink Black",
        office_sequences="user_id item_id position\n A 1 1\n A 0 0",
        lab_items="item_id title description\n 0 Tube Glass",
        lab_sequences="user_id item_id position\n B 0 0",
    )
    found = read_all(tmp_path)
    assert list(found) == ["amazon-lab", "amazon-office"]
    assert events(found["amazon-office"]) == [("A", "0"), ("A", "1")]
    assert found["amazon-office"].clock == "order"
    assert found["amazon-office"].catalogue[0]["text"] == "Blue"


def test_of_impressions_the_history_and_then_what_was_clicked_counts(tmp_path):
    folder = tmp_path / "news"
    folder.mkdir()
    (folder / "behaviors.csv").write_text(
        "impression_id,user_id,history,impressions\n"
        "1,U,n2 n1,n3-0 n4-1\n"
        "2,U,n2 n1,n1-1 n5-1\n"
        "3,V,,n4-1\n"
    )
    (folder / "news.csv").write_text("news_id,title,abstract\nn1,One,A.\nn2,Two,B.\nn3,Three,C.\n")
    news = read_all(tmp_path)["news"]
    assert events(news) == [("U", "n2"), ("U", "n1"), ("U", "n4"), ("U", "n5"), ("V", "n4")]
    assert news.clock == "order"


def test_a_folder_that_lacks_a_table_is_named(tmp_path):
    folder_of(tmp_path, "captions", captions="item_id title\n 1 Cat")
    with pytest.raises(NoData, match="captions has no table of events"):
        read_all(tmp_path)


@pytest.fixture
def wheel(tmp_path):
    """A wheel with three films, one of which nobody knows anything of."""
    inside = "recbole/dataset_example/ml-100k/ml-100k"
    with zipfile.ZipFile(path := tmp_path / "recbole-1.2.1-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{inside}.inter", "head\n1\t8\t3\t90\n1\t9\t5\t80\n2\t7\t4\t70\n")
        archive.writestr(
            f"{inside}.item",
            'head\n7\t"Up", the Film\t1995\tChildren\'s Sci-Fi\n'
            "8\tHeat\t1995\tunknown\n9\tunkonwn\tunkonwn\tunknown\n",
        )
    return path


def test_films_are_read_out_of_the_wheel_as_a_file(wheel, monkeypatch):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(sources, "WHEEL_SHA256", digest)
    films = movielens_100k(wheel.parent)
    assert events(films) == [("2", "7"), ("1", "9"), ("1", "8")]
    assert films.ratings.tolist() == [4, 5, 3]
    titles = [(item["title"], item["genres"]) for item in films.catalogue]
    assert titles == [
        ('"Up", the Film (1995)', "Children's|Sci-Fi"),
        ("Heat (1995)", ""),
        ("unkonwn", ""),
    ]


def test_another_wheel_than_the_measured_one_is_refused(wheel):
    with pytest.raises(NoData, match="remove it"):
        movielens_100k(wheel.parent)
