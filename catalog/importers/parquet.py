"""Rows of Parquet files as objects. Needs pyarrow, which nothing else of Medley does."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from tqdm import tqdm

from catalog.importers.reading import FREE_BYTES, RATIO, File, Unusable

BATCH = 2_000  # rows that are objects at a time
GROUP_BYTES = 1 << 30  # of a row group, the least that is read at once
COLUMNS = 1_000
KNOWN = (
    *("id", "name", "title", "description", "kind", "language", "published", "url", "image_url"),
    *("price", "currency", "latitude", "longitude", "available", "attributes", "categories"),
    *("creators", "user", "item", "value", "text", "at"),
)
IDS = ("id", "user", "item")


@contextmanager
def open_objects(file: File) -> Iterator[Iterator[tuple[int, object, str]]]:
    """(number of the row, its object, ""). What the file says of its size is looked at first.

    Raises Unusable
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Unusable("Parquet needs pyarrow: pip install -r requirements-parquet.txt") from None
    try:
        with file.open("rb") as opened, parquet.ParquetFile(opened, pre_buffer=False) as table:
            look_over(table.metadata, opened.seek(0, 2), file.name)
            yield objects_of(table, file.name)
    except (OSError, pyarrow.ArrowException) as error:
        raise Unusable(f"{file.name} cannot be read as Parquet: {error}") from None


def look_over(metadata, size: int, name: str) -> None:
    """Raises Unusable for what would take more memory or time than its size lets expect."""
    groups = [metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)]
    if metadata.num_columns > COLUMNS:
        raise Unusable(f"{name} has more than {COLUMNS:,} columns")
    if max(groups, default=0) > GROUP_BYTES or sum(groups) > max(FREE_BYTES, RATIO * size):
        raise Unusable(f"{name} unpacks to more than {RATIO} times its size, or 1 GB a row group")


def objects_of(table, name: str) -> Iterator[tuple[int, object, str]]:
    columns = [column for column in table.schema_arrow.names if column in KNOWN]
    number = 0
    with tqdm(total=table.metadata.num_rows, desc=name, leave=False, disable=None) as bar:
        for batch in table.iter_batches(BATCH, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, {key: plain(key, value) for key, value in row.items()}, ""
            bar.update(batch.num_rows)


def plain(key: str, value: object) -> object:
    """As JSON would have it; what a data frame leaves out is not a number.

    >>> plain("id", 7), plain("price", float("nan")), plain("at", datetime(2026, 11, 1))
    ('7', None, '2026-11-01T00:00:00')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if key in IDS and isinstance(value, int) else value
