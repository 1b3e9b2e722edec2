"""Weights fitted on what came next: nothing of it is known before, and nobody judges their own."""

from dataclasses import fields

import numpy as np
import pytest

from recommender.candidates.signals import KINDS
from recommender.evaluation import fitting
from recommender.evaluation.fitting import Fitted, fit_model, is_good, part
from recommender.evaluation.replay import case, look_back, popular_for, rows_by_person
from recommender.evaluation.splits import last_fraction
from recommender.ranking.model import untrained
from recommender.training.blend import Example
from tests.evaluation.worlds import EACH, N_ITEMS, N_PEOPLE, in_order, library, likes, together
from tests.events import Events

PURCHASE, VIEW = (KINDS.index(kind) for kind in ("purchase", "view"))


def at_random() -> Events:
    """People who take up whatever comes."""
    rng = np.random.default_rng(2)
    return together(
        *(
            likes(person, 100 + rng.permutation(N_ITEMS)[:EACH], range(1, 13))
            for person in range(N_PEOPLE)
        )
    )


def last(events: Events) -> np.ndarray:
    return last_fraction(events.people, events.moments, 0.2)  # 2 of 12


@pytest.fixture
def fits(monkeypatch) -> list[tuple[list[Example], list[Example]]]:
    """What each fit of weights was given: half of the people, the other half, all."""
    made, real = [], fitting.fit

    def keep(examples, new_items, start):
        made.append((list(examples), list(new_items)))
        return real(examples, new_items, start)

    monkeypatch.setattr(fitting, "fit", keep)
    return made


def features(examples: list[Example]) -> list[bytes]:
    return [example.features.tobytes() for example in examples]


def same_maps(one: Fitted, two: Fitted) -> list[bool]:
    names = ("gram", "text_basis", "promise")
    return [
        getattr(one.model, name).tobytes() == getattr(two.model, name).tobytes() for name in names
    ]


# What is known, and what is not.


def planted(events: Events) -> tuple[Events, np.ndarray]:
    """Afterwards all people take up one thing over and over; and which events are held out."""
    future = [likes(p, [100, 120], [50, 51], PURCHASE) for p in range(N_PEOPLE)]
    future.append(likes(range(900, 960), [100] * 60, [55] * 60, PURCHASE))  # also newcomers
    made = together(events, *future)
    return made, np.r_[last(events), np.ones(len(made.people) - len(events.people), bool)]


def test_what_happens_in_the_part_held_out_changes_nothing_that_is_learned_or_found(fits):
    events = in_order()
    before = fit_model(library(), events, last(events))
    (examples, new_items), *_ = fits[2:]
    fits.clear()
    more, held = planted(events)
    after = fit_model(library(), more, held)
    (again, new_again), *_ = fits[2:]
    assert same_maps(before, after) == [True] * 3
    assert features(again) == features(examples)
    assert [e.history_length for e in again] == [e.history_length for e in examples]
    assert set(features(new_items)) <= set(features(new_again))
    assert sum(e.taken.sum() for e in again) > sum(e.taken.sum() for e in examples)  # goals alone


def test_the_same_events_in_the_known_part_change_what_is_learned_and_found(fits):
    events = in_order()
    before = fit_model(library(), events, last(events))
    examples = fits[2][0]
    fits.clear()
    more, held = planted(events)
    held[len(events.people) :] = False
    after = fit_model(library(), more, held)
    assert same_maps(before, after) == [False] * 3
    assert features(fits[2][0]) != features(examples)


def test_what_was_had_before_is_no_goal_so_that_a_leak_leaves_nobody_to_judge(fits):
    # The events held out are given as known ones too, as a mask that leaks would.
    events = in_order()
    held = last(events)
    leaking = together(events, part(events, held))
    fitted = fit_model(library(), leaking, np.r_[held, np.zeros(held.sum(), bool)])
    assert fitted.examples == 0
    assert {name: len(values) for name, values in fitted.ndcg.items()} == {
        "this": 0,
        "popularity": 0,
    }
    assert fits[2][0] == []


def test_a_leak_of_a_half_is_not_judged_by_that_half(fits):
    events = in_order()
    held = last(events)
    leaked = held & (events.people < 20)
    known_too = together(events, part(events, leaked))
    fit_model(library(), known_too, np.r_[held, np.zeros(leaked.sum(), bool)])
    whole = [e for e in fits[2][0] if not e.is_shortened]
    assert len(whole) == N_PEOPLE - 20


def test_what_people_take_up_at_random_cannot_be_foretold():
    events = at_random()
    fitted = fit_model(library(), events, last(events))
    assert len(fitted.ndcg["this"]) == N_PEOPLE
    # By chance some 10 of 30 items that are left are shown, and an NDCG of 0.2 is usual.
    assert fitted.ndcg["this"].mean() < 0.35


def test_what_people_take_up_in_order_is_foretold_far_better_than_by_popularity():
    events = in_order()
    fitted = fit_model(library(), events, last(events))
    assert len(fitted.ndcg["this"]) == N_PEOPLE
    assert fitted.ndcg["this"].mean() > 0.9
    assert fitted.ndcg["popularity"].mean() < 0.4


def test_no_pool_holds_what_its_person_has_had():
    events = in_order()
    past = look_back(library(), events)
    for history in list(rows_by_person(events.people).values())[:5]:
        _, pool = case(past, history, untrained(), pool_size=100)
        left = set(past.library.ids.tolist()) - set(events.items[history].tolist())
        assert len(left) == N_ITEMS - EACH
        assert set(pool.ids.tolist()) == left
        assert set(popular_for(past, history, N_ITEMS).tolist()) == left


def test_new_items_are_foretold_from_a_past_in_which_nobody_touched_them(fits):
    events = in_order()
    fitted = fit_model(library(), events, last(events))
    new_items = fits[2][1]
    assert len(fitted.new_items) == len(new_items) > 0
    assert not any(e.touched.any() for e in new_items)
    # A fifth of 40 items, less those that a person had before and nothing else.
    assert {len(e.taken) for e in new_items} == {8}
    assert all(e.features.any() for e in new_items)


# Who judges, and by what.


def test_nobody_is_judged_by_weights_that_were_fitted_on_them(monkeypatch):
    fitted_on, judged, real_fit, real_best = {}, [], fitting.fit, fitting._best

    def fit(examples, new_items, start):
        model = real_fit(examples, new_items, start)
        fitted_on[id(model)] = (model, [*examples, *new_items])
        return model

    def best(example, ids, model):
        judged.append(any(example is other for other in fitted_on[id(model)][1]))
        return real_best(example, ids, model)

    monkeypatch.setattr(fitting, "fit", fit)
    monkeypatch.setattr(fitting, "_best", best)
    fit_model(library(), in_order(), last(in_order()))
    assert len(judged) > N_PEOPLE
    assert not any(judged)
    (one, two, whole) = (examples for _, examples in fitted_on.values())
    assert len(one) + len(two) == len(whole)
    assert min(len(one), len(two)) > 0


def test_the_model_in_use_is_judged_on_the_same_people():
    events = in_order()
    fitted = fit_model(library(), events, last(events), active=untrained())
    assert set(fitted.ndcg) == {"this", "active", "popularity"}
    assert {len(values) for values in fitted.ndcg.values()} == {len(fitted.lengths)}
    assert fitted.lengths.tolist() == [10] * N_PEOPLE


def test_only_what_was_good_is_judged_by_and_a_glance_is_no_goal_of_a_judgement():
    events = in_order()
    held = last(events)
    events.kinds[held] = VIEW
    fitted = fit_model(library(), events, held)
    assert fitted.examples > 0  # weights are fitted on what was taken up at all
    assert len(fitted.ndcg["this"]) == 0


def test_likes_shares_and_high_ratings_are_good_and_a_hide_is_not():
    kinds = np.array([KINDS.index(kind) for kind in ("like", "share", "rating", "rating", "hide")])
    values = np.array([np.nan, np.nan, 4.0, 3.5, np.nan])
    assert is_good(kinds, values).tolist() == [True, True, True, False, False]


def test_what_is_not_shown_any_more_is_judged_alike_for_all():
    # Everybody takes up item 100 in the end, which was the most popular and is withdrawn since.
    events = in_order()
    keep = events.items != 100
    crowd = likes(range(900, 950), [100] * 50, [2] * 50)
    end = likes(range(N_PEOPLE), [100] * N_PEOPLE, [60] * N_PEOPLE)
    known = together(part(events, keep), crowd)
    made = together(known, end)
    held = np.r_[np.zeros(len(known.people), bool), np.ones(N_PEOPLE, bool)]
    shown = library().ids != 100
    fitted = fit_model(library(shown=shown), made, held)
    assert fitted.ndcg["popularity"].tolist() == [1.0] * N_PEOPLE


def test_a_shorter_history_is_the_newest_part_of_one():
    rng = np.random.default_rng(0)
    history = np.arange(30)
    lengths = set()
    for _ in range(2000):
        short = fitting._shortened(history, rng)
        assert short.tolist() == history[-len(short) :].tolist()
        lengths.add(len(short))
    assert lengths == set(range(1, 30))
    assert fitting._shortened(history[:1], rng) is None


def test_equal_events_and_seed_give_equal_weights_and_judgements_to_the_last_bit():
    events = at_random()
    one, two = (fit_model(library(), events, last(events), seed=4) for _ in range(2))
    assert one.model.weights.tobytes() == two.model.weights.tobytes()
    assert one.model.new_item.tobytes() == two.model.new_item.tobytes()
    assert one.ndcg["this"].tolist() == two.ndcg["this"].tolist()
    assert one.new_items.tolist() == two.new_items.tolist()
    other = fit_model(library(), events, last(events), seed=5)
    assert other.ndcg["this"].tolist() != one.ndcg["this"].tolist()


def test_no_more_people_are_replayed_than_asked_for():
    events = in_order()
    fitted = fit_model(library(), events, last(events), most_people=7)
    assert len(fitted.lengths) == 7


def test_progress_is_told_to_its_end():
    told = []
    fit_model(library(), in_order(), last(in_order()), progress=lambda *row: told.append(row))
    assert told[0] == ("learning from what came before", 0, 1)
    assert told[-1] == ("replaying", N_PEOPLE, N_PEOPLE)


def test_without_events_or_with_none_or_all_held_out_there_is_nothing_to_judge():
    events = in_order()
    n = len(events.people)
    for made, held in (
        (likes([], [], []), np.zeros(0, bool)),
        (events, np.zeros(n, bool)),
        (events, np.ones(n, bool)),
    ):
        fitted = fit_model(library(), made, held)
        assert fitted.examples == 0
        assert len(fitted.lengths) == len(fitted.new_items) == 0
        assert fitted.model.weights == pytest.approx(untrained().weights)


def test_who_has_no_history_is_no_example():
    events = in_order()
    newcomer = likes([777], [105], [20])
    made = together(events, newcomer)
    fitted = fit_model(library(), made, np.r_[last(events), True])
    assert len(fitted.lengths) == N_PEOPLE


def test_rows_by_person_are_in_their_order_and_of_nobody_there_are_none():
    found = rows_by_person(np.array([7, 3, 7, 7, 3]))
    assert {person: rows.tolist() for person, rows in found.items()} == {3: [1, 4], 7: [0, 2, 3]}
    assert rows_by_person(np.zeros(0, np.int64)) == {}


def test_a_part_of_events_is_all_columns_of_it():
    events = in_order()
    first = part(events, events.people == 0)
    assert [len(getattr(first, f.name)) for f in fields(Events)] == [EACH] * 5
    assert first.items.tolist() == events.items[:EACH].tolist()
