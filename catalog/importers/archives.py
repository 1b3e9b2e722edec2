"""Zip archives: looked over before anything in them is read, and never unpacked to disk.

What a member is called says what it holds and nothing else, so no name leads anywhere.
"""

import io
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

from catalog.importers.reading import FREE_BYTES, RATIO, Unusable

MEMBERS = 1_000
DIRECTORY_BYTES = 1 << 20
TOTAL_BYTES = 200_000_000_000
END = struct.Struct("<4s4H2LH")  # of the directory: signature, disks, counts, size, place, comment
MOST_BEHIND_END = END.size + 65_535


class Member:
    """One file of an archive, as far as it is asked of a path."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        self.name = PurePosixPath(info.filename).name

    def open(self, mode: str = "rb") -> io.BufferedReader:
        # Reads no more than the directory said that there is.
        return io.BufferedReader(self._archive.open(self._info), 1 << 18)

    @property
    def size(self) -> int:
        return self._info.file_size

    def __str__(self) -> str:
        return self.name


class Archive:
    """The files of a zip archive by their names, without the folders they lie in.

    Raises Unusable for what is damaged, too large, or leads elsewhere
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _look_at_end(path)
        try:
            self._file = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
            raise Unusable(f"{path} is not a zip archive: {error}") from None
        try:
            self._members = self._looked_over()
        except Unusable:
            self._file.close()
            raise

    def _looked_over(self) -> dict[str, Member]:
        found: dict[str, Member] = {}
        total = 0
        for info in self._file.infolist():
            total += info.file_size
            if stat.S_ISLNK(info.external_attr >> 16):
                raise Unusable(f"{self._path} holds a link, which is not followed")
            if info.filename.startswith("/") or ".." in PurePosixPath(info.filename).parts:
                raise Unusable(f"{self._path} holds a name that leads out of it")
            if info.flag_bits & 1:
                raise Unusable(f"{self._path} is encrypted")
            if info.is_dir():
                continue
            member = Member(self._file, info)
            if member.name in found:
                raise Unusable(f"{self._path} holds {member.name[:100]} twice")
            found[member.name] = member
        # Of the archive itself: members may lie one upon the other.
        if total > min(TOTAL_BYTES, max(FREE_BYTES, RATIO * self._path.stat().st_size)):
            raise Unusable(f"{self._path} unpacks to more than {RATIO} times its size")
        return found

    def find(self, name: str) -> Member | None:
        return self._members.get(name) or self._members.get(f"{name}.gz")

    def files(self) -> list[Member]:
        return [self._members[name] for name in sorted(self._members)]

    def is_dir(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()

    def __str__(self) -> str:
        return str(self._path)


def is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _look_at_end(path: Path) -> None:
    """Refuse a directory that would take long to read. Raises Unusable."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - MOST_BEHIND_END))
        behind = file.read()
    at = behind.rfind(b"PK\x05\x06")
    if at < 0 or len(behind) - at < END.size:
        raise Unusable(f"{path} is not a zip archive: it has no end")
    _signature, _disk, _first, _here, members, directory, _place, _comment = END.unpack_from(
        behind, at
    )
    if members > MEMBERS or directory > DIRECTORY_BYTES:
        raise Unusable(f"{path} holds more than {MEMBERS:,} files")
