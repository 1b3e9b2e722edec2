"""Versions of what was learned: list, compare, activate, back, retire."""

from collections.abc import Sequence

from django.core.management.base import BaseCommand, CommandError

from recommender import store, train
from recommender.models import ModelVersion


class Command(BaseCommand):
    help = "Versions of what was learned from feedback: see them, and choose the one in use."

    def add_arguments(self, parser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="all versions, the newest first")
        compare = commands.add_parser("compare", help="one version in full, or two side by side")
        compare.add_argument("names", nargs="+", metavar="NAME")
        activate = commands.add_parser("activate", help="serve a version from the next request on")
        activate.add_argument("name")
        activate.add_argument("--force", action="store_true", help="even if it did not pass")
        commands.add_parser("back", help="serve again what was served before")
        retire = commands.add_parser("retire", help="free what a version keeps; metrics stay")
        retire.add_argument("name")

    def handle(self, *, command: str, **options) -> None:
        try:
            getattr(self, command)(**options)
        except train.Refused as error:
            raise CommandError(str(error)) from error

    def list(self, **_: object) -> None:
        versions = store.versions()
        if not versions:
            self.stdout.write("nothing was learned yet: manage.py train")
        for version in versions:
            passed = "passed" if version.has_passed else "did not pass"
            self.stdout.write(
                f"{version.name}  {version.status:8}  {version.created_at:%Y-%m-%d %H:%M}"
                f"  {version.events:,} events  {passed}: {train.verdict(version.metrics)}"
            )

    def compare(self, *, names: Sequence[str], **_: object) -> None:
        versions = [self._version(name) for name in names]
        rows = [
            ("trained", [f"{v.created_at:%Y-%m-%d %H:%M}" for v in versions]),
            ("events until", [f"{v.until:%Y-%m-%d %H:%M}" for v in versions]),
            ("events", [f"{v.events:,}" for v in versions]),
            ("people judged", [str(v.metrics.get("people", 0)) for v in versions]),
        ]
        for key, label in (
            ("ndcg", "NDCG@10"),
            ("ndcg_of_popularity", "NDCG@10 of popularity"),
            ("ndcg_of_new_items", "NDCG@10 among new items"),
            ("difference", "difference to what was in use"),
        ):
            rows.append((label, [_interval(v.metrics.get(key)) for v in versions]))
        for low, label in (
            (0, "without a history"),
            (1, "with 1 to 5 items"),
            (6, "with 6 to 20"),
            (21, "with 21 to 100"),
            (101, "with more"),
        ):
            rows.append((f"NDCG@10 of people {label}", [_of_length(v, low) for v in versions]))
        width = max(len(label) for label, _ in rows)
        self.stdout.write(" " * width + "".join(f"  {v.name:>28}" for v in versions))
        for label, cells in rows:
            self.stdout.write(f"{label:{width}}" + "".join(f"  {cell:>28}" for cell in cells))

    def activate(self, *, name: str, force: bool, **_: object) -> None:
        train.activate(self._version(name), force=force)
        self.stdout.write(f"{name} is active. Take it back with: manage.py models back")

    def back(self, **_: object) -> None:
        self.stdout.write(f"{train.go_back().name} is active again")

    def retire(self, *, name: str, **_: object) -> None:
        train.retire(self._version(name))
        self.stdout.write(f"{name} is retired")

    def _version(self, name: str) -> ModelVersion:
        versions = {version.name: version for version in store.versions()}
        if name not in versions:
            there = ", ".join(versions) or "none yet"
            raise CommandError(f"no version {name!r}; there are: {there}")
        return versions[name]


def _interval(numbers: list[float] | None) -> str:
    return "" if numbers is None else "{:.4f} [{:.4f}, {:.4f}]".format(*numbers)


def _of_length(version: ModelVersion, low: int) -> str:
    for row in version.metrics.get("by_length", []):
        if row["from"] == low:
            return f"{row['ndcg']:.4f} ({row['people']} people)"
    return ""
