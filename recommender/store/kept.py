"""What is kept of a person beside the facts: how each is handed over, and erased.

Ids of items become public ids and titles on the way out; vectors stay here.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from django.db import connection, models
from django.db.models import F

from catalog import personal_data
from catalog.kept import TOGETHER, read, removal, statement
from catalog.models import Archive, Item
from recommender.models import (
    Candidates,
    CommentSign,
    Interest,
    InterestChoice,
    Job,
    PersonFactors,
    Preference,
    SeenItem,
    SeenPlaces,
    Served,
    Steering,
    Wish,
)
from recommender.store.steering import targets


def _with_items(export: Callable[[int], Iterable[dict]], field: str = "item_ids"):
    """The same rows, with `items` in the place of ids of items."""

    def rows(user_id: int) -> Iterator[dict]:
        found = iter(export(user_id))
        while some := list(islice(found, TOGETHER // 10)):
            ids = {item for row in some for item in row[field]}
            named = {
                pk: {"id": uuid, "title": title}
                for pk, uuid, title in Item.objects.filter(pk__in=ids).values_list(
                    "pk", "uuid", "title"
                )
            }
            for row in some:
                items = [named[item] for item in row.pop(field) if item in named]
                yield row | {"items": items}

    return rows


def _seen(user_id: int) -> Iterator[dict]:
    for row in read(SeenItem, "item_id", "times", "last_at")(user_id):
        yield row | {"item_ids": [row.pop("item_id")]}


def _steering(user_id: int) -> Iterator[dict]:
    for row in read(Steering, "action", "kind", "target_id", "created_at")(user_id):
        found = targets(row["kind"], [row.pop("target_id")])
        yield row | {"target": next((target.name for target in found.values()), None)}


def _seen_places(user_id: int) -> Iterator[dict]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.list_id, s.places FROM recommender_seenplaces s"
            " JOIN recommender_served l ON l.id = s.list_id WHERE l.user_id = %s ORDER BY 1",
            [user_id],
        )
        for list_id, places in cursor:
            yield {"list": list_id, "places": places}


def _erase_jobs(user_id: int) -> int:
    """Also of archives: they are looked up before they go, as all here is erased in reverse."""
    archives = Archive.objects.filter(user_id=user_id).values_list("pk", flat=True)
    of_person = models.Q(kind__in=Job.OF_PEOPLE, key=user_id)
    of_archives = models.Q(kind="archive", key__in=list(archives))
    return Job.objects.filter(of_person | of_archives).delete()[0]


def register() -> None:
    for model, export in {
        Interest: read(Interest, "words", "weight", "learned_at"),
        InterestChoice: _with_items(
            read(InterestChoice, "words", "weight", "item_ids", "is_removed", "chosen_at")
        ),
        Candidates: _with_items(read(Candidates, "item_ids", "refreshed_at")),
        PersonFactors: read(PersonFactors, "folded_in_at", of_version=F("version__name")),
        Preference: read(
            Preference, "diversity", "novelty", "recency", "popularity", "chronological"
        ),
        Served: _with_items(
            read(Served, "id", "scenario", "settings", "item_ids", "report", "served_at")
        ),
        SeenItem: _with_items(_seen),
        Wish: read(Wish, "text", "sign", "created_at", "removed_at"),
        Steering: _steering,
    }.items():
        personal_data.register(model._meta.label, export, removal(model))
    personal_data.register(
        SeenPlaces._meta.label,
        _seen_places,
        statement(
            "DELETE FROM recommender_seenplaces s USING recommender_served l"
            " WHERE l.id = s.list_id AND l.user_id = %s"
        ),
    )
    personal_data.register(
        CommentSign._meta.label,
        read_signs,
        statement(
            "DELETE FROM recommender_commentsign s USING catalog_feedback f"
            " WHERE f.id = s.feedback_id AND f.user_id = %s"
        ),
    )
    personal_data.register(Job._meta.label, None, _erase_jobs)


def read_signs(user_id: int) -> Iterable[dict]:
    rows = CommentSign.objects.filter(feedback__user_id=user_id).order_by("pk")
    return rows.values("sign", of_feedback=F("feedback__uuid")).iterator(chunk_size=TOGETHER)


def versions_trained_with(user_id: int) -> list[dict]:
    """Versions that keep what they learned, and were trained after a person's first feedback."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.name, v.created_at, v.status = 'active' FROM recommender_modelversion v"
            " WHERE v.status <> 'retired' AND v.created_at > (SELECT min(received_at)"
            "   FROM catalog_feedback WHERE user_id = %s) ORDER BY v.id",
            [user_id],
        )
        return [
            {"name": name, "trained_at": moment.isoformat(), "in_use": in_use}
            for name, moment, in_use in cursor.fetchall()
        ]
