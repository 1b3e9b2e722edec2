"""Lists of one person after another out of the same candidates, by ours or by pyversity.

    python -m bench.reach.lists CASES OUT TAG...

A tag is side:strategy:features:strength. Runs where numpy is, and pyversity for theirs. OUT gets
(people, AT) places in the candidates for each tag.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
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
EVERY = 50  # people between two lines of progress


@dataclass(frozen=True)
class Candidates:
    """Those of one person, the most relevant first."""

    relevance: np.ndarray  # (n,)
    text: np.ndarray  # (n, d)
    genres: np.ndarray  # (n, c) bool
    mix: np.ndarray | None  # (c,)
    made: dict[str, np.ndarray] = field(default_factory=dict)  # vectors, by what they are made of

    def vectors(self, of: str) -> np.ndarray:
        """(n, f), to be made once for all lists of the person."""
        from recommender.diversity.features import CATEGORY_SHARE, joint_features

        if of not in self.made:
            share = {"text": 0.0, "genres": 1.0, "both": BOTH, DEFAULT: CATEGORY_SHARE}[of]
            self.made[of] = joint_features(self.text, self.genres, category_share=share)
        return self.made[of]


Choose = Callable[[Candidates], np.ndarray]  # places, the best first


def candidates(found: Cases, person: int) -> Candidates:
    there = found.rows[person] >= 0
    rows, mix = found.rows[person][there], found.likes[person]
    return Candidates(
        found.relevance[person][there],
        found.text[rows],
        found.genres[rows],
        mix if mix.any() else None,
    )


def tags(side: str) -> list[str]:
    named = [*product(PAIRWISE, FEATURES)]
    if side == "ours":
        named += [("xquad", "genres"), ("calibrated", "genres"), ("msd", DEFAULT)]
        named += product(["mixed"], (*FEATURES, DEFAULT))
    return [f"{side}:{strategy}:{of}:{s}" for strategy, of in named for s in STRENGTHS]


def chooser(tag: str) -> Choose:
    side, strategy, of, strength = tag.split(":")
    how = {"theirs": _theirs, "ours": _ours, "budget": _within, "site": _site}[side]
    return partial(how, strategy, of, strength)


def _ours(strategy: str, of: str, strength: str, person: Candidates) -> np.ndarray:
    """Of one strength, whatever it costs."""
    return _chosen(strategy, of, person, budget=1.0, at_most=float(strength))


def _within(strategy: str, of: str, strength: str, person: Candidates) -> np.ndarray:
    """As a request: strength is budget@the strength that was measured for it."""
    budget, at_most = map(float, strength.split("@"))
    return _chosen(strategy, of, person, budget=budget, at_most=at_most)


def _site(strategy: str, of: str, diversity: str, person: Candidates) -> np.ndarray:
    """As a request to a site that was not calibrated."""
    return _chosen(strategy, of, person, diversity=float(diversity))


def _chosen(strategy: str, of: str, person: Candidates, **how) -> np.ndarray:
    from recommender.diversity import diversify

    return diversify(
        person.vectors(of),
        person.relevance,
        AT,
        strategy=strategy,
        aspects=person.genres,
        mix=person.mix,
        **how,
    ).order


def _theirs(strategy: str, of: str, strength: str, person: Candidates) -> np.ndarray:
    """Their relevance is stretched to [0, 1], which ours is by itself."""
    import pyversity

    relevance = person.relevance
    result = pyversity.diversify(
        embeddings=person.vectors(of),
        scores=(relevance - relevance.min()) / max(np.ptp(relevance), 1e-9),
        k=AT,
        strategy=pyversity.Strategy(strategy),
        diversity=float(strength),
    )
    return np.asarray(result.indices)


def main(path: Path, out: Path, wanted: list[str]) -> None:
    found = cases.read(path)
    choosers = {tag: chooser(tag) for tag in wanted}
    people = len(found.people)
    lists = {tag: np.empty((people, AT), dtype=np.int16) for tag in wanted}
    for person in range(people):
        of_person = candidates(found, person)
        for tag, choose in choosers.items():
            lists[tag][person] = choose(of_person)
        if (person + 1) % EVERY == 0:
            print(f"      {out.stem}: {person + 1} of {people} people", flush=True)
    np.savez(out, **lists)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
