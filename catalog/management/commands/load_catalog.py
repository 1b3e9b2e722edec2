"""`load_catalog PATH`: items, people and feedback from files, as often as they change."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, DjangoHelpFormatter

from catalog.importers import bulk, csv, exports, movielens, objects
from catalog.importers.archives import Archive, is_archive
from catalog.importers.reading import Unusable

COLUMNS = """\
csv: a folder with any of these files, or one of them; packed with gzip or not; UTF-8, with a header
  people.csv    id[,name]
  items.csv     id,title[,description,language,kind,published,url,image_url,price,currency,
                latitude,longitude,available,categories,creators,attr:NAME]
  feedback.csv  user,item,kind[,value,text,at]   or   user,item,rating[,text,at]
  categories and creators: names with | between them; attr:NAME: a declared attribute;
  published, at: ISO 8601, or Unix seconds; kind: view, like, dislike, rating, save, share,
  purchase, comment, dwell, hide
jsonl, parquet: people, items and feedback with the same names, an object a line or a row; lists
  are lists, attributes are an object; an object says all of its item
movielens: a folder of ml-latest, ml-latest-small, ml-1m or ml-100k
  (ratings.csv and movies.csv, or ratings.dat and movies.dat, or u.data and u.item)
amazon: reviews of products, 2014 to 2023: meta_*.jsonl and reviews beside it
mind: news.tsv and behaviors.tsv
gorse: users, items and feedback, in .csv or .jsonl
Each may be packed with gzip; a folder may be a zip archive, which is read as it lies.

All of a load is one transaction. A row that cannot be used is rejected with its line and a reason;
the others are loaded. A second load of the same files writes nothing. docs/import.md says more.
"""


LOADERS = {
    "csv": csv.load,
    "jsonl": partial(objects.load, format="jsonl"),
    "parquet": partial(objects.load, format="parquet"),
    "movielens": movielens.load,
    "amazon": exports.amazon,
    "mind": exports.mind,
    "gorse": exports.gorse,
}
OF_OUR_SHAPE = ("csv", "jsonl", "parquet")
READ_NAMES = {*(f"{name}.csv" for name in (*csv.EXPECTED, *exports.GORSE))} | {
    name for layout in movielens.LAYOUTS for name, *_ in layout
}
READ_ENDINGS = (".gz", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv")


def is_read(rejects: Path, path: Path) -> bool:
    """Whether a file of that name would be what is read, or be among it."""
    written, name = rejects.resolve(), rejects.name
    is_among = name in READ_NAMES or name.endswith(READ_ENDINGS)
    return written == path.resolve() or (is_among and written.parent == path.resolve())


@contextmanager
def opened(path: Path) -> Iterator[Path | Archive]:
    """A path, or the archive that lies there. Raises Unusable."""
    if not is_archive(path):
        yield path
        return
    archive = Archive(path)
    try:
        yield archive
    finally:
        archive.close()


class Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of the epilogue."""


class Command(BaseCommand):
    help = "Load items, people and feedback from files; what is there already is updated."

    def add_arguments(self, parser) -> None:
        parser.formatter_class, parser.epilog = Formatter, COLUMNS
        parser.add_argument("path", type=Path)
        parser.add_argument("--format", choices=list(LOADERS), default="csv")
        parser.add_argument(
            "--source", help="the system that the ids come from; the format if not given"
        )
        parser.add_argument(
            "--what",
            choices=list(csv.EXPECTED),
            default="",
            help="which of the files, or what the one holds",
        )
        parser.add_argument("--kind", default="", help="of items that name none, such as film")
        parser.add_argument("--dry-run", action="store_true", help="report, and change nothing")
        parser.add_argument(
            "--missing",
            choices=["keep", "hide"],
            default="keep",
            help="what becomes of items of the source that the file does not list; default keep",
        )
        parser.add_argument("--rejects", type=Path, help="CSV file to write rejected rows to")

    def handle(self, *args, **options) -> None:
        path, rejects = options["path"], options["rejects"]
        if rejects and is_read(rejects, path):
            raise CommandError(f"--rejects {rejects} would overwrite what is to be read")
        if len(options["kind"]) > 30:
            raise CommandError("--kind takes at most 30 characters")
        if options["what"] and options["format"] not in OF_OUR_SHAPE:
            raise CommandError("--what goes with --format csv, jsonl or parquet")
        how = {"kind": options["kind"], "hide_missing": options["missing"] == "hide"}
        if options["what"]:
            how["what"] = options["what"]
        quiet = options["verbosity"] == 0
        try:
            with (
                opened(path) as place,
                bulk.load(
                    options["source"] or options["format"],
                    dry_run=options["dry_run"],
                    rejects=rejects,
                    say=(lambda _: None) if quiet else self.stdout.write,
                ) as job,
            ):
                reports = list(LOADERS[options["format"]](job, place, **how))
        except Unusable as unusable:
            raise CommandError(str(unusable)) from None
        for report in reports:
            self.stdout.write(str(report))
        if options["format"] == "movielens":
            self.stdout.write(movielens.TERMS)
        if options["dry_run"]:
            self.stdout.write("dry run: nothing was changed")
