"""An encoder that remembers on disk what it has encoded, for runs that begin anew each time."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recommender.embeddings.encoder import Encoder, Role
from recommender.embeddings.fingerprint import fingerprint

MOST_VECTORS = 200_000  # the oldest make room; 1.5 kB each of 384 dimensions
ASKED_AT_ONCE = 500


class CachedEncoder:
    """The vectors of another encoder, to the bit; one process at a time writes."""

    def __init__(self, encoder: Encoder, file: Path, *, most: int = MOST_VECTORS):
        """file  made where there is none; one that is damaged is made anew"""
        self._encoder, self._most = encoder, most
        self.name, self.dimension = encoder.name, encoder.dimension
        self.digest, self.settings = encoder.digest, encoder.settings
        self.encoded = 0  # texts that had to be encoded
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(file)
        except sqlite3.DatabaseError:
            file.unlink()
            self._open(file)

    def encode(self, texts: Sequence[str], *, role: Role) -> np.ndarray:
        marks = [fingerprint(self.digest, f"{role}\0{text}") for text in texts]
        known = self._read(marks)
        new = {mark: text for mark, text in zip(marks, texts, strict=True) if mark not in known}
        if new:
            rows = self._encoder.encode(list(new.values()), role=role)
            known |= dict(zip(new, rows, strict=True))
            self._write({mark: known[mark] for mark in new})
            self.encoded += len(new)
        return np.array([known[mark] for mark in marks], np.float32).reshape(-1, self.dimension)

    def _open(self, file: Path) -> None:
        self._database = sqlite3.connect(file, timeout=60)
        with self._database as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS vectors"
                " (n INTEGER PRIMARY KEY, mark BLOB UNIQUE, vector BLOB)"
            )

    def _read(self, marks: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        found = {}
        for start in range(0, len(marks), ASKED_AT_ONCE):
            some = marks[start : start + ASKED_AT_ONCE]
            places = ",".join("?" * len(some))
            query = f"SELECT mark, vector FROM vectors WHERE mark IN ({places})"
            for mark, vector in self._database.execute(query, some):
                found[mark] = np.frombuffer(vector, np.float32)
        return found

    def _write(self, vectors: dict[bytes, np.ndarray]) -> None:
        with self._database as database:
            database.executemany(
                "INSERT OR REPLACE INTO vectors (mark, vector) VALUES (?, ?)",
                [(mark, row.astype(np.float32).tobytes()) for mark, row in vectors.items()],
            )
            database.execute(
                "DELETE FROM vectors WHERE n <= (SELECT max(n) FROM vectors) - ?", [self._most]
            )
