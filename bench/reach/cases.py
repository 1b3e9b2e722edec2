"""The most relevant candidates of each person of a split, as arrays for any diversifier.

Made by what answers a live request, in a scratch database: what would have been learned of the
known events, with weights fitted on held-out ones. Strengths are chosen on the part `valid`, whose
events nothing was learned from and no weight fitted on; `test` is scored with those strengths.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.quality import splits
from bench.quality.data import Data
from bench.quality.splits import Split

POOL = 100  # candidates of each person
LIVE_POOL = 250  # of which they are the most relevant


@dataclass(frozen=True, eq=False)
class Cases:
    """Candidates of p people; items are rows of the n of the data set.

    people      (p,) rows of Data.person_ids
    rows        (p, POOL) candidates, the most relevant first; -1 where there are fewer
    relevance   (p, POOL) 0 to 1
    wanted      what each of them took up afterwards: (w,) items, those of person 0 first
    wanted_of   (w,) number of the person
    text        (n, d) float32 unit rows; zeros without a text
    genres      (n, c) bool
    factors     (n, f) float32, learned of what was known
    mixes       (p, c) of what each person had, each item shared equally among its genres
    likes       (p, c) of what each person liked, as a request reads it; zeros where it is unknown
    had         (h,) known events: items, and had_by (h,) rows of Data.person_ids
    """

    people: np.ndarray
    rows: np.ndarray
    relevance: np.ndarray
    wanted: np.ndarray
    wanted_of: np.ndarray
    text: np.ndarray
    genres: np.ndarray
    factors: np.ndarray
    mixes: np.ndarray
    likes: np.ndarray
    had: np.ndarray
    had_by: np.ndarray

    def wanted_by(self) -> list[np.ndarray]:
        """(p,) arrays."""
        ends = np.searchsorted(self.wanted_of, np.arange(len(self.people) + 1))
        return [self.wanted[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def read(path: Path) -> Cases:
    with np.load(path) as arrays:
        return Cases(**arrays)


def make(
    data: Data,
    split: Split,
    paths: dict[str, Path],
    say: Callable[[str], object] = print,
) -> None:
    """Fill a file for each part of the split that `paths` names. Django must be set up."""
    from catalog.importers import interactions
    from catalog.importers.interactions import Files
    from recommender import store
    from recommender.evaluation.fitting import fit_model, part
    from recommender.evaluation.replay import look_back, model_of
    from recommender.evaluation.splits import last_fraction
    from recommender.management.commands.recommend_files import embed_texts
    from recommender.store.scratch import scratch_database

    with tempfile.TemporaryDirectory() as folder, scratch_database():
        folder = Path(folder)
        splits.write(data, split, folder)
        files = Files(*(folder / f"{name}.csv" for name in ("train", "items", "valid")))
        found = interactions.survey(files)
        loaded = interactions.load(files, found, rejects=folder / "rejects", say=say)
        embed_texts()
        active = store.active_space()
        library = store.library(store.Space(active.id, active.dimension))
        events, names = store.events(), interactions.items()
        pairs = np.array(interactions.pairs_after(loaded.last_of_train), dtype=np.int64)
        step = int(library.ids.max()) + 1
        held = np.isin(events.people * step + events.items, pairs @ (step, 1))
        row_of = {item["item"]: row for row, item in enumerate(data.catalogue)}
        item_rows = np.array([row_of[names[int(item)]] for item in library.ids])
        person_of = {user: row for row, user in enumerate(data.person_ids)}
        people = {user_id: person_of[user] for user_id, user in interactions.people()}
        for name, path in paths.items():
            say(f"{data.name} {split.name}: candidates for {name}")
            known = part(events, ~held) if name == "valid" else events
            to_fit = last_fraction(known.people, known.moments, 0.1) if name == "valid" else held
            fitted = fit_model(library, known, to_fit)
            past = look_back(library, known)
            model = model_of(past.learned, fitted.model)
            arrays = _candidates(past, model, people, item_rows, splits.relevant(data, split, name))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **arrays)


def _candidates(past, model, people, item_rows, wanted) -> dict[str, np.ndarray]:
    from recommender.evaluation.metrics import mix
    from recommender.evaluation.replay import case, rows_by_person
    from recommender.ranking.assemble import membership
    from recommender.ranking.pipeline import Rules, rank

    library = past.library
    order = np.argsort(item_rows)  # from rows of the data set to those of the library
    genres = membership(library.category_ids)
    rows, relevance, mixes, likes, asked = [], [], [], [], []
    for user_id, history in rows_by_person(past.events.people).items():
        if people[user_id] not in wanted:
            continue
        person, pool = case(past, history, model, pool_size=LIVE_POOL)
        ranked = rank(person, pool, Rules(limit=POOL, diversity=0.0, model=model))
        best = ranked.order[:POOL]
        gap = (0, POOL - len(best))
        of_library = np.searchsorted(library.ids, pool.ids[best])
        rows.append(np.pad(item_rows[of_library], gap, constant_values=-1))
        relevance.append(np.pad(ranked.relevance[best], gap))
        before = np.searchsorted(library.ids, past.events.items[history])
        mixes.append(mix(genres[before]))
        likes.append(np.zeros(genres.shape[1], dtype=np.float32))
        if person.mix is not None:  # of the genres that the pool has
            of_pool = genres[np.searchsorted(library.ids, pool.ids)].any(axis=0)
            likes[-1][of_pool] = person.mix
        asked.append(people[user_id])
    return {
        "people": np.array(asked),
        "rows": np.array(rows),
        "relevance": np.array(relevance, dtype=np.float32),
        "wanted": np.concatenate([wanted[person] for person in asked]),
        "wanted_of": np.repeat(np.arange(len(asked)), [len(wanted[p]) for p in asked]),
        "text": library.vectors[order],
        "genres": genres[order],
        "factors": past.learned.factors[past.at][order],
        "mixes": np.array(mixes),
        "likes": np.array(likes),
        "had": item_rows[np.searchsorted(library.ids, past.events.items)],
        "had_by": np.array([people[int(person)] for person in past.events.people]),
    }
