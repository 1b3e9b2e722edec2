"""A replay knows nothing of the future, reads nothing learned, and makes the lists of a request."""

import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog import services
from catalog.models import Feedback
from recommender import embed, evaluate, learn, store
from recommender.diversity import Limits
from recommender.evaluation.fitting import part
from recommender.evaluation.replay import Past, case, list_for, look_back, rows_by_person
from recommender.evaluation.splits import Leak
from recommender.models import (
    Candidates,
    Interest,
    ItemEmbedding,
    LearnedItem,
    ModelVersion,
    Popularity,
)
from recommender.ranking.pipeline import Rules, rank
from recommender.recommend import recommend
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
WORDS = ["kettle", "boots", "tent"]


@pytest.fixture
def crowd():
    items = [make_item(f"{WORDS[n % 3]} number {n}", categories=[WORDS[n % 3]]) for n in range(36)]
    people = [make_person(f"person {n}") for n in range(12)]
    rng = np.random.default_rng(0)
    for number, person in enumerate(people):
        own = [item for n, item in enumerate(items) if n % 3 == number % 3]
        for place, at in enumerate(rng.permutation(len(own))[:8]):
            import_feedback(person, own[at], days_ago=40 - place)
    embed_and_learn()
    return people, items


def past_of(moment: datetime) -> Past:
    return look_back(store.library(evaluate._space()), store.events(until=moment))


def served_model():
    return store.model_of_version(store.active_version().pk)


def lists(past: Past, people) -> list[list[int]]:
    rows = rows_by_person(past.events.people)
    rules = Rules(limit=10, diversity=0.3, limits=Limits(max_per_creator=3))
    return [list_for(past, rows[p.pk], rules, pool_size=200).tolist() for p in people]


def test_what_happens_afterwards_changes_no_list(crowd):
    people, items = crowd
    moment = datetime.now(UTC) - timedelta(days=30)
    before = lists(past_of(moment), people)
    for person in people:  # their own future, and that of others
        import_feedback(person, items[0], "share", days_ago=1)
        import_feedback(person, items[35], "purchase", days_ago=0.5)
    embed_and_learn()
    assert lists(past_of(moment), people) == before


@pytest.fixture
def replayed(monkeypatch):
    """The lists that evaluate() makes, in the order in which it makes them."""
    lists, make = [], evaluate.list_for

    def keep(*args, **more):
        lists.append(make(*args, **more).tolist())
        return np.array(lists[-1], dtype=np.int64)

    monkeypatch.setattr(evaluate, "list_for", keep)
    return lists


def test_a_whole_evaluation_at_a_moment_shows_the_same_whatever_comes_later(
    crowd, replayed, monkeypatch
):
    people, items = crowd
    monkeypatch.setattr(evaluate, "FEWEST_PEOPLE", 12)
    moment = datetime.now(UTC) - timedelta(days=36)
    evaluate.evaluate(at=moment, k=5)
    before = replayed.copy()
    replayed.clear()
    assert len(before) == 12 * 7  # relevance order, and two strengths of each strategy
    for person in people:
        import_feedback(person, items[0], "share", days_ago=2)
        import_feedback(person, items[17], "purchase", days_ago=1)
        early = Feedback.objects.filter(user=person).order_by("occurred_at").first().item
        give(person, early, "dislike")  # changes an opinion that is older than the moment
    evaluate.evaluate(at=moment, k=5)
    assert replayed == before


def test_a_split_that_leaks_is_no_result_but_an_error(crowd, monkeypatch):
    def leaking(events, keep):
        held = np.flatnonzero(~keep)
        return part(events, keep | (np.arange(len(keep)) == held[0]))  # one of what is held out

    monkeypatch.setattr(evaluate, "part", leaking)
    with pytest.raises(Leak, match="^1 events are known that are to be foretold"):
        evaluate.evaluate(k=5)


def test_new_items_of_which_something_is_known_are_no_result_but_an_error(crowd, monkeypatch):
    calls = []

    def leaking(events, keep):
        calls.append(keep)
        return part(events, keep) if len(calls) == 1 else events  # the second withholds new items

    monkeypatch.setattr(evaluate, "part", leaking)
    with pytest.raises(Leak, match="nobody is meant to have touched"):
        evaluate.evaluate(k=5)


def test_an_opinion_that_is_changed_later_was_still_held_before(crowd):
    people, items = crowd
    moment = datetime.now(UTC) - timedelta(days=30)
    before = lists(past_of(moment), people)
    liked = Feedback.objects.filter(user=people[0]).order_by("-occurred_at").first().item
    give(people[0], liked, "dislike")  # the like of a month ago is superseded, not gone
    assert lists(past_of(moment), people) == before
    assert lists(past_of(datetime.now(UTC)), people) != before


def test_an_item_that_was_removed_is_in_no_list_and_stops_nothing(crowd, replayed):
    people, items = crowd
    services.remove_items([items[n].pk for n in range(6)])
    evaluate.evaluate(k=5)
    assert not {items[n].pk for n in range(6)} & {item for row in replayed for item in row}


def test_no_learned_table_is_read(crowd, replayed):
    before = evaluate.evaluate(k=5)
    lists_before = replayed.copy()
    replayed.clear()
    for model in (LearnedItem, ModelVersion, Popularity, Interest, Candidates):
        model.objects.all().delete()
    after = evaluate.evaluate(k=5)
    assert replayed == lists_before
    for one, two in zip(before.systems, after.systems, strict=True):
        assert {name: values.tolist() for name, values in one.people.items()} == {
            name: values.tolist() for name, values in two.people.items()
        }


@pytest.mark.parametrize("strategy", ["mmr", "dpp", "mixed"])
@pytest.mark.parametrize("diversity", [0.0, 0.5])
def test_a_request_and_a_replay_make_the_same_list(crowd, diversity, strategy):
    people, _ = crowd
    past = past_of(datetime.now(UTC))
    rows = rows_by_person(past.events.people)
    for person in people[:4]:
        live = recommend(person.pk, limit=10, diversity=diversity, strategy=strategy)
        rules = Rules(
            10, diversity, strategy, limits=Limits(max_per_creator=3), model=served_model()
        )
        replayed = list_for(past, rows[person.pk], rules, pool_size=200)
        assert [row.facts.id for row in live.results] == replayed.tolist()


def test_a_request_and_a_replay_say_the_same_of_items_that_nobody_has_touched(crowd):
    people, _ = crowd
    new = {make_item(f"{word} of tomorrow", categories=[word]).pk for word in WORDS}
    embed_and_learn()
    past, model = past_of(datetime.now(UTC)), served_model()
    stand_ins = past.learned.stand_in_ids[np.isin(past.learned.ids, list(new))]
    assert (stand_ins >= 0).any(axis=1).all()
    rows = rows_by_person(past.events.people)
    for person in people:
        shown = recommend(person.pk, limit=40, diversity=0.0).results
        live = {row.facts.id: row.relevance for row in shown}
        asker, pool = case(past, rows[person.pk], model, pool_size=400)
        ranked = rank(asker, pool, Rules(40, 0.0, model=model))
        replayed = dict(zip(pool.ids.tolist(), ranked.relevance.tolist(), strict=True))
        assert live == pytest.approx(replayed, abs=1e-3)
        assert all(live[item] > 0 for item in new)


def test_a_request_and_a_replay_make_the_same_list_of_items_that_came_after_the_training(crowd):
    people, items = crowd
    import_feedback(people[11], items[0], "view", days_ago=0)  # so that both have one clock
    embed_and_learn()
    version, yesterday = store.active_version(), datetime.now(UTC) - timedelta(days=1)
    new = {
        make_item(f"{word} of tomorrow", categories=[word], published_at=yesterday).pk
        for word in WORDS
    }
    embed.embed_everything()  # and borrow from the nearest, but learn nothing
    assert store.active_version() == version
    assert set(LearnedItem.objects.filter(version=version).values_list("item", flat=True)) > new
    past = past_of(datetime.now(UTC))
    rows = rows_by_person(past.events.people)
    for person in people:
        for strategy, diversity in (("mmr", 0.0), ("dpp", 0.5)):
            live = recommend(person.pk, limit=20, diversity=diversity, strategy=strategy)
            rules = Rules(
                20, diversity, strategy, limits=Limits(max_per_creator=3), model=served_model()
            )
            replayed = list_for(past, rows[person.pk], rules, pool_size=200).tolist()
            assert [row.facts.id for row in live.results] == replayed
            assert new & set(replayed)


def test_a_request_and_a_replay_show_the_same_to_somebody_new(crowd):
    people, items = crowd
    import_feedback(people[11], items[0], "view", days_ago=0)  # so that both have one clock
    embed_and_learn()
    past, nobody = past_of(datetime.now(UTC)), np.zeros(0, np.int64)
    rules = Rules(10, 0.3, limits=Limits(max_per_creator=3), model=served_model())
    live = recommend(make_person("newcomer").pk, limit=10)  # by the defaults of the site
    replayed = list_for(past, nobody, rules, pool_size=200).tolist()
    assert [row.facts.id for row in live.results] == replayed


def test_a_request_and_a_replay_weigh_kinds_alike(crowd):
    people, items = crowd
    for number, person in enumerate(people):
        import_feedback(person, items[(number + 1) % 3], "view", days_ago=20)
        import_feedback(person, items[(number + 2) % 3], "save", days_ago=19)
    learn.weigh_kinds({"view": -1.0, "save": 0.3, "like": 0.5})
    embed_and_learn()
    weights = store.weights_of_kinds()
    past = look_back(store.library(evaluate._space()), store.events(), weights)
    rows = rows_by_person(past.events.people)
    for person in people[:4]:
        live = recommend(person.pk, limit=10, diversity=0.3, strategy="mmr")
        rules = Rules(10, 0.3, "mmr", limits=Limits(max_per_creator=3), model=served_model())
        replayed = list_for(past, rows[person.pk], rules, pool_size=200)
        assert [row.facts.id for row in live.results] == replayed.tolist()


def test_a_whole_evaluation_weighs_kinds_as_the_operator_set_them(crowd, replayed):
    evaluate.evaluate(k=5)
    before = replayed.copy()
    replayed.clear()
    learn.weigh_kinds({"like": -1.0})  # everything that was liked speaks against its like
    evaluate.evaluate(k=5)
    assert replayed != before


@pytest.mark.parametrize("size", [2, 3, 12])
def test_a_pool_that_is_full_holds_the_same_items_in_both(crowd, size, settings, monkeypatch):
    people, items = crowd
    monkeypatch.setattr("recommender.recommend.POOL_FACTOR", 1)
    settings.POOL_SIZE = size
    import_feedback(people[11], items[0], "view", days_ago=0)  # so that both have one clock
    import_feedback(people[10], items[1], "hide", days_ago=3)
    embed_and_learn()
    past = past_of(datetime.now(UTC))
    rows = rows_by_person(past.events.people)
    for person in people:
        live = recommend(person.pk, limit=size, diversity=0.5, strategy="mmr")
        rules = Rules(size, 0.5, "mmr", limits=Limits(max_per_creator=3), model=served_model())
        replayed = list_for(past, rows[person.pk], rules, pool_size=size)
        assert [row.facts.id for row in live.results] == replayed.tolist()


def test_relevance_order_finds_what_each_kind_of_people_likes(crowd):
    by_name = {result.name: result for result in evaluate.evaluate(k=5).systems}
    assert (
        by_name["relevance order"].people["ndcg"].mean()
        > by_name["popularity"].people["ndcg"].mean()
    )


def test_people_are_judged_by_length_of_history_and_those_who_came_later_as_strangers(
    crowd, monkeypatch
):
    _, items = crowd
    monkeypatch.setattr(evaluate, "FEWEST_PEOPLE", 12)
    for number in range(2):
        import_feedback(make_person(f"stranger {number}"), items[number], days_ago=1)
    found = evaluate.evaluate(at=datetime.now(UTC) - timedelta(days=34.5), k=5)
    assert [(str(group), group.is_cut, len(group.ndcg)) for group in found.lengths] == [
        ("0", False, 2),
        ("0", True, 12),
        ("1–5", True, 12),
        ("6–20", False, 12),
    ]
    whole = found.lengths[-1]
    relevance = next(one for one in found.systems if one.name == "relevance order")
    assert whole.ndcg.tolist() == relevance.people["ndcg"].tolist()
    assert whole.of_popularity.tolist() == found.systems[0].people["ndcg"].tolist()


def test_items_whose_every_event_is_withheld_are_found_by_their_texts(crowd):
    found = evaluate.evaluate(k=5)
    assert found.n_new == 7  # a fifth of 36
    chance, text, ours = found.new_items
    assert text.ndcg.mean() > chance.ndcg.mean() + 0.3
    assert ours.ndcg.mean() > chance.ndcg.mean() + 0.3


def test_all_tables_are_printed_and_no_model_of_texts_is_loaded(crowd, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it would raise
    call_command("evaluate", "--k", "5")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "12 people, lists of 5 from pools of 250"
    tables = [line.split("|") for line in lines if line.startswith("|")]
    heads = [[cell.strip() for cell in row] for row in tables]
    first, lengths, new_items = (
        next(n for n, row in enumerate(heads) if name in row)
        for name in ("in common@5", "items before", "share of them shown")
    )
    assert [row[1] for row in heads[first + 2 : lengths]] == [
        *("popularity", "relevance order", "MIXED 0.3", "MIXED 0.6"),
        *("MMR 0.3", "MMR 0.6", "DPP 0.3", "DPP 0.6"),
    ]
    assert [row[1:4] for row in heads[lengths + 2 : new_items]] == [
        ["0", "cut short", "12"],
        ["1–5", "cut short", "12"],
        ["6–20", "whole", "12"],
    ]
    assert [row[1] for row in heads[new_items + 2 :]] == [
        *("random order", "mean of texts", "relevance order")
    ]


def test_without_texts_there_are_no_new_items_to_judge_and_that_is_said(crowd, capsys):
    ItemEmbedding.objects.all().delete()
    call_command("evaluate")
    assert "New items: nobody with a history took one up" in capsys.readouterr().out


def test_a_moment_with_few_people_is_refused_with_their_number(crowd):
    with pytest.raises(evaluate.TooFew, match="only 12 people"):
        evaluate.evaluate(at=datetime.now(UTC) - timedelta(days=36))
    with pytest.raises(CommandError, match="only 12 people"):
        call_command("evaluate", at=(datetime.now(UTC) - timedelta(days=36)).isoformat())


def test_where_nothing_that_was_liked_is_shown_any_more_evaluation_says_so(crowd):
    _, items = crowd
    services.remove_items([item.pk for item in items])
    with pytest.raises(CommandError, match="still shown"):
        call_command("evaluate")


def test_without_any_history_evaluation_says_so(db):
    with pytest.raises(CommandError, match="nobody"):
        call_command("evaluate")
