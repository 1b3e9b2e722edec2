"""The table and the pictures of what was measured, from raw numbers."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bench import readme
from bench.scale.measure import CLIENTS, FIRST, PLAIN_EF_SEARCH
from bench.scale.prepare import FILTERS, NEAREST
from recommender.evaluation.picture import Spot, picture

Run = Mapping  # of one command; see run.main
Site = Mapping  # one size in it; see run.measured


@dataclass(frozen=True)
class Row:
    """One line: what was measured beside what, and whether that is as was aimed at."""

    what: str
    items: str
    ours: str
    beside: str
    ratio: float | None = None
    most: float | None = None  # that the ratio may be
    least: float | None = None
    aim: str = ""  # where that is no ratio
    met: bool = True  # what is asked for besides the ratio

    def __str__(self) -> str:
        within, aim = self.met, self.aim
        if self.most is not None:
            within, aim = within and self.ratio <= self.most, f"≤ {self.most:g} ×"
        if self.least is not None:
            within, aim = within and self.ratio >= self.least, f"≥ {self.least:g} ×"
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        said = ("met" if within else "MISSED") if aim else ""
        cells = [self.what, self.items, self.ours, self.beside, ratio, aim, said]
        return f"| {' | '.join(cells)} |"


PICTURES = [
    f"![{what} by number of items](../docs/pictures/scale-{name}.svg)"
    for name, what in {"p50": "Times", "recall": "Recall", "memory": "Memory"}.items()
]
HEAD = "| what | items | ours | beside | ratio | aim | |\n|---|---|---|---|---|---|---|"


def table(runs: Sequence[Run]) -> str:
    rows: list[str] = []
    for run in runs:
        for n, at in enumerate(run["sites"]):
            # The small one stands beside the large in each run; the first run tells of it.
            if run is runs[0] or n:
                rows += map(str, rows_of(at))
        rows += map(str, [*growth(run["sites"]), *memory(run["sites"][-1])])
    rows += map(str, others())
    made = [f"`{run['command']}` on {run['begun'][:10]}, {run['machine']}." for run in runs]
    return "\n".join([HEAD, *rows, "", *made, "", *PICTURES]) + "\n"


def rows_of(at: Site) -> Iterator[Row]:
    items, took, recall = f"{at['items']:,}", at["took"], at["recall"]
    p50 = {name: median(values) for name, values in took.items()}
    rates = {name: median(values) for name, values in at["rates"].items()}
    yield Row(
        f"GET recommendations (pool {at['pool']} → 20), p50, one client",
        items,
        ms(p50["list"]),
        f"its vector statement, ef_search {at['ef_search']}, recall of its pool"
        f" {recall['pool']:.3f}: {ms(p50['candidates'])}",
        p50["list"] / p50["candidates"],
        most=2.5,
        met=recall["pool"] >= 0.97,
    )
    yield Row(
        "the same",
        items,
        ms(p50["list"]),
        f"one plain search of {NEAREST}, ef_search {PLAIN_EF_SEARCH}, recall {recall['plain']:.3f}:"
        f" {ms(p50['plain'])}",
        p50["list"] / p50["plain"],
    )
    p99 = float(np.quantile(took["clients, load"], 0.99))
    alone = median(took["one client, load"])
    yield Row(
        f"the same, p99 with {CLIENTS} clients",
        items,
        ms(p99),
        f"p50 with one client: {ms(alone)}",
        p99 / alone,
        most=8,
    )
    for name, beside, least in (
        ("candidates", "its vector statements", 0.25),
        ("plain", f"plain searches of {NEAREST}", None),
    ):
        yield Row(
            f"requests a second, {CLIENTS} clients",
            items,
            f"{rates['clients']:.0f}",
            f"{beside} a second, {CLIENTS} clients: {rates[name]:.0f}",
            rates["clients"] / rates[name],
            least=least,
        )
    for name, text in FILTERS.items():
        yield Row(
            f"a filter of {name}, `{text}`: p50; recall@{NEAREST} {recall[name]:.3f},"
            f" {at['missing'][name]} too few",
            items,
            ms(p50[f"list {name}"]),
            f"unfiltered: {ms(p50['list'])}",
            p50[f"list {name}"] / p50["list"],
            most=5,
            met=recall[name] >= 0.95 and at["missing"][name] == 0,
        )
    yield Row(
        "4 scenarios on one home screen, 10 each, p50",
        items,
        ms(p50["four scenarios"]),
        f"1 scenario: {ms(p50['one scenario'])}",
        p50["four scenarios"] / p50["one scenario"],
        most=2.5,
    )


def growth(sites: Sequence[Site]) -> Iterator[Row]:
    """The largest beside the smallest of one run."""
    small, large = sites[0], sites[-1]
    if small is not large:
        ours, beside = (median(at["took"]["list"]) for at in (large, small))
        yield Row(
            f"p50 at {large['items']:,} items",
            f"{large['items']:,}",
            ms(ours),
            f"p50 at {small['items']:,}: {ms(beside)}",
            ours / beside,
            most=2 if large["items"] >= 1_000_000 else None,
        )


def memory(at: Site) -> Iterator[Row]:
    found = at["memory"]
    if "last" in found:
        yield Row(
            f"memory of the web processes after {found['requests']:,} requests",
            f"{at['items']:,}",
            f"{found['last']:.0f} MB",
            f"after {FIRST:,}: {found['first']:.0f} MB",
            found["last"] / found["first"],
            most=1.05,
        )


def others() -> Iterator[Row]:
    """What has a command and a table of its own, as it was measured last."""
    for items, load, index, copied, by_hand, ratio in readme.rows("load")[-1:]:
        yield Row(
            "vectors of items: load + index (`ARGS=load`)",
            items,
            f"{load} + {index} s",
            f"COPY + CREATE INDEX by hand: {copied} + {by_hand} s",
            float(ratio),
            most=1.3,
        )
    for items, ours, beside, ratio, *_ in readme.rows("embedding")[-1:]:
        yield Row(
            "embedding through the worker path, texts a second (`ARGS=embedding`)",
            items,
            ours,
            f"sentence-transformers on the same model and texts: {beside}",
            float(ratio),
            least=1,
        )
    for items, people, _, changed, _, p95, *_ in readme.rows("online")[-1:]:
        done, _, of = changed.partition(" of ")
        yield Row(
            f"a like → next list changed, {people} people (`ARGS=online`)",
            items,
            changed,
            "",
            aim="all",
            met=done == of,
        )
        yield Row(
            "a like → candidates refreshed, p95, at 50 events a second (`ARGS=online`)",
            items,
            f"{p95} s",
            "",
            aim="≤ 2 s",
            met=float(p95) <= 2,
        )


def ms(value: float) -> str:
    return f"{value:.1f} ms"


# --- pictures -----------------------------------------------------------------------------------

MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MEGABYTES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def pictures(runs: Sequence[Run]) -> dict[str, str]:
    """By name, growth with the number of items: both axes of times and memory are logarithmic."""
    sites = sorted(
        (at for run in runs for n, at in enumerate(run["sites"]) if run is runs[0] or n),
        key=lambda at: at["items"],
    )
    kinds = {
        "list": "list",
        "four scenarios": "4 scenarios",
        "list 10 %": "filter 10 %",
        "list 0.1 %": "filter 0.1 %",
        "candidates": "statement",
        "plain": "plain search",
    }
    found = {"plain": "plain search", "pool": "pool of a list"}
    found |= {name: f"filter {name}" for name in FILTERS}
    return {
        "p50": drawn(
            sites,
            {text: lambda at, n=name: median(at["took"][n]) for name, text in kinds.items()},
            "ms at the median, one client",
            "ms",
            MILLISECONDS,
        ),
        "recall": drawn(
            sites,
            {text: lambda at, n=name: at["recall"][n] for name, text in found.items()},
            f"recall@{NEAREST}",
            "",
        ),
        "memory": drawn(
            sites,
            {
                "index of vectors": lambda at: at["index"],
                "table of vectors": lambda at: at["table"],
                "web processes": lambda at: at["memory"]["web"],
            },
            "MB",
            "MB",
            MEGABYTES,
        ),
    }


def drawn(
    sites: Sequence[Site],
    lines: Mapping[str, Callable[[Site], float]],
    up: str,
    unit: str,
    marks: Sequence[float] = (),
) -> str:
    """marks  of a logarithmic axis upwards; none: it is not"""
    scale = math.log10 if marks else float
    spots = {}
    for name, value_of in lines.items():
        spots[name] = []
        for at in sites:
            x, value = math.log10(at["items"]), value_of(at)
            text = f"{name}, {at['items']:,} items: {value:.3g} {unit}".strip()
            spots[name].append(Spot(x, scale(value), x, x, text))
    return picture(
        spots,
        title=f"{up} by number of items",
        across="items",
        up=up,
        ground="white",
        ink="black",
        x_marks={f"{at['items']:,}": math.log10(at["items"]) for at in sites},
        y_marks={f"{value:,g}": math.log10(value) for value in marks},
    )
