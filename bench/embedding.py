"""Items embedded as a worker does it, beside sentence-transformers on the same model and texts.

    python -m bench.embedding ITEMS ROUNDS

Makes a scratch database, asks for the vectors of ITEMS made items, and has them taken, claimed,
read, encoded, centred, written and closed by the worker's own task, in this process; beside
SentenceTransformer.encode(batch_size=32) of what the items say, which writes nothing. In TURNS
turns on the same thread, so that what else the machine does meets both. ROUNDS is for other
benches.
"""

import os
import sys
import time

import numpy as np

from bench.site import scratch_database
from recommender.embeddings.text import GENERIC_TEXTS

TURNS = 5
WORDS = 25  # the median of a text: about 40 tokens, as of the demo's films
SPREAD = 0.6  # of the logarithm of its length


def descriptions(n: int, *, seed: int = 0) -> list[str]:
    """Texts of real words in both languages, of the lengths of real ones, no two of them equal."""
    rng = np.random.default_rng(seed)
    # Chinese has no spaces: its "words" here are whole sentences, of which the short ones do.
    words = {word for text in GENERIC_TEXTS for word in text.split() if len(word) <= 12}
    words = np.array(sorted(words))
    lengths = np.clip(rng.lognormal(np.log(WORDS), SPREAD, n), 3, 300).astype(int)
    return [" ".join(rng.choice(words, length)) for length in lengths]


def main(n_items: int) -> None:
    import django

    django.setup()
    # The threads of a worker, for both: the encoder sets what it finds here.
    os.environ.setdefault("TORCH_THREADS", "1")
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from sentence_transformers import SentenceTransformer

    from catalog.models import Item
    from recommender import embed, encoders, jobs, store, tasks
    from recommender.embeddings.encoder import find_folder

    call_command("migrate", verbosity=0)
    Item.objects.bulk_create(
        Item(title=f"Item {n}", description=text, language="en")
        for n, text in enumerate(descriptions(n_items))
    )
    ids = list(Item.objects.order_by("pk").values_list("pk", flat=True))
    space = embed.create_space()
    model = encoders.encoder_of(space)
    theirs = SentenceTransformer(
        str(find_folder(settings.EMBEDDING_MODEL, settings.MODELS_FOLDER)), device="cpu"
    )
    theirs.max_seq_length = model.settings["max_length"]
    prompt = model.settings["prompts"]["item"]

    def by_worker(part: list[int]) -> None:
        while messages := [job_ids for kind, job_ids in jobs.take() if kind == "embed"]:
            for job_ids in messages:
                tasks.embed(job_ids)
        assert jobs.open_jobs("embed") == 0, "a job failed: see the log"

    def by_them(texts: list[str]) -> np.ndarray:
        return theirs.encode(texts, prompt=prompt, batch_size=32, show_progress_bar=False)

    by_them(["kettle"] * 32)
    took = {"ours": 0.0, "theirs": 0.0}
    furthest = 0.0
    for part in np.array_split(np.array(ids), TURNS):
        part = part.tolist()
        jobs.request("embed", part)
        begun = time.perf_counter()
        by_worker(part)
        took["ours"] += time.perf_counter() - begun
        texts = [store.text_of(content) for content in store.contents(part)]
        begun = time.perf_counter()
        rows = by_them(texts)
        took["theirs"] += time.perf_counter() - begun
        some = model.encode(texts[:20], role="item")
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        furthest = max(furthest, float(np.abs(some - rows[:20]).max()))
    assert store.fill(space)[0] == n_items
    assert furthest < 1e-5, f"the vectors differ by {furthest}"
    ours, beside = (n_items / seconds for seconds in took.values())
    print(f"| {n_items:,} | {ours:.1f} | {beside:.1f} | {ours / beside:.2f} | {furthest:.0e} |")
    connection.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]))
