"""What every model that is learned must keep to, and how they come together in one training."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from recommender.candidates import neighbours, order
from recommender.candidates.crowd import DAY
from recommender.candidates.signals import KINDS
from recommender.candidates.taste import read_taste
from recommender.evaluation.replay import model_of
from recommender.ranking.assemble import Known, person_of, pool_of
from recommender.ranking.model import LISTS, PARTS, RELATED, STAND_INS, untrained
from recommender.ranking.pipeline import features_of
from recommender.training.learned import Learned, learn

NEVER_SEEN = 999


@dataclass(frozen=True)
class Events:
    people: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    values: np.ndarray
    moments: np.ndarray


@dataclass(frozen=True)
class Texts:
    ids: np.ndarray
    vectors: np.ndarray


def likes(*rows: tuple[int, int, float]) -> Events:
    """Rows are (person, item, day)."""
    people, items, days = zip(*rows, strict=True) if rows else [[]] * 3
    return Events(
        np.array(people, np.int64),
        np.array(items, np.int64),
        np.full(len(rows), KINDS.index("like"), np.int8),
        np.full(len(rows), np.nan),
        np.array(days, np.float64) * DAY,
    )


def both(one: Events, other: Events) -> Events:
    names = [field.name for field in fields(Events)]
    return Events(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))


def two_camps() -> Events:
    """Twenty people a camp go through seven items each, in about the same order."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(40):
        first = 10 if person % 2 else 20
        went = np.argsort(np.arange(7) + rng.normal(0, 1, 7))[: rng.integers(4, 8)]
        rows += [(person + 500, int(first + item), 3.0 * day) for day, item in enumerate(went)]
    return likes(*rows)


EVENTS = two_camps()
UNTOUCHED = 30  # its text is near to that of the first camp
IDS = np.array([*range(10, 17), *range(20, 27), UNTOUCHED, 31])
_angles = np.array([*np.linspace(0, 0.9, 7), *np.linspace(2, 2.9, 7), 0.4, 0])
TEXTS = Texts(IDS, np.stack([np.cos(_angles), np.sin(_angles)], axis=1).astype(np.float32))
TEXTS.vectors[-1] = 0  # 31 has neither text nor feedback


def feature(part: str, learned: Learned, history: list[int]) -> dict[int, float]:
    """What one part says of every item, and of one never seen, to somebody with this history."""
    ids = np.append(IDS, NEVER_SEEN)
    at = np.minimum(np.searchsorted(learned.ids, ids), len(learned.ids) - 1)
    there = learned.ids[at] == ids

    def of(rows: np.ndarray, empty: float) -> np.ndarray:
        return np.where(there.reshape(-1, *[1] * (rows.ndim - 1)), rows[at], empty)

    vectors = np.concatenate([TEXTS.vectors, np.zeros((1, 2), np.float32)])
    newest = np.array(history[::-1], np.int64)
    taste = read_taste(newest, ["like"] * len(newest), np.full(len(newest), np.nan))
    rows = np.searchsorted(ids, taste.items)
    person, voted = person_of(
        taste,
        Known(
            vectors[rows],
            of(learned.related_ids, -1)[rows],
            of(learned.related_weights, 0)[rows],
            of(learned.factors, 0)[rows],
            of(learned.text_factors, 0)[rows],
        ),
        model_of(learned, untrained()),
    )
    pool = pool_of(
        voted,
        ids=ids,
        vectors=vectors,
        category_ids=[[]] * len(ids),
        creators=np.full(len(ids), -1),
        popularity=of(learned.popularity, 0),
        trend=of(learned.trend, 0),
        age_days=np.full(len(ids), np.nan),
        factors=of(learned.factors, 0),
        stand_in_ids=of(learned.stand_in_ids, -1),
        stand_in_weights=of(learned.stand_in_weights, 0),
    )
    if part == "stand-ins":  # votes for what nobody touched
        says = np.where(pool.touched, 0, pool.votes.sum(axis=1))
    else:
        says = features_of(person, pool, model_of(learned, untrained()))[:, PARTS.index(part)]
    return dict(zip(ids.tolist(), says.tolist(), strict=True))


OF_A_PERSON = ("taste", "order", "past_order", "next", "factors", "map", "stand-ins")
OF_ITEMS = ("popularity", "trend", "promise")
every_model = pytest.mark.parametrize("part", [*OF_A_PERSON, *OF_ITEMS])
LEARNED = learn(EVENTS, TEXTS)


# The contract of all models.


@every_model
def test_every_model_says_something_of_what_it_learned_from(part):
    assert max(feature(part, LEARNED, [10, 11]).values()) > 0


@pytest.mark.parametrize("part", OF_A_PERSON)
def test_to_somebody_without_history_no_model_says_anything(part):
    assert set(feature(part, LEARNED, []).values()) == {0}


@pytest.mark.parametrize("part", OF_ITEMS)
def test_what_is_said_of_items_alone_is_said_to_everybody(part):
    assert feature(part, LEARNED, []) == feature(part, LEARNED, [10, 11])


@every_model
def test_of_an_item_never_seen_nothing_is_said(part):
    said = feature(part, LEARNED, [10, 11])
    assert said[NEVER_SEEN] == 0
    assert said[31] == 0  # nor of one with neither text nor feedback


@pytest.mark.parametrize("part", OF_A_PERSON)
@pytest.mark.parametrize("item", [NEVER_SEEN, 31])
def test_to_somebody_who_only_had_what_nothing_is_known_of_nothing_is_said(part, item):
    assert set(feature(part, LEARNED, [item]).values()) == {0}


@pytest.mark.parametrize("part", OF_A_PERSON)
def test_an_item_of_which_nothing_is_known_changes_nothing_of_what_older_ones_say_but_to_fade(part):
    before, after = feature(part, LEARNED, [10]), feature(part, LEARNED, [10, NEVER_SEEN])
    assert {item for item, says in before.items() if says > 0} == {
        item for item, says in after.items() if says > 0
    }


@every_model
def test_of_no_events_every_model_learns_to_say_nothing(part):
    assert set(feature(part, learn(likes(), TEXTS), [10, 11]).values()) == {0}


@every_model
def test_the_numbers_of_people_do_not_matter(part):
    renamed = np.random.default_rng(1).permutation(2000)[EVENTS.people]
    other = learn(replace(EVENTS, people=renamed), TEXTS)
    said, again = feature(part, LEARNED, [10, 11]), feature(part, other, [10, 11])
    # But for the order of sums, and where the factors of people begin.
    assert again == pytest.approx(said, abs=1e-3)


@pytest.mark.parametrize("name", [field.name for field in fields(Learned)])
def test_two_trainings_are_equal_to_the_last_bit(name):
    one, two = getattr(LEARNED, name), getattr(learn(EVENTS, TEXTS), name)
    assert (one.dtype, one.shape) == (two.dtype, two.shape)
    assert one.tobytes() == two.tobytes()


def test_another_seed_gives_other_factors_and_nothing_else_of_its_own():
    other = learn(EVENTS, TEXTS, seed=7)
    differ = {
        field.name
        for field in fields(Learned)
        if getattr(other, field.name).tobytes() != getattr(LEARNED, field.name).tobytes()
    }
    assert differ == {"factors", "gram"}


# How they come together.


def test_a_row_is_kept_of_every_item_with_a_text_or_an_event():
    learned = learn(likes((1, 700, 0), (1, 10, 1)), TEXTS)
    assert learned.ids.tolist() == [*IDS.tolist(), 700]
    for field in fields(Learned):
        if field.name not in ("gram", "text_basis", "text_map", "promise"):
            assert len(getattr(learned, field.name)) == len(learned.ids), field.name


def test_without_events_and_texts_what_is_learned_is_empty_and_of_the_right_shape():
    learned = learn(likes(), Texts(np.zeros(0, np.int64), np.zeros((0, 2), np.float32)))
    assert learned.ids.shape == (0,)
    assert learned.related_ids.shape == learned.related_weights.shape == (0, len(LISTS), RELATED)
    assert learned.stand_in_ids.shape == learned.stand_in_weights.shape == (0, STAND_INS)
    assert learned.factors.shape == (0, 1)
    assert learned.text_map.tolist() == learned.text_basis.tolist() == [[0, 0], [0, 0]]
    assert learned.promise.tolist() == [0, 0]


def test_lists_of_related_items_name_ids_in_the_order_of_their_kinds():
    # Six people took up 70 and then 30: each says 30 goes with 70, but only 70 leads to 30.
    rows = [(person, item, day) for person in range(6) for day, item in enumerate((70, 30))]
    learned = learn(likes(*rows), Texts(np.zeros(0, np.int64), np.zeros((0, 2), np.float32)))
    assert learned.ids.tolist() == [30, 70]
    first = {name: learned.related_ids[:, n, 0].tolist() for n, name in enumerate(LISTS)}
    assert first == {"taste": [70, 30], "order": [-1, 30], "next": [-1, 30]}
    assert (learned.related_ids[:, :, 1:] == -1).all()
    of_70 = dict(zip(LISTS, learned.related_weights[1, :, 0].tolist(), strict=True))
    ease = 6 / (6 + neighbours.RIDGE * np.sqrt(6))
    counted, foretold = np.log1p(6 * 2 / order.DAMPING), 6 / (6 + order.RIDGE)
    assert of_70 == pytest.approx({"taste": ease, "order": counted, "next": foretold}, rel=1e-3)


def test_only_items_that_nobody_took_up_have_stand_ins_and_their_factors():
    rows = {int(item): row for row, item in enumerate(LEARNED.ids)}
    has = LEARNED.ids[(LEARNED.stand_in_ids >= 0).any(axis=1)]
    assert has.tolist() == [UNTOUCHED]
    mine = rows[UNTOUCHED]
    ids, shares = LEARNED.stand_in_ids[mine], LEARNED.stand_in_weights[mine]
    assert set(ids[ids >= 0]) <= set(EVENTS.items.tolist())
    assert shares.sum() == pytest.approx(1, abs=2e-3)
    expected = sum(
        share * LEARNED.factors[rows[int(item)]]
        for item, share in zip(ids, shares, strict=True)
        if item >= 0
    )
    assert LEARNED.factors[mine] == pytest.approx(expected, abs=2e-3)
    assert not LEARNED.factors[rows[31]].any()


def test_what_everybody_dislikes_is_taken_for_untouched():
    hidden = likes((900, UNTOUCHED, 0.0))
    hidden.kinds[:] = KINDS.index("hide")
    learned = learn(both(EVENTS, hidden), TEXTS)
    row = np.searchsorted(learned.ids, UNTOUCHED)
    assert learned.popularity[row] == 0
    assert (learned.related_ids[row] == -1).all()
    assert (learned.stand_in_ids[row] >= 0).any()


def test_numbers_of_items_are_kept_as_the_database_keeps_them():
    for name in ("related_weights", "factors", "stand_in_weights"):
        numbers = getattr(LEARNED, name)
        assert numbers.tolist() == numbers.astype(np.float16).astype(np.float32).tolist(), name
