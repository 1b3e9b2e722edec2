"""How much each part of the relevance counts, learned from what people then took up.

A softmax over the pool: the weights make likely what was taken up, among all that might have been
shown. With little to learn from they stay where they began, which is near to equal: the penalty is
one of a prior, whose say fades as examples come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from recommender.ranking.model import LENGTHS, PARTS, Model
from recommender.ranking.score import Say, contributions

PRIOR = 1.0  # what the prior weighs, in examples, for a weight that is off by 1
# Examples of new items are many people on few items: what speaks for one of these speaks often, so
# that they move little from what held for many sets of items, of films and of office products.
PRIOR_OF_NEW = 100.0
_BEGIN_OF_NEW = {"map": 2.0, "taste": 1.0, "factors": 0.3, "promise": 0.15, "text": 0.1}
_BEGIN_OF_NEW |= {"interest": 0.1, "dislike": -0.5}
BEGIN_OF_NEW = np.array([_BEGIN_OF_NEW.get(part, 0.0) for part in PARTS], dtype=np.float32)
ENOUGH_WHOLE = 50  # examples of people with a history of a length, to speak for it alone
FEWEST_MIXED = 20  # examples, before they say anything of items that nobody has touched
# Never nothing: which of the new items are tried for a person goes by their relevance too.
SAYS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
_DISLIKE = PARTS.index("dislike")


@dataclass(frozen=True)
class Example:
    """One moment of a person: what might have been shown, and what was taken up."""

    features: np.ndarray  # (n, parts) float32
    touched: np.ndarray  # (n,) bool, items with feedback
    taken: np.ndarray  # (n,) float32, how much each counts; 0 for what was not taken up
    history_length: int
    is_shortened: bool = False  # all but the newest part of a longer history was left out


def fit_weights(
    features: Sequence[np.ndarray],
    taken: Sequence[np.ndarray],
    start: np.ndarray,
    *,
    prior: float = PRIOR,
) -> np.ndarray:
    """(parts,) weights that make what was taken up likely; start when there are no examples.

    features  (n, parts) of each example
    taken     (n,) of each example; one with none above 0 is left out
    """
    pairs = [(f, t / t.sum()) for f, t in zip(features, taken, strict=True) if t.sum() > 0]
    if not pairs:
        return start.astype(np.float64)
    rows = np.concatenate([f for f, _ in pairs]).astype(np.float64)
    goal = np.concatenate([t for _, t in pairs]).astype(np.float64)
    lengths = np.array([len(f) for f, _ in pairs])
    begins = np.r_[0, np.cumsum(lengths)[:-1]]
    example = np.repeat(np.arange(len(pairs)), lengths)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = rows @ weights
        top = np.maximum.reduceat(scores, begins)
        raised = np.exp(scores - top[example])
        total = np.add.reduceat(raised, begins)
        off = weights - start
        value = (np.log(total) + top).sum() - goal @ scores + prior * off @ off
        return value, rows.T @ (raised / total[example] - goal) + 2 * prior * off

    bounds = [(None, 0.0) if part == _DISLIKE else (None, None) for part in range(len(PARTS))]
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def fit(examples: Sequence[Example], new_items: Sequence[Example], start: Model) -> Model:
    """Weights for all lengths of history, and for items nobody has touched.

    examples   pools of items that may be shown
    new_items  pools of nothing but items whose feedback was withheld
    The weights of a length begin at those of all whole histories together. Shortened ones speak
    for their length alone, and only where few people have so short a history of their own.
    """
    every = _fit_touched([e for e in examples if not e.is_shortened], start.weights[-1])
    weights = np.empty_like(start.weights, dtype=np.float64)
    weights[0] = start.weights[0]
    for row in range(1, len(LENGTHS)):
        high = LENGTHS[row + 1] if row + 1 < len(LENGTHS) else np.inf
        mine = [e for e in examples if LENGTHS[row] <= e.history_length < high]
        whole = [e for e in mine if not e.is_shortened]
        weights[row] = _fit_touched(whole if len(whole) >= ENOUGH_WHOLE else mine, every)
    new_item = fit_weights(
        [e.features for e in new_items],
        [e.taken for e in new_items],
        BEGIN_OF_NEW,
        prior=PRIOR_OF_NEW,
    )
    weights, new_item = weights.astype(np.float32), new_item.astype(np.float32)
    model = replace(start, weights=weights, new_item=new_item)
    return replace(model, new_item_say=_say_of_new_items(examples, model))


def _fit_touched(examples: Sequence[Example], start: np.ndarray) -> np.ndarray:
    features = [e.features[e.touched] for e in examples]
    return fit_weights(features, [e.taken[e.touched] for e in examples], start)


def _say_of_new_items(examples: Sequence[Example], model: Model) -> float:
    """Of SAYS the one that makes likely how often an untouched item was taken up beside others."""
    mixed = [e for e in examples if e.taken.sum() > 0 and not e.touched.all()]
    mixed = [e for e in mixed if not e.is_shortened]
    if len(mixed) < FEWEST_MIXED:
        return model.new_item_say
    likelihood = np.zeros(len(SAYS))
    for e in mixed:
        weights = model.weights_for(e.history_length)
        scale = np.maximum(weights, 0.0)[e.features.any(axis=0)].sum()
        for number, say in enumerate(SAYS):
            parts = contributions(e.features, e.touched, Say(weights, model.new_item, say))
            scores = scale * parts.sum(axis=1)
            top = scores.max()
            chance = e.taken @ scores / e.taken.sum() - top - np.log(np.exp(scores - top).sum())
            likelihood[number] += chance
    return SAYS[int(np.argmax(likelihood))]
