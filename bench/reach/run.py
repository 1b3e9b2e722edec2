"""The most diversity at a floor of NDCG, beside pyversity over the same candidates; a budget kept.

    make bench ARGS=reach

MovieLens-100k, `loo` and `utemporal`. Every setting is chosen on the validation part, then the test
is scored once. Tables go to docs/evaluation.md, pictures of the curves to docs/pictures.
"""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench import readme
from bench.quality import data as sources
from bench.quality import splits
from bench.quality.run import HERE, environment, run
from bench.reach import cases, lists
from bench.reach.cases import Cases
from bench.reach.lists import AT, STRENGTHS
from recommender.diversity import Curve, Point
from recommender.evaluation import compare, metrics
from recommender.evaluation.calibrating import falling
from recommender.evaluation.picture import Spot, picture
from recsite.local.memory import CHECKOUT, data_folder

SPLITS = ("loo", "utemporal")
FLOORS = (0.99, 0.95)
BUDGETS = (0.02, 0.05, 0.1)
DISTANCES = {"text": "text distance", "genres": "genre distance"}
MEASURES = ("ndcg", "text", "genres", "behaviour", "miscalibration", "alpha_ndcg", "cost")
PLAIN = "plain"
DEFAULT_PROFILE = "site:mmr:default:0.3"
STRATEGY = "msd"  # that calibrate finds to bring most
IN_PICTURE = (
    ("ours", "mmr"),
    ("ours", "msd"),
    ("ours", "dpp"),
    ("ours", "ssd"),
    ("theirs", "msd"),
    ("theirs", "dpp"),
)
Scored = dict[str, dict[str, np.ndarray]]  # tag → measure → (people,)


def main() -> int:
    work = data_folder() / "reach"
    work.mkdir(parents=True, exist_ok=True)
    (data_folder() / "quality").mkdir(exist_ok=True)
    data = sources.movielens_100k(data_folder() / "quality")
    text = []
    for name in SPLITS:
        paths = {part: work / f"{name}-{part}.npz" for part in ("valid", "test")}
        if not all(path.exists() for path in paths.values()):
            _set_up()
            cases.make(data, getattr(splits, name)(data), paths)
        text.append(measure(name, paths, work))
    made = (
        f"`make bench ARGS=reach` on {datetime.now(UTC).date()}, {os.cpu_count()} cores,"
        f" {platform.machine()}."
    )
    result = "\n\n".join([*text, made]) + "\n"
    (work / "reach.md").write_text(result)
    readme.replace("reach", result, CHECKOUT / "docs" / "evaluation.md")
    print(result, flush=True)
    return 0


def measure(name: str, paths: dict[str, Path], work: Path) -> str:
    """Choose on valid, score test once; the tables of a split."""
    sides = {side: lists.tags(side) for side in ("ours", "theirs")}
    valid = scored(paths["valid"], [*sides["ours"], *sides["theirs"]], work)
    draw(name, valid)
    chosen = {
        (side, distance, floor): best(valid, sides[side], distance, floor)
        for side in sides
        for distance in DISTANCES
        for floor in FLOORS
    }
    mild = best(valid, sides["ours"], "alpha_ndcg", 0.99)
    strengths = {b: curve_of(valid).strength_within(STRATEGY, b) for b in BUDGETS}
    asked = {b: f"budget:{STRATEGY}:default:{b}@{s:.4f}" for b, s in strengths.items()}
    wanted = [*dict.fromkeys([*chosen.values(), mild, DEFAULT_PROFILE, *asked.values()])]
    test = scored(paths["test"], wanted, work)
    lines = [f"`{name}`, {len(test[PLAIN]['ndcg'])} people; the order of relevance has NDCG@10"]
    plain = test[PLAIN]
    lines[0] += (
        f" {plain['ndcg'].mean():.4f}, text distance {plain['text'].mean():.4f}, genre distance"
        f" {plain['genres'].mean():.4f}, distance by behaviour {plain['behaviour'].mean():.4f}.\n"
    )
    lines += _frontier(test, chosen)
    lines += ["", *_others(test, mild, asked)]
    return "\n".join(lines)


def draw(name: str, valid: Scored) -> None:
    """A picture for each distance: what the strategies keep and bring on the validation part."""
    plain = valid[PLAIN]["ndcg"]
    for distance, title in DISTANCES.items():
        drawn = {}
        for side, strategy in IN_PICTURE:
            line = []
            for strength in (0.0, *STRENGTHS):
                found = valid[f"{side}:{strategy}:both:{strength}" if strength else PLAIN]
                change = compare.paired(found["ndcg"], plain)
                kept = [1 + part / plain.mean() for part in (change.mean, change.low, change.high)]
                far = float(found[distance].mean())
                text = f"{strength:g}: {kept[0]:.3f} [{kept[1]:.3f}, {kept[2]:.3f}], {far:.3f}"
                line.append(Spot(kept[0], far, kept[1], kept[2], text))
            drawn[strategy if side == "ours" else f"{strategy}, pyversity"] = line
        svg = picture(
            drawn,
            title=f"MovieLens-100k, {name}, validation: NDCG@10 kept against {title}",
            across="NDCG@10 kept",
            up=title,
            ground="white",
            ink="black",
        )
        target = CHECKOUT / "docs" / "pictures" / f"reach-{name}-{distance}.svg"
        target.write_text(svg + "\n")


def _frontier(test: Scored, chosen: dict) -> list[str]:
    head = (
        "most of | NDCG on valid | side | chosen on valid | NDCG kept | distance | by behaviour"
        " | ours less theirs: distance | NDCG | verdict"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for distance, title in DISTANCES.items():
        for floor in FLOORS:
            ours, theirs = (test[chosen[side, distance, floor]] for side in ("ours", "theirs"))
            more = compare.paired(ours[distance], theirs[distance])
            gain = compare.paired(ours["ndcg"], theirs["ndcg"])
            for side, found in (("ours", ours), ("theirs", theirs)):
                kept = found["ndcg"].mean() / test[PLAIN]["ndcg"].mean()
                tag = chosen[side, distance, floor].split(":", 1)[1].replace(":", " ")
                cells = [title, f"≥ {floor:.0%}", side if side == "ours" else "pyversity", tag]
                cells += [f"{kept:.1%}", f"{found[distance].mean():.4f}"]
                cells += [f"{found['behaviour'].mean():.4f}"]
                cells += [signed(more), signed(gain), verdict(more, gain)] * (side == "ours")
                cells += [""] * (10 - len(cells))
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def _others(test: Scored, mild: str, asked: dict[float, str]) -> list[str]:
    plain, default, best_alpha = test[PLAIN], test[DEFAULT_PROFILE], test[mild]
    head = "what | reached | aim"
    lines = [f"| {head} |", "|---|---|---|"]
    lines.append(f"| default profile: NDCG given up | {share_lost(default, plain)} | ≤ 1 % |")
    for measure, title, aim in (
        ("genres", "genre distance", "≥ +10 %"),
        ("miscalibration", "miscalibration", "≤ −20 %"),
    ):
        rise = default[measure].mean() / plain[measure].mean() - 1
        lines.append(f"| default profile: {title} | {rise:+.1%} | {aim} |")
    tag = mild.split(":", 1)[1].replace(":", " ")
    alpha = compare.paired(best_alpha["alpha_ndcg"], plain["alpha_ndcg"])
    lines.append(f"| alpha-NDCG@10 by {tag}, less undiversified | {signed(alpha)} | above 0 |")
    for budget, tag in asked.items():
        found = test[tag]
        lines.append(
            f"| budget {budget:.0%}: NDCG given up; of the lists' own relevance, mean and most |"
            f" {share_lost(found, plain)}; {found['cost'].mean():.2%}, {found['cost'].max():.2%} |"
            f" ≤ {budget:.0%} |"
        )
    return lines


def share_lost(found: dict, plain: dict) -> str:
    """Of the mean NDCG, with the 95 % interval of the paired difference."""
    lost = compare.paired(plain["ndcg"], found["ndcg"])
    whole = plain["ndcg"].mean()
    return f"{lost.mean / whole:.1%} [{lost.low / whole:.1%}, {lost.high / whole:.1%}]"


def signed(found: compare.Interval) -> str:
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def verdict(more: compare.Interval, gain: compare.Interval) -> str:
    """Of two points: above if one is surely better and the other not surely worse."""
    if more.high < 0 and gain.low <= 0 or gain.high < 0 and more.low <= 0:
        return "below"
    if more.high < 0 or gain.high < 0:
        return "elsewhere on it"
    return "above" if more.low > 0 or gain.low > 0 else "on it"


def best(found: Scored, of: list[str], measure: str, floor: float) -> str:
    least = floor * found[PLAIN]["ndcg"].mean()
    within = [tag for tag in of if found[tag]["ndcg"].mean() >= least]
    return max(within, key=lambda tag: found[tag][measure].mean())


def curve_of(found: Scored) -> Curve:
    """As calibrate measures it, of the likeness of a request."""
    plain = found[PLAIN]["ndcg"].mean()
    tags = [f"ours:{STRATEGY}:default:{strength}" for strength in STRENGTHS]
    kept = np.minimum(falling(np.array([found[t]["ndcg"].mean() / plain for t in tags])), 1.0)
    points = [Point(STRATEGY, s, float(k), 0.0) for s, k in zip(STRENGTHS, kept, strict=True)]
    return Curve((Point(STRATEGY, 0.0, 1.0, 0.0), *points))


def scored(path: Path, wanted: list[str], work: Path) -> Scored:
    """Each tag, and PLAIN, the order of relevance."""
    found = cases.read(path)
    made = {PLAIN: np.tile(np.arange(AT), (len(found.people), 1))}
    theirs = [tag for tag in wanted if tag.startswith("theirs")]
    for python, some in (
        (environment(HERE / "peers" / "pyversity.txt", data_folder() / "quality"), theirs),
        (sys.executable, [tag for tag in wanted if tag not in theirs]),
    ):
        out = work / f"{path.stem}-{'theirs' if some is theirs else 'ours'}-lists.npz"
        run([python, "-m", "bench.reach.lists", path, out, *some], "making lists")
        with np.load(out) as arrays:
            made |= {tag: arrays[tag] for tag in some}
    return {tag: _score(found, places) for tag, places in made.items()}


def _score(found: Cases, places: np.ndarray) -> dict[str, np.ndarray]:
    shown = np.take_along_axis(found.rows, places.astype(np.int64), axis=1)
    relevance = np.take_along_axis(found.relevance, places.astype(np.int64), axis=1)
    discount = 1 / np.log2(np.arange(2, AT + 2))
    genres = found.genres[shown].astype(np.float32)  # (p, AT, c)
    sizes = genres.sum(axis=2)
    shared = np.einsum("pic,pjc->pij", genres, genres)
    together = np.maximum(sizes[:, :, None] + sizes[:, None, :] - shared, 1)
    aspects = dict(enumerate(found.genres))
    wanted = found.wanted_by()
    history = found.mixes
    mixes = np.array([metrics.mix(found.genres[row]) for row in shown])
    smoothed = 0.99 * mixes + 0.01 * history
    ratio = np.where(history > 0, history / np.maximum(smoothed, 1e-12), 1)
    return {
        "ndcg": np.array([metrics.ndcg(s, w, AT) for s, w in zip(shown, wanted, strict=True)]),
        "text": _mean_distance(_products(found.text[shown])),
        "genres": _mean_distance(shared / together),
        "behaviour": _mean_distance(_together(found, shown)),
        "miscalibration": (history * np.log(ratio)).sum(axis=1),
        "alpha_ndcg": np.array(
            [metrics.alpha_ndcg(s, w, aspects, AT) for s, w in zip(shown, wanted, strict=True)]
        ),
        "cost": 1 - (relevance @ discount) / (found.relevance[:, :AT] @ discount),
    }


def _products(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("pid,pjd->pij", vectors, vectors)


def _mean_distance(likeness: np.ndarray) -> np.ndarray:
    """(p,) over all pairs of (p, AT, AT)."""
    one, other = np.triu_indices(AT, 1)
    return 1 - likeness[:, one, other].mean(axis=1)


def _together(found: Cases, shown: np.ndarray) -> np.ndarray:
    """Cosine of the people who had two items: what no diversifier is given."""
    had = np.zeros((found.had_by.max() + 1, len(found.text)), dtype=np.float32)
    had[found.had_by, found.had] = 1
    had /= np.maximum(np.linalg.norm(had, axis=0), 1e-9)
    return (had.T @ had)[shown[:, :, None], shown[:, None, :]]


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    import django

    django.setup()
