"""What ours is compared with: a script for each library, run in an environment of its own.

A script reads train.csv, valid.csv and items.csv, never the test; chooses its settings by NDCG@10
on valid over a small grid, learns again from both, and writes lists as a CSV.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A system by name: its module in this folder, which of the module's, and what it needs.

    requirements  a file in this folder; empty: the environment of the project
    """

    name: str
    module: str
    variant: str
    requirements: str = ""


PEERS = (
    Peer("implicit ALS", "implicit", "als", "implicit.txt"),
    Peer("implicit item-kNN, BM25", "implicit", "bm25", "implicit.txt"),
    Peer("RecTools EASE", "rectools", "ease", "rectools.txt"),
    Peer("RecTools item-kNN, cosine", "rectools", "knn", "rectools.txt"),
    Peer("LensKit item-kNN", "lenskit", "knn", "lenskit.txt"),
    Peer("popularity", "baselines", "popularity"),
    Peer("text alone, mean", "baselines", "text"),
    Peer("text alone, ridge", "baselines", "ridge"),
)
