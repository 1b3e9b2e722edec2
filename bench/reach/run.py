"""What diversity is to reach, by one command: what, how far, what was aimed at, and met or not.

    make bench ARGS=reach

The most diversity at a floor of NDCG beside pyversity over the same candidates, the default
profile, budgets kept, the catalogue covered with a floor of exposure: MovieLens-100k, `loo` and
`utemporal`, where every setting is chosen on the validation part and the test then scored once. And
times beside pyversity's, and those of a request. Tables go to docs/evaluation.md, pictures of the
curves to docs/pictures.
"""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench import diversify, readme
from bench.quality import data as sources
from bench.quality import splits
from bench.quality.run import HERE, environment, run
from bench.reach import cases, exposure, lists
from bench.reach.cases import Cases
from bench.reach.lists import AT, STRENGTHS
from bench.reach.scores import Scores
from recommender.diversity import Curve, Point
from recommender.evaluation import compare
from recommender.evaluation.calibrating import falling
from recommender.evaluation.picture import Spot, picture
from recommender.ranking.pipeline import Rules
from recsite.local.memory import CHECKOUT, data_folder

SPLITS = ("loo", "utemporal")
FLOORS = (0.99, 0.95)
BUDGETS = (0.02, 0.05, 0.1)
DISTANCES = {"text": "text distance", "genres": "genre distance"}
PLAIN = "plain"
DEFAULT_PROFILE = f"site:{Rules(AT).strategy}:default:{Rules(AT).diversity}"
STRATEGY = "msd"  # that calibrate finds to bring most
IN_PICTURE = (
    ("ours", "mmr"),
    ("ours", "msd"),
    ("ours", "dpp"),
    ("ours", "ssd"),
    ("theirs", "msd"),
    ("theirs", "dpp"),
)
Scored = dict[str, Scores]  # by tag


@dataclass(frozen=True)
class Row:
    """One line of the summary."""

    what: str
    reached: str
    aim: str
    met: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.reached} | {self.aim} | {'met' if self.met else 'MISSED'} |"


def main(steering: Callable[[], list[str]]) -> None:
    """steering  measures what it takes, and gives the rows of its table"""
    work = data_folder() / "reach"
    work.mkdir(parents=True, exist_ok=True)
    (data_folder() / "quality").mkdir(exist_ok=True)
    data = sources.movielens_100k(data_folder() / "quality")
    rows, tables = [], []
    for name in SPLITS:
        paths = {part: work / f"{name}-{part}.npz" for part in ("valid", "test")}
        if not all(path.exists() for path in paths.values()):
            _set_up()
            cases.make(data, getattr(splits, name)(data), paths)
        found, table = measure(name, paths, work)
        rows += found
        tables.append(table)
    rows += speed(diversify.measure())
    ratio = float(steering()[0].splitlines()[0].split("|")[-2])  # of all of it
    rows.append(
        Row("steering and report in the request", f"{ratio} × p50", "≤ 1.15 ×", ratio <= 1.15)
    )
    summary = ["| what | reached | aim | |", "|---|---|---|---|", *map(str, rows)]
    made = (
        f"`make bench ARGS=reach` on {datetime.now(UTC).date()}, {os.cpu_count()} cores,"
        f" {platform.machine()}."
    )
    result = "\n".join([*summary, "", *tables, made]) + "\n"
    (work / "reach.md").write_text(result)
    readme.replace("reach", result, CHECKOUT / "docs" / "evaluation.md")
    print(result, flush=True)


def measure(name: str, paths: dict[str, Path], work: Path) -> tuple[list[Row], str]:
    """Choose on valid, score test once; what a split says, and the table of its frontier."""
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
    plain = test[PLAIN]
    frontier, lines = _frontier(name, test, chosen)
    head = (
        f"`{name}`, {len(plain['ndcg'])} people; the order of relevance has NDCG@10"
        f" {plain['ndcg'].mean():.4f}, text distance {plain['text'].mean():.4f}, genre distance"
        f" {plain['genres'].mean():.4f}, distance by behaviour {plain['behaviour'].mean():.4f}.\n"
    )
    rows = [*frontier, *_default_profile(name, test), *_alpha(name, test, mild)]
    rows += [*_budgets(name, test, asked), *_exposure(name, cases.read(paths["test"]))]
    return rows, "\n".join([head, *lines, ""])


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


def _frontier(name: str, test: Scored, chosen: dict) -> tuple[list[Row], list[str]]:
    head = (
        "most of | NDCG on valid | side | chosen on valid | NDCG kept | distance | by behaviour"
        " | ours less theirs: distance | NDCG | verdict"
    )
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    rows, plain = [], test[PLAIN]
    for distance, title in DISTANCES.items():
        for floor in FLOORS:
            ours, theirs = (test[chosen[side, distance, floor]] for side in ("ours", "theirs"))
            more = compare.paired(ours[distance], theirs[distance])
            gain = compare.paired(ours["ndcg"], theirs["ndcg"])
            rise = ours["behaviour"].mean() / plain["behaviour"].mean() - 1
            said = verdict(more, gain)
            rows.append(
                Row(
                    f"frontier, `{name}`: {title} at ≥ {floor:.0%}",
                    f"{said}: distance {more.mean:+.4f}, NDCG {gain.mean:+.4f}; by behaviour"
                    f" {rise:+.1%}",
                    "on or above pyversity's; by behaviour rising",
                    said != "below" and rise > 0,
                )
            )
            for side, found in (("ours", ours), ("theirs", theirs)):
                kept = found["ndcg"].mean() / plain["ndcg"].mean()
                tag = chosen[side, distance, floor].split(":", 1)[1].replace(":", " ")
                cells = [title, f"≥ {floor:.0%}", side if side == "ours" else "pyversity", tag]
                cells += [f"{kept:.1%}", f"{found[distance].mean():.4f}"]
                cells += [f"{found['behaviour'].mean():.4f}"]
                cells += [signed(more), signed(gain), said] * (side == "ours")
                cells += [""] * (10 - len(cells))
                lines.append(f"| {' | '.join(cells)} |")
    return rows, lines


def _default_profile(name: str, test: Scored) -> list[Row]:
    plain, found = test[PLAIN], test[DEFAULT_PROFILE]
    rise = {m: found[m].mean() / plain[m].mean() - 1 for m in ("genres", "miscalibration")}
    lost = lost_of(found, plain)
    what = f"default profile, `{name}`:"
    return [
        Row(f"{what} NDCG given up", shares(lost), "≤ 1 %", lost.mean <= 0.01),
        Row(f"{what} genre distance", f"{rise['genres']:+.1%}", "≥ +10 %", rise["genres"] >= 0.1),
        Row(
            f"{what} miscalibration",
            f"{rise['miscalibration']:+.1%}",
            "≤ −20 %",
            rise["miscalibration"] <= -0.2,
        ),
    ]


def _alpha(name: str, test: Scored, mild: str) -> list[Row]:
    if name != "utemporal":  # of the next event alone nothing can be said
        return []
    more = compare.paired(test[mild]["alpha_ndcg"], test[PLAIN]["alpha_ndcg"])
    tag = mild.split(":", 1)[1].replace(":", " ")
    what = f"alpha-NDCG@10, `{name}`, by {tag}, less undiversified"
    return [Row(what, signed(more), "interval above 0", more.low > 0)]


def _budgets(name: str, test: Scored, asked: dict[float, str]) -> list[Row]:
    rows, before = [], -np.inf
    for budget, tag in asked.items():
        found, lost = test[tag], lost_of(test[tag], test[PLAIN])
        rows.append(
            Row(
                f"budget {budget:.0%}, `{name}`: NDCG given up; of the lists' own relevance, mean"
                " and most",
                f"{shares(lost)}; {found['cost'].mean():.2%}, {found['cost'].max():.2%}",
                f"interval with or below {budget:.0%}, more than of less",
                lost.low <= budget and lost.mean > before,
            )
        )
        before = lost.mean
    return rows


def _exposure(name: str, found: Cases) -> list[Row]:
    rows = []
    for floor in exposure.FLOORS:
        got = exposure.covered(found, floor)
        rows.append(
            Row(
                f"catalogue covered with a floor of {floor}, `{name}`; NDCG given up",
                f"{got.before:.1%} → {got.after:.1%}, × {got.times:.2f}; {shares(got.given_up)}",
                "≥ 1.5 × at ≤ 2 %",
                got.times >= 1.5 and got.given_up.mean <= 0.02,
            )
        )
    return rows


def speed(measured: list[diversify.Row]) -> list[Row]:
    """The slowest of each size and aim."""
    groups: dict[tuple, list[diversify.Row]] = {}
    for row in measured:
        groups.setdefault((row.strategy == "ssd", row.size, row.aim), []).append(row)
    rows = []
    for (_, (n, d, k), aim), some in groups.items():
        worst, loss = max(some, key=lambda row: row.ratio), min(row.worst for row in some)
        names = ", ".join(dict.fromkeys(row.strategy for row in some))
        rows.append(
            Row(
                f"time beside pyversity, {n:,} × {d} → {k}: {names}",
                f"{min(row.ratio for row in some):.2f} to {worst.ratio:.2f} × ({worst.strategy}"
                f" {worst.diversity}); objective {loss:+.0e} at worst",
                f"≤ {aim} × at the same or better",
                worst.ratio <= aim and loss >= -1e-6,
            )
        )
    return rows


def lost_of(found: Scores, plain: Scores) -> compare.Interval:
    """Shares of the mean NDCG, with the 95 % interval of the paired difference."""
    lost, whole = compare.paired(plain["ndcg"], found["ndcg"]), plain["ndcg"].mean()
    return compare.Interval(lost.mean / whole, lost.low / whole, lost.high / whole)


def shares(found: compare.Interval) -> str:
    return f"{found.mean:.1%} [{found.low:.1%}, {found.high:.1%}]"


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
        if some is not theirs or not _are_there(some, out, path):
            run([python, "-m", "bench.reach.lists", path, out, *some], "making lists")
        with np.load(out) as arrays:
            made |= {tag: arrays[tag] for tag in some}
    return {tag: Scores(found, places) for tag, places in made.items()}


def _are_there(wanted: list[str], out: Path, path: Path) -> bool:
    """Whether lists of these candidates were made: those of a pinned version never change."""
    if not out.exists() or out.stat().st_mtime < path.stat().st_mtime:
        return False
    with np.load(out) as arrays:
        return set(wanted) <= set(arrays.files)


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    import django

    django.setup()
