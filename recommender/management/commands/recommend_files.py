"""Lists for the people of files from outside, by the functions that answer a live request.

All of it happens in a database of its own, which is dropped at the end, however it ends.
"""

import csv
import json
import os
import signal
import tempfile
import threading
import time
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, DjangoHelpFormatter
from django.db import OperationalError, connection
from tqdm import tqdm

from catalog.importers import interactions
from catalog.importers.interactions import Files, Loaded, Survey
from catalog.importers.reading import Unusable
from recommender import embed, learn, store, train
from recommender.embeddings.cached import CachedEncoder
from recommender.embeddings.encoder import EncoderError
from recommender.management.arguments import share
from recommender.management.progress import Bars
from recommender.recommend import recommend
from recommender.store.scratch import scratch_database

MOST_ROWS = 100  # of a list
PART = 100  # people whom one thread takes at a time
WRONG_INPUT = 2  # exit status, as argparse has it
COLUMNS = """\
files, in CSV with a header (case and order of the columns are free, others are ignored):
  --train, --valid  user,item[,rating][,ts or timestamp]
  --items           item[,title][,genres][,text]           genres: names with | between them
  --candidates      item                                   what may be recommended, if not all
  --out             user,item,rank,score                   best first, for each person
"""

Answer = TypeVar("Answer")


class Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of the epilogue."""


class Command(BaseCommand):
    help = "Recommend to the people of interaction files, in a scratch database."
    requires_system_checks = ()

    def add_arguments(self, parser) -> None:
        parser.formatter_class, parser.epilog = Formatter, COLUMNS
        parser.add_argument("--train", type=Path, required=True, help="what happened")
        parser.add_argument("--valid", type=Path, help="what happened last, to tune by")
        parser.add_argument("--items", type=Path, required=True)
        parser.add_argument("--candidates", type=Path)
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--k", type=_length, default=20, help=f"1 to {MOST_ROWS}, default 20")
        parser.add_argument(
            "--diversity", type=share, default=0.0, help="0 to 1; default 0: order of relevance"
        )

    def handle(self, *, k: int, diversity: float, out: Path, **options) -> None:
        files = Files(**{name: options[name] for name in ("train", "items", "valid", "candidates")})
        begun, took = time.monotonic(), {}
        try:
            with ended_by_signals(), whole_file(out, reads=files.paths) as file:
                with timed(took, "reading"):
                    found = interactions.survey(files)
                with scratch_database():
                    with timed(took, "import"):
                        loaded = self.load(files, found)
                    with timed(took, "embedding"):
                        encoded = embed_texts()
                    with timed(took, "learning"):
                        self.say(learn_from(loaded))
                    with timed(took, "lists"):
                        written, short = write_lists(file, k=k, diversity=diversity)
        except Unusable as unusable:
            raise CommandError(str(unusable), returncode=WRONG_INPUT) from None
        except EncoderError as error:
            raise CommandError(str(error)) from None
        except OperationalError as error:
            raise CommandError(f"the database does not answer, or no longer: {error}") from None
        except KeyboardInterrupt:
            raise CommandError("ended; the scratch database is gone", returncode=130) from None
        if short:
            self.say(f"{short:,} people have fewer than {k} rows: nothing else may be recommended")
        self.say(
            json.dumps(
                {
                    "people": loaded.people,
                    "items": loaded.items,
                    "events": loaded.events,
                    "texts_encoded": encoded,
                    "rows": written,
                    **{f"{step}_seconds": round(spent, 1) for step, spent in took.items()},
                    "seconds": round(time.monotonic() - begun, 1),
                }
            )
        )
        self.stdout.write(f"{written:,} rows for {loaded.people:,} people in {out}")

    def load(self, files: Files, found: Survey) -> Loaded:
        with tempfile.TemporaryDirectory() as folder:
            rejects = Path(folder) / "rejects"
            loaded = interactions.load(files, found, rejects=rejects, say=self.say)
        self.say(f"{loaded.people:,} people, {loaded.items:,} items, {loaded.events:,} events")
        for line in loaded.notes:
            self.say(line)
        if loaded.bad_rows:
            self.say(f"rows that cannot be used as they are: {loaded.bad_rows:,}")
            for line in loaded.named:
                self.say(f"  {line}")
            if loaded.bad_rows > len(loaded.named):
                self.say(f"  and {loaded.bad_rows - len(loaded.named):,} more")
        return loaded

    def say(self, line: str) -> None:
        self.stderr.write(line, str)  # not in the colour of errors


def learn_from(loaded: Loaded) -> str:
    """Learn what a live site would have learned of all events by now; what came of it."""

    validation = np.array(interactions.pairs_after(loaded.last_of_train), dtype=np.int64)

    def held_by(events: store.Events) -> np.ndarray:
        step = int(events.items.max(initial=0)) + 1
        return np.isin(events.people * step + events.items, validation @ (step, 1))

    learn.refresh_popularity()
    try:
        with Bars() as progress:
            version = train.train(held_by=held_by if len(validation) else None, progress=progress)
    except train.Untrainable as error:
        return f"nothing was trained: {error}; lists are by what is popular and by texts"
    train.activate(version, force=True)
    learn.place_everybody()
    for _ in for_everybody("learning of people", learn.refresh_person):
        pass
    return train.verdict(version.metrics)


def embed_texts() -> int:
    """Give each item that says something its vector; how many texts had to be encoded."""
    item_ids = interactions.items_with_text()
    if not item_ids:
        return 0
    os.environ.setdefault("TORCH_THREADS", str(os.cpu_count() or 1))
    model = CachedEncoder(
        embed.load_encoder(), settings.DATA_FOLDER / "lists-cache" / "vectors.sqlite3"
    )
    every = max(1, len(item_ids) // embed.SAMPLE)
    space = embed.create_space(model=model, sample=item_ids[::every][: embed.SAMPLE])
    with tqdm(total=len(item_ids), unit=" items", desc="embedding", mininterval=1) as bar:
        for start in range(0, len(item_ids), embed.CHUNK):
            some = item_ids[start : start + embed.CHUNK]
            embed.embed_items(space, some)
            bar.update(len(some))
    store.build_index(space)
    return model.encoded


def write_lists(file: TextIO, *, k: int, diversity: float) -> tuple[int, int]:
    """A list for everybody; how many rows, and how many people have fewer than k."""

    def list_of(user_id: int) -> list[tuple[int, float]]:
        shown = recommend(user_id, limit=k, diversity=diversity, exploration=0, rotation=0).results
        return [(row.facts.id, row.relevance) for row in shown]

    names, writer = interactions.items(), csv.writer(file, lineterminator="\n")
    writer.writerow(["user", "item", "rank", "score"])
    rows = short = 0
    for user, shown in for_everybody("lists", list_of):
        writer.writerows(
            (user, names[item], rank, f"{relevance:.6f}")
            for rank, (item, relevance) in enumerate(shown, start=1)
        )
        rows += len(shown)
        short += len(shown) < k
    return rows, short


def for_everybody(what: str, do: Callable[[int], Answer]) -> Iterator[tuple[str, Answer]]:
    """(id in the files, what `do` answers to the id here) of each person, in order.

    In threads: while the database works for one person, numbers are computed for another.
    """
    people = interactions.people()
    parts = [people[start : start + PART] for start in range(0, len(people), PART)]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    with tqdm(total=len(people), unit=" people", desc=what, mininterval=1) as bar:

        def do_part(part: Sequence[tuple[int, str]]) -> list[tuple[str, Answer]]:
            answers = []
            try:
                for user_id, user in part:
                    answers.append((user, do(user_id)))
                    bar.update()
            finally:
                connection.close()  # of this thread
            return answers

        try:
            yield from chain.from_iterable(pool.map(do_part, parts))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def whole_file(path: Path, *, reads: Sequence[Path]) -> Iterator[TextIO]:
    """A file that is there when all went well, and as it was before when not."""
    if path.resolve() in {other.resolve() for other in reads}:
        raise Unusable(f"--out {path} would overwrite what is to be read")
    part = path.with_name(f".{path.name}.part")
    try:
        file = part.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    try:
        with file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a kill and a closed terminal end as Ctrl-C does, and only once: to tidy up takes time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def timed(took: dict[str, float], step: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    took[step] = time.monotonic() - begun


def _length(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    raise ArgumentTypeError(f"{text!r}: use 1 to {MOST_ROWS}")
