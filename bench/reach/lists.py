"""Lists of one person after another out of the same candidates, by ours or by pyversity.

    python -m bench.reach.lists CASES OUT TAG...

A tag is side:strategy:features:strength. Runs where numpy is, and pyversity for theirs. OUT gets
(people, AT) places in the candidates for each tag.
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from bench.reach import cases
from bench.reach.cases import Cases

AT = 10
BOTH = 0.5  # of likeness, what genres count for beside text
STRENGTHS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PAIRWISE = ("mmr", "msd", "dpp", "ssd")
FEATURES = ("text", "genres", "both")
DEFAULT = "default"  # features: the likeness of a request that says nothing of it
Choose = Callable[[int], np.ndarray]


def tags(side: str) -> list[str]:
    named = [*product(PAIRWISE, FEATURES)]
    if side == "ours":
        named += [("xquad", "genres"), ("calibrated", "genres"), ("msd", DEFAULT), ("mmr", DEFAULT)]
    return [f"{side}:{strategy}:{of}:{s}" for strategy, of in named for s in STRENGTHS]


def chooser(found: Cases, tag: str) -> Choose:
    """Places in the candidates of a person, the best first."""
    side, strategy, of, strength = tag.split(":")
    how = {"theirs": _theirs, "ours": _ours, "budget": _within, "site": _site}[side]
    return partial(how, found, strategy, of, strength)


def features(found: Cases, rows: np.ndarray, of: str) -> np.ndarray:
    from recommender.diversity.features import CATEGORY_SHARE, joint_features

    share = {"text": 0.0, "genres": 1.0, "both": BOTH, DEFAULT: CATEGORY_SHARE}[of]
    return joint_features(found.text[rows], found.genres[rows], category_share=share)


def _ours(found: Cases, strategy: str, of: str, strength: str, person: int) -> np.ndarray:
    from recommender.diversity import NEED_ASPECTS, STRATEGIES

    rows, relevance = _candidates(found, person)
    more = {}
    if strategy in NEED_ASPECTS:
        more = {"aspects": found.genres[rows].astype(np.float32), "mix": found.mixes[person]}
    vectors = features(found, rows, of)
    return STRATEGIES[strategy](vectors, relevance, AT, float(strength), **more)


def _within(found: Cases, strategy: str, of: str, strength: str, person: int) -> np.ndarray:
    """As a request: strength is budget@the strength that was measured for it."""
    from recommender.diversity import diversify

    budget, at_most = map(float, strength.split("@"))
    rows, relevance = _candidates(found, person)
    vectors = features(found, rows, of)
    return diversify(
        vectors, relevance, AT, strategy=strategy, budget=budget, at_most=at_most
    ).order


def _site(found: Cases, strategy: str, of: str, diversity: str, person: int) -> np.ndarray:
    """As a request to a site that was not calibrated."""
    from recommender.diversity import diversify

    rows, relevance = _candidates(found, person)
    vectors = features(found, rows, of)
    return diversify(vectors, relevance, AT, strategy=strategy, diversity=float(diversity)).order


def _theirs(found: Cases, strategy: str, of: str, strength: str, person: int) -> np.ndarray:
    """Their relevance is stretched to [0, 1], which ours is by itself."""
    import pyversity

    rows, relevance = _candidates(found, person)
    stretched = (relevance - relevance.min()) / max(np.ptp(relevance), 1e-9)
    result = pyversity.diversify(
        embeddings=features(found, rows, of),
        scores=stretched,
        k=AT,
        strategy=pyversity.Strategy(strategy),
        diversity=float(strength),
    )
    return np.asarray(result.indices)


def _candidates(found: Cases, person: int) -> tuple[np.ndarray, np.ndarray]:
    there = found.rows[person] >= 0
    return found.rows[person][there], found.relevance[person][there]


def main(path: Path, out: Path, wanted: list[str]) -> None:
    found = cases.read(path)
    people = range(len(found.people))
    lists = {}
    for number, tag in enumerate(wanted, start=1):
        choose = chooser(found, tag)
        lists[tag] = np.array([choose(person) for person in people], dtype=np.int16)
        if number % len(STRENGTHS) == 0:
            print(f"      {path.stem}: {number} of {len(wanted)} settings", flush=True)
    np.savez(out, **lists)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
