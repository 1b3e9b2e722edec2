"""Hand a person all that is theirs and nobody else's: a zip of JSON, made by a worker.

It lies in parts in the database, to be fetched by the person who is signed in, until it dies.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import IO
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from catalog import personal_data
from catalog.models import Archive, ArchivePart, Erasure, Feedback, User
from catalog.services import lock
from catalog.signals import archive_asked

PART_BYTES = 256 * 1024
AGAIN_AFTER = timedelta(hours=1)  # until then, to ask again is to get the same
# What a spreadsheet would take for a formula, at the beginning of a cell.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
ABOUT = """\
All that this site keeps of you, as it was when this archive was made.

Each file has the rows of one kind, in JSON; what you told about items is in feedback.csv too, for a
spreadsheet. In it, a text that a spreadsheet would take for a formula begins with an apostrophe.
Left out: passwords and tokens, of which only digests are kept, and the numbers (vectors) into which
your words and likes were turned; they say nothing that the words and likes here do not.
"""


def ask(user: User) -> Archive:
    """Have an archive made in the place of a former one; a new one, or one being made, stays."""
    with transaction.atomic():
        lock(user)
        former = newest(user)
        if former and (former.ready_at is None or former.now < former.ready_at + AGAIN_AFTER):
            return former
        own(user).delete()
        made = Archive.objects.create(user=user, by=Erasure.By.PERSON)
        made.refresh_from_db()
        archive_asked.send(sender=Archive, archive_id=made.pk)
    return made


def newest(user: User) -> Archive | None:
    """The one that was asked for last, also when it can be fetched no longer."""
    return own(user).annotate(now=Now()).last()


def own(user: User) -> QuerySet[Archive]:
    """Those that the person asked for; what an operator took stays on record beside them."""
    return Archive.objects.filter(user=user, by=Erasure.By.PERSON)


def state(archive: Archive | None) -> str:
    """none, waiting, ready, or expired; of one with its `now`."""
    if archive is None:
        return "none"
    if archive.ready_at is None:
        return "waiting"
    return "ready" if archive.expires_at > archive.now else "expired"


def fetched(user: User, uuid: UUID) -> Archive | None:
    """An archive of one's own that can be fetched now."""
    return own(user).filter(uuid=uuid, expires_at__gt=Now()).first()


def bytes_of(archive: Archive) -> Iterator[bytes]:
    """Part by part, a statement each, so that no reader keeps a transaction open."""
    number = 0
    while (
        data := ArchivePart.objects.filter(archive=archive, number=number)
        .values_list("data", flat=True)
        .first()
    ) is not None:
        yield bytes(data)
        number += 1


def counts(user_id: int) -> dict[str, int]:
    """How many rows of each kind an archive would have."""
    with transaction.atomic():
        return {
            kept.name: sum(1 for _ in kept.export(user_id))
            for kept in personal_data.kept()
            if kept.export is not None
        }


def export_by_operator(user: User, out: IO[bytes]) -> None:
    """Write an archive for somebody who runs the site, and keep that it was done."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        write(user.pk, out)
        now = Now()
        Archive.objects.create(user=user, by=Erasure.By.OPERATOR, ready_at=now, expires_at=now)


def make(archive_id: int) -> None:
    """Write an archive that was asked for; nothing if it is made, or the person is gone."""
    with transaction.atomic(), connection.cursor() as cursor:
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {limit} = 0")
        archive = (
            Archive.objects.select_for_update(of=("self",))
            .filter(pk=archive_id, ready_at=None, user__erased_at=None)
            .first()
        )
        if archive is None:
            return
        with _Parts(archive) as parts:
            write(archive.user_id, parts)
        archive.size, archive.ready_at = parts.size, Now()
        archive.expires_at = Now() + timedelta(days=settings.EXPORT_DAYS)
        archive.save()


class _Parts(io.RawIOBase):
    """A file that is written from its beginning to its end, into rows."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._waiting, self._number, self.size = archive, bytearray(), 0, 0

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._waiting += data
        self.size += len(data)
        while len(self._waiting) >= PART_BYTES:
            self._put(self._waiting[:PART_BYTES])
            del self._waiting[:PART_BYTES]
        return len(data)

    def close(self) -> None:
        if self._waiting:
            self._put(self._waiting)
            self._waiting = bytearray()
        super().close()

    def _put(self, data: bytearray) -> None:
        ArchivePart.objects.create(archive=self._archive, number=self._number, data=bytes(data))
        self._number += 1


def write(user_id: int, out: IO[bytes]) -> None:
    """All that is a person's, as a zip; row by row, so memory stays flat. In a transaction."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", ABOUT)
        for kept in personal_data.kept():
            if kept.export is not None:
                with archive.open(f"{kept.name}.json", "w", force_zip64=True) as file:
                    _write_json(file, kept.export(user_id))
            if kept.name == Feedback._meta.label:
                with archive.open("feedback.csv", "w", force_zip64=True) as file:
                    _write_csv(file, kept.export(user_id))


def _write_json(file: IO[bytes], rows: Iterable[dict]) -> None:
    """A list, a row a line."""
    between = "[\n"
    for row in rows:
        text = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
        file.write(f"{between}{text}".encode())
        between = ",\n"
    file.write(b"[]\n" if between == "[\n" else b"\n]\n")


def _write_csv(file: IO[bytes], rows: Iterable[dict]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.writer(text)
            writer.writerow(row)
        writer.writerow([as_cell(value) for value in row.values()])
    text.detach()


def as_cell(value: object) -> str:
    """The text of a cell that no spreadsheet runs.

    >>> as_cell("=1+1"), as_cell(None), as_cell(4.5)
    ("'=1+1", '', '4.5')
    """
    text = "" if value is None else str(value)
    is_text = not isinstance(value, int | float)
    return f"'{text}" if is_text and text.startswith(FORMULA) else text


def forget_expired() -> int:
    """Drop the bytes of archives that can be fetched no longer; that they were asked for stays."""
    return ArchivePart.objects.filter(archive__expires_at__lt=Now()).delete()[0]
