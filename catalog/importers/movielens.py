"""The data sets of MovieLens: latest and latest-small (CSV), 100k (u.data, u.item), 1M (*.dat).

Source: Harper & Konstan 2015, doi:10.1145/2827872. Titles are turned into the order in which they
are said, genres into categories with names in English and Chinese; people come from the ratings.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.text import slugify

from catalog.importers.bulk import Load, Report
from catalog.importers.reading import Lines, Unusable, find, open_lines, read_header, read_rows
from catalog.text import clean

SOURCE = "movielens"
KIND = "film"
TERMS = (
    "MovieLens ratings: for research, not for commercial use without permission of GroupLens;"
    " cite F. M. Harper and J. A. Konstan 2015, The MovieLens Datasets, doi:10.1145/2827872."
)
EXPECTED = "ratings.csv and movies.csv, or u.data and u.item, or ratings.dat and movies.dat"

GENRES = {  # as MovieLens writes it: its names
    "Action": {"en": "Action", "zh": "动作"},
    "Adventure": {"en": "Adventure", "zh": "冒险"},
    "Animation": {"en": "Animation", "zh": "动画"},
    "Children": {"en": "Children", "zh": "儿童"},
    "Comedy": {"en": "Comedy", "zh": "喜剧"},
    "Crime": {"en": "Crime", "zh": "犯罪"},
    "Documentary": {"en": "Documentary", "zh": "纪录片"},
    "Drama": {"en": "Drama", "zh": "剧情"},
    "Fantasy": {"en": "Fantasy", "zh": "奇幻"},
    "Film-Noir": {"en": "Film Noir", "zh": "黑色电影"},
    "Horror": {"en": "Horror", "zh": "恐怖"},
    "IMAX": {"en": "IMAX", "zh": "IMAX"},
    "Musical": {"en": "Musical", "zh": "歌舞"},
    "Mystery": {"en": "Mystery", "zh": "悬疑"},
    "Romance": {"en": "Romance", "zh": "爱情"},
    "Sci-Fi": {"en": "Science Fiction", "zh": "科幻"},
    "Thriller": {"en": "Thriller", "zh": "惊悚"},
    "War": {"en": "War", "zh": "战争"},
    "Western": {"en": "Western", "zh": "西部"},
}
RENAMED = {"Children's": "Children"}
NO_GENRE = {"", "(no genres listed)", "unknown"}

RATINGS = ["userid", "movieid", "rating", "timestamp"]
MOVIES = ["movieid", "title", "genres"]
U_ITEM_GENRES = ["unknown", *(genre for genre in GENRES if genre != "IMAX")]  # in this order
U_ITEM = ["movieid", "title", "released", "video", "url", *U_ITEM_GENRES]
LAYOUTS = (  # each file with its separator and columns; None is CSV with a header
    (("movies.csv", None, MOVIES), ("ratings.csv", None, RATINGS)),
    (("u.item", "|", U_ITEM), ("u.data", "\t", RATINGS)),
    (("movies.dat", "::", MOVIES), ("ratings.dat", "::", RATINGS)),
)
ITEM_FIELDS = ("title", "published", "categories")
FEEDBACK_FIELDS = ("person", "item", "value", "at")

YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
ARTICLES = (
    "the|a|an|le|la|les|l'|un|une|il|lo|gli|i|uno|una|el|los|las|der|die|das|den|det|ein|eine|o|os"
)
TURNED = re.compile(rf"^(.+), ({ARTICLES})$", re.IGNORECASE)
IN_BRACKETS = re.compile(r"\(([^()]*)\)")


def load(job: Load, path: Path, *, kind: str = "", hide_missing: bool = False) -> Iterator[Report]:
    """Load the films, people and ratings of a folder. Raises Unusable."""
    (movies_file, *movies), (ratings_file, *ratings) = layout_of(path)
    job.categories(genre_categories())
    encoding = "utf-8" if movies[0] is None else "latin-1"
    with open_lines(movies_file, encoding) as lines:
        films = films_of(lines, *movies)
        yield job.items(
            lines.name, films, ITEM_FIELDS, kind=kind or KIND, hide_missing=hide_missing
        )
    with open_lines(ratings_file, encoding) as lines:
        rows = cells_of(lines, *ratings, RATINGS)
        yield from job.feedback(lines.name, rows, FEEDBACK_FIELDS, kind="rating", makes_people=True)


def layout_of(path: Path) -> list[tuple]:
    """(path, separator, columns) of the films and of the ratings. Raises Unusable."""
    for layout in LAYOUTS:
        files = [(find(path, name), *rest) for name, *rest in layout]
        if all(file for file, *_ in files):
            return files
    raise Unusable(f"{path} is not a folder with {EXPECTED}")


def genre_categories() -> dict[str, dict[str, str]]:
    return {slugify(names["en"]): names for names in GENRES.values()}


# --- rows ---------------------------------------------------------------------------------------


def cells_of(
    lines: Lines, separator: str | None, columns: list[str], wanted: list[str]
) -> Iterator[tuple]:
    """(line, fault, *the cells of the wanted columns); a row with a fault has empty ones."""
    if separator is None:
        columns, rows = read_header(lines, f"expected {', '.join(columns)}")
        if missing := [name for name in wanted if name not in columns]:
            raise Unusable(
                f"{lines.name} has no column {', '.join(missing)}; it has {', '.join(columns)}"
            )
    else:
        rows = read_rows(lines, separator)
    places, width = [columns.index(name) for name in wanted], len(columns)
    for line, cells, fault in rows:
        if not fault and len(cells) != width:
            fault = f"not {width} cells"
        yield line, fault, *(None if fault else cells[place].strip() or None for place in places)


def films_of(lines: Lines, separator: str | None, columns: list[str]) -> Iterator[tuple]:
    """Rows with ITEM_FIELDS. In u.item each genre is a column of its own, 1 or 0."""
    if "genres" in columns:
        for row in cells_of(lines, separator, columns, MOVIES):
            yield film_row(*row)
    else:
        wanted = ["movieid", "title", *U_ITEM_GENRES]
        for line, fault, film, title, *flags in cells_of(lines, separator, columns, wanted):
            genres = [
                genre for genre, flag in zip(U_ITEM_GENRES, flags, strict=True) if flag == "1"
            ]
            yield film_row(line, fault, film, title, "|".join(genres))


def film_row(
    line: int, fault: str, film: str | None, title: str | None, genres: str | None
) -> tuple:
    title, year = split_year(clean(title or ""))
    return line, fault, film, natural(title) or None, year, category_names(genres or "")


# --- titles and genres ------------------------------------------------------------------------


def split_year(title: str) -> tuple[str, str | None]:
    """
    >>> split_year("Toy Story (1995)"), split_year("Heat")
    (('Toy Story', '1995'), ('Heat', None))
    """
    found = YEAR.search(title)
    return (title[: found.start()], found[1]) if found else (title, None)


def natural(title: str) -> str:
    """The title in the order in which it is said.

    >>> natural("City of Lost Children, The (Cité des enfants perdus, La)")
    'The City of Lost Children (La Cité des enfants perdus)'
    """
    main, *others = names_of(title)
    return " ".join([main, *(f"({other})" for other in others)])


def names_of(title: str) -> list[str]:
    """The title itself, then its other names in brackets, each in the order in which it is said.

    >>> names_of("Seven (a.k.a. Se7en)"), names_of("Professional, The (Léon)")
    (['Seven', 'a.k.a. Se7en'], ['The Professional', 'Léon'])
    """
    main = " ".join(IN_BRACKETS.sub(" ", title).split())
    names = [main, *IN_BRACKETS.findall(title)] if main else [title]
    return [said(name.strip()) for name in names if name.strip()] or [""]


def said(name: str) -> str:
    """
    >>> said("Matrix, The"), said("Avventura, L'")
    ('The Matrix', "L'Avventura")
    """
    found = TURNED.match(name)
    if not found:
        return name
    space = "" if found[2].endswith("'") else " "
    return f"{found[2]}{space}{found[1]}"


def category_names(genres: str) -> list[str]:
    """The English names of genres that stand between bars.

    >>> category_names("Children's|Sci-Fi"), category_names("(no genres listed)")
    (['Children', 'Science Fiction'], [])
    """
    found = [RENAMED.get(genre, genre) for genre in map(clean, genres.split("|"))]
    return list(
        dict.fromkeys(
            GENRES[genre]["en"] if genre in GENRES else genre
            for genre in found
            if genre not in NO_GENRE
        )
    )
