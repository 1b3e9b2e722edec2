"""What is measured of lists, and what the tables say of it."""

import numpy as np
import pytest

from bench import readme
from bench.__main__ import parsed
from bench.quality import run, score
from bench.quality.data import Event, gather
from bench.quality.peers import Peer
from bench.quality.peers.common import Variant, choose, rank_by, task_of
from bench.quality.score import Entry
from bench.quality.splits import loo

ALPHABET = [{"item": i, "title": i, "genres": "", "text": ""} for i in "abcdefgh"]


def lists(*rows):
    return {person: np.array(row) for person, row in enumerate(rows)}


def test_a_hit_at_the_second_place_is_worth_less_and_no_list_is_worth_nothing():
    reached = score.score(lists([3, 7], [5]), lists([7], [5, 6], [1]), n_items=8)
    assert reached.ndcg == pytest.approx([1 / np.log2(3), 1 / (1 + 1 / np.log2(3)), 0])
    assert reached.recall.tolist() == [1, 0.5, 0]
    assert reached.first.tolist() == [0.5, 1, 0]
    assert reached.coverage == 3 / 8


def test_recall_is_of_all_that_is_relevant_also_when_a_list_cannot_hold_it():
    reached = score.score(lists(range(10)), lists(range(20)), n_items=20)
    assert reached.recall.tolist() == [0.5]
    assert reached.ndcg == pytest.approx([1])


def test_only_ten_places_count_but_for_the_first_hit_among_twenty():
    reached = score.score(lists(range(30)), lists([15, 25]), n_items=40)
    assert (reached.ndcg[0], reached.recall[0], reached.coverage) == (0, 0, 0.25)
    assert reached.first[0] == 1 / 16


def test_of_folds_each_person_has_one_mean():
    one = score.score(lists([1], [1]), {0: np.array([1]), 1: np.array([2])}, n_items=4)
    two = score.score(lists([1], [1]), {1: np.array([1])}, n_items=4)
    assert score.pool([one, two]).people.tolist() == [0, 1]
    assert score.pool([one, two]).ndcg.tolist() == [1, 0.5]


def entry(name, hits, **about):
    """A system that finds the item of so many of ten people."""
    found = [[1] if person < hits else [2] for person in range(10)]
    return Entry(name, score.score(lists(*found), lists(*[[1]] * 10), n_items=4), **about)


def test_the_table_has_the_best_first_our_difference_and_who_is_missing():
    ours = entry("ours", 10, seconds=3.2)
    weak = entry("weak", 0, settings="k 5")
    text = score.table([Entry("gone", missing="pip failed"), weak, ours, entry("same", 10)], ours)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert [row[0] for row in rows[2:]] == ["ours", "same", "weak", "gone"]
    assert rows[2][1:] == ["1.0000 ± 0.0000"] * 3 + ["0.250", "", "", "", "3"]
    assert rows[3][5:7] == ["+0.0000 [+0.0000, +0.0000]", "TIE"]
    assert rows[4][5:8] == ["+1.0000 [+1.0000, +1.0000]", "WIN", "k 5"]
    assert rows[5][1] == "no lists: pip failed"
    assert {len(row) for row in rows} == {9}
    assert score.as_json(weak, ours)["verdict"] == "WIN"
    assert score.as_json(weak, ours)["ours less it"] == [1, 1, 1]


def test_without_our_lists_the_others_are_measured_all_the_same():
    text = score.table([entry("peer", 10)], Entry("ours", missing="not yet"))
    assert "| peer | 1.0000" in text
    assert "WIN" not in text


def test_lists_for_other_people_are_not_compared():
    with pytest.raises(ValueError, match="same people"):
        score.lead(entry("a", 1).scores, score.score({}, {99: np.array([1])}, n_items=4))


EVENTS = gather(
    "tiny",
    ALPHABET,
    [Event("ann", i, 5.0, n) for n, i in enumerate("abcd")]
    + [Event("bob", i, 5.0, n) for n, i in enumerate("bcde")],
    "time",
)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("ann,e,1,.5\nann,e,2,.4\n", "shows ann an item twice"),
        ("ann,z,1,.5\n", "shows z to ann, one of whom is unknown"),
        ("tom,a,1,.5\n", "shows a to tom, one of whom is unknown"),
        ("ann,a,1,.5\n", "shows ann what ann has"),
    ],
)
def test_lists_that_nobody_should_be_shown_are_refused(tmp_path, rows, message):
    (tmp_path / "lists.csv").write_text("user,item,rank,score\n" + rows)
    with pytest.raises(run.Missing, match=message):
        run.read_lists(tmp_path / "lists.csv", EVENTS, loo(EVENTS))


def test_lists_are_read_by_rank(tmp_path):
    (tmp_path / "lists.csv").write_text("user,item,rank,score\nann,e,2,.5\nann,d,1,.9\n")
    reached = run.read_lists(tmp_path / "lists.csv", EVENTS, loo(EVENTS))
    assert reached.ndcg.tolist() == [1, 0], "ann's d is first, and bob has no list"


def test_settings_are_chosen_by_what_was_held_out_for_that():
    by_row = {"up": np.arange(5.0), "down": -np.arange(5.0)}

    def recommend(task, k, order):
        return rank_by(lambda had: by_row[order], task, k)

    settings, reached = choose(Variant(recommend, {"order": ["down", "up"]}), EVENTS, loo(EVENTS))
    # Known: ann a b, bob b c. To find: c and d. Down ranks ann c d e, bob a d e.
    assert settings == {"order": "down"}
    assert reached == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_a_list_holds_what_is_allowed_and_not_had_equals_by_row():
    task = task_of(EVENTS, loo(EVENTS).train, np.array([0, 1]), shown=[0, 1, 3, 4])
    items, _ = rank_by(lambda had: np.ones(5), task, k=3)
    assert items.tolist() == [[3, 4, -1], [0, 3, 4]]


def test_a_peer_whose_environment_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "none.txt").write_text("./no-such-folder\n")
    monkeypatch.setattr(run, "HERE", tmp_path)
    peer = Peer("gone", "none", "x", "none.txt")
    monkeypatch.setattr(run, "digest", lambda *args: "new")
    found = run.measure(peer, EVENTS, [loo(EVENTS)], [tmp_path], tmp_path, again=False)
    assert found.scores is None
    assert found.missing.startswith("pip ended with status 1")


def test_the_parts_of_the_bench_are_asked_for_by_name():
    assert parsed([]).part is None
    options = parsed(["quality", "--split", "loo", "--split", "cold"])
    assert (options.part, options.split) == ("quality", ["loo", "cold"])
    assert run.matches("RecTools EASE", ["ease"])
    assert not run.matches("loo", ["cold", "utemporal"])


def test_a_table_of_the_readme_is_replaced_and_nothing_else(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# A\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\nkept\n<!-- end -->\n")
    readme.replace("one", "new\n", path)
    readme.replace("three", "nowhere\n", path)
    assert path.read_text() == (
        "# A\n<!-- one -->\nnew\n<!-- end -->\nb\n<!-- two -->\nkept\n<!-- end -->\n"
    )
