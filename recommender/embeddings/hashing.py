"""An encoder without a model: texts that share words are near, for unit tests.

The hashing trick of Weinberger et al. 2009, arXiv:0902.2206, with four signed places a word
instead of one, so that two different words seldom fall on each other altogether.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from recommender.embeddings.encoder import EncoderError, Role
from recommender.embeddings.text import CJK

PLACES = 4
TOKENS = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
CJK_RUN = re.compile(rf"[{CJK}]+")


def tokens(text: str) -> list[str]:
    """Words in lower case; of a run of Chinese or kana its pairs, since it has no spaces.

    >>> tokens("Blue KETTLE, 科幻电影")
    ['blue', 'kettle', '科幻', '幻电', '电影']
    """
    found = []
    for run in TOKENS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if CJK_RUN.fullmatch(run) and len(run) > 1:
            found += [left + right for left, right in pairwise(run)]
        else:
            found.append(run)
    return found


class HashingEncoder:
    """Bags of hashed tokens as unit rows; the role makes no difference."""

    def __init__(self, dimension: int = 64):
        if dimension < PLACES:
            raise EncoderError(f"the hashing encoder needs a dimension of at least {PLACES}")
        self.name = "hashing"
        self.dimension = dimension
        self.digest = hashlib.sha256(f"hashing 1, {dimension}".encode()).hexdigest()
        self.settings = {"model": "hashing", "dimension": dimension, "normalize": True}

    def encode(self, texts: Sequence[str], *, role: Role) -> np.ndarray:
        rows = np.array([self._row(text) for text in texts], dtype=np.float32)
        return rows.reshape(len(texts), self.dimension)

    def _row(self, text: str) -> np.ndarray:
        row = sum((self._token(token) for token in tokens(text)), np.zeros(self.dimension))
        if not row.any():  # no word in it: one fixed direction, since a zero row is never found
            row = self._token("")
        return row / np.linalg.norm(row)

    def _token(self, token: str) -> np.ndarray:
        row = np.zeros(self.dimension)
        hashed = hashlib.blake2b(token.encode(errors="replace"), digest_size=8 * PLACES).digest()
        bounds = [place * self.dimension // PLACES for place in range(PLACES + 1)]
        for place, (low, high) in enumerate(pairwise(bounds)):
            number = int.from_bytes(hashed[8 * place : 8 * place + 8], "big")
            row[low + (number >> 1) % (high - low)] = 1 if number & 1 else -1
        return row
