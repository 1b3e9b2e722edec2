"""People of whom every text is a word that nobody else has, and who used every feature."""

import pytest
from django.db import connection
from django.test import Client

from catalog import exporting, guests, services
from catalog.models import Feedback, User
from recommender import begin, embed, interests, learn, notice, steer, store
from recommender.recommend import recommend
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person
from tests.faults.conftest import home  # noqa: F401


@pytest.fixture
def shop(db):
    items = [
        make_item(f"{kind} {n}", categories=[kind], creator=f"{kind} maker {n % 5}")
        for n in range(8)
        for kind in ("kettle", "boots")
    ]
    embed_and_learn()
    return items


@pytest.fixture
def version(shop):
    """A model that was learned from three other people."""
    for n in range(3):
        person = make_person(f"crowd{n}")
        for item in shop[:6]:
            import_feedback(person, item)
    embed_and_learn()


def busy(name: str, shop) -> tuple[User, list[str]]:
    """Somebody who used everything, and the words by which all that is theirs is known."""
    person, guest = make_person(name), guests.make_guest()
    services.set_consent(guest, True)
    begin.say(guest.pk, f"{name}guest boots")
    guests.merge_guest(guest, person)
    words = [name, str(guest.uuid)]

    def word(of: str) -> str:
        words.append(f"{name}{of}")
        return words[-1]

    services.rename(person, word("name"))
    for kind, item in zip(Feedback.Kind, shop, strict=False):
        value = {"rating": 4.0, "dwell": 12.0}.get(kind)
        text = f"love it, {word('comment')}" if kind == "comment" else ""
        give(person, item, kind, value=value, text=text)
    begin.say(person.pk, f"{word('wish')} kettles")
    begin.encode_wishes([person.pk])
    steer.steer(person.pk, action="more", kind="category", target="kettle")
    steer.tune(person.pk, novelty=0.5)
    served = recommend(person.pk)
    notice.notice(person.pk, [notice.Told(served.id, [1, 2])])
    learn.read_comments([person.pk])
    learn.refresh_person(person.pk)
    interests.choose(person.pk, store.told_interests(person.pk)[0].id, "off")
    lamp = make_item("lamp lamp lamp")
    embed.embed_everything()
    give(person, lamp)
    learn.refresh_person(person.pk)
    client_of(person)
    person.totpdevice_set.create()
    Client().force_login(person)
    exporting.ask(person)
    services.retract_feedback(person, give(person, shop[-1]).uuid)
    words.append(str(person.uuid))
    return person, words


def hits(words: list[str]) -> dict[str, list[str]]:
    """Tables in which a word stands, of all tables there are."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
            text = cursor.fetchone()[0].lower()
            if there := [word for word in words if word.lower() in text]:
                found[table] = there
    return found


def rows_of(user_id: int) -> dict[str, int]:
    """Tables in which a foreign key leads to a person, with how many rows do."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, attname FROM pg_constraint"
            " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
            " WHERE contype = 'f' AND confrelid = 'catalog_user'::regclass"
        )
        for table, column in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", [user_id])
            if count := cursor.fetchone()[0]:
                found[table] = count
    return found
