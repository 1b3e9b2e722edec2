"""Read a delimited file of any size row by row; what cannot be read is a named row, never a crash.

Memory does not grow with the file: a physical line is at most LINE_BYTES, a cell at most what
csv.field_size_limit() says (131,072 characters).
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from tqdm import tqdm

LINE_BYTES = 1 << 20
PROGRESS_LINES = 1 << 12
UTF8_MARK = b"\xef\xbb\xbf"

TOO_LONG = "a line longer than 1 MB"
CELL_TOO_LONG = "a cell longer than 131,072 characters"
NEVER_ENDS = "a quoted cell without an end; nothing behind it was read"
HAS_NUL = "a NUL byte"


RATIO = 100  # a file may be so many times as large unpacked as packed
BOMB = f"unpacked it is more than {RATIO} times as large"
FREE_BYTES = 1 << 20  # and so large whatever it is packed to
PIECE_BYTES, PACKED_BYTES = 1 << 18, 1 << 14


DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


class Unusable(Exception):
    """The file as a whole cannot be loaded. Its text says what was expected."""


class Lines:
    """The lines of a file as text, with what was found wrong in them since `begin`."""

    def __init__(self, stream: BinaryIO, name: str, encoding: str, advance) -> None:
        self._stream, self.name, self._encoding = stream, name, encoding
        self._advance = advance
        self.number = 0
        self.begin()

    def begin(self) -> int:
        """Forget the faults of the record before; the number of the line where one begins."""
        self.fault, self._quotes = "", 0
        return self.number + 1

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        raw = self._read()
        if not raw:
            raise StopIteration
        self.number += 1
        if self.number % PROGRESS_LINES == 0:
            self._advance()
        self._quotes += raw.count(b'"')
        if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = self._read()
                self._quotes += raw.count(b'"')
            raise csv.Error(TOO_LONG)
        if self.number == 1:
            raw = raw.removeprefix(UTF8_MARK)
        if b"\0" in raw:
            self.fault = HAS_NUL
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            self.fault = f"not {self._encoding.upper()}"
            return raw.decode(self._encoding, "replace")

    def skip_record(self) -> bool:
        """Go on to where the record ends: its quotes are even there. False if it has no end."""
        while self._quotes % 2:
            try:
                next(self)
            except StopIteration:
                return False
            except csv.Error:
                continue  # one more line of the same record that is too long
        return True

    def _read(self) -> bytes:
        try:
            return self._stream.readline(LINE_BYTES)
        except DAMAGED as error:
            raise Unusable(f"{self.name} is damaged after line {self.number}: {error}") from None


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What is packed with gzip, piece by piece. Raises zlib.error for damage and for a bomb."""
    unpacker, packed, unpacked = zlib.decompressobj(wbits=31), 0, 0
    for piece in pieces:
        packed += len(piece)
        while piece:
            if unpacker.eof:  # files of gzip may stand one behind the other
                unpacker = zlib.decompressobj(wbits=31)
            out = unpacker.decompress(piece, PIECE_BYTES)
            unpacked += len(out)
            if unpacked > max(RATIO * packed, FREE_BYTES):
                raise zlib.error(BOMB)
            if out:
                yield out
            piece = unpacker.unconsumed_tail or unpacker.unused_data
    if packed and not unpacker.eof:
        raise zlib.error("the packed data ends too early")


class Unpacked(io.RawIOBase):
    """What is packed with gzip, as a stream that grows no larger than RATIO allows."""

    def __init__(self, file: BinaryIO) -> None:
        # In small pieces, so that a bomb is noticed before much of it is read.
        self._pieces = inflated(iter(lambda: file.read(PACKED_BYTES), b""))
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        n = min(len(buffer), len(self._left))
        buffer[:n], self._left = self._left[:n], self._left[n:]
        return n


class File(Protocol):
    """What is read: a path, or a member of an archive."""

    name: str

    def open(self, mode: str) -> BinaryIO: ...


@contextmanager
def open_stream(path: File) -> Iterator[tuple[BinaryIO, Callable[[], object]]]:
    """The bytes of a file, packed with gzip or not, and what moves a progress bar to where the
    reading stands, where somebody looks."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    size = path.stat().st_size if isinstance(path, Path) else path.size
    bar = tqdm(
        total=size, desc=path.name, unit="B", unit_scale=True, leave=False, disable=None, delay=0.5
    )
    with file, bar:
        try:
            is_packed = file.peek(2)[:2] == b"\x1f\x8b"
        except DAMAGED as error:
            raise Unusable(f"{path.name} is damaged: {error}") from None
        stream = io.BufferedReader(Unpacked(file), PIECE_BYTES) if is_packed else file
        yield stream, lambda: bar.update(file.tell() - bar.n)


@contextmanager
def open_lines(path: File, encoding: str = "utf-8") -> Iterator[Lines]:
    """The lines of a file, packed with gzip or not."""
    with open_stream(path) as (stream, advance):
        yield Lines(stream, path.name, encoding, advance)


def read_rows(lines: Lines, separator: str | None = None) -> Iterator[tuple[int, list[str], str]]:
    """(number of its first line, cells, fault) for each record that is not blank.

    separator  None reads CSV (RFC 4180); else a line is a record, and quotes mean nothing
    fault      "" or why the record cannot be used; its cells may then be missing or damaged
    """

    def split(line: str) -> list[str]:
        return line.rstrip("\r\n").split(separator)

    # Not a generator, which would end with the first line that is too long.
    records = csv.reader(lines, strict=True) if separator is None else map(split, lines)
    while True:
        first = lines.begin()
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            fault = _name(str(error))
            if separator is None and not lines.skip_record():
                fault = NEVER_ENDS
            yield first, [], fault
            continue
        if lines.fault or any(cells):
            yield first, cells, lines.fault


def _name(message: str) -> str:
    if message == TOO_LONG:
        return TOO_LONG
    if "limit" in message:
        return CELL_TOO_LONG
    if "end of data" in message:
        return NEVER_ENDS
    return f"not valid CSV ({message.split(' - ')[0]})"


def find(folder, name: str) -> File | None:
    """The file of that name in a folder or an archive, packed with gzip or not."""
    if not isinstance(folder, Path):
        return folder.find(name)
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def files_in(place) -> list[File]:
    """The files of a folder or an archive, by name; or the one file."""
    if not isinstance(place, Path):
        return place.files()
    if place.is_dir():
        return sorted(path for path in place.iterdir() if path.is_file())
    return [place]


def read_header(lines: Lines, expected: str) -> tuple[list[str], Iterator]:
    """The names of the columns, in lower case, and the rows behind them.

    expected  what Unusable, if it is raised, says should have been there
    """
    rows = read_rows(lines)
    _, cells, fault = next(rows, (0, [], "missing: the file is empty"))
    if fault:
        raise Unusable(f"{lines.name} cannot be read: its first line is {fault}; {expected}")
    names = [cell.strip().lower() for cell in cells]
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise Unusable(f"{lines.name} does not separate its cells by commas; {expected}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unusable(f"{lines.name} has the column {', '.join(twice)} twice; {expected}")
    return names, rows
