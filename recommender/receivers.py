"""Announcements of the catalogue → rows of work; nothing else."""

from catalog.signals import feedback_recorded, item_changed
from recommender import jobs


def connect() -> None:
    item_changed.connect(embed_items, dispatch_uid="recommender.embed_items")
    feedback_recorded.connect(learn_people, dispatch_uid="recommender.learn_people")


def embed_items(item_ids: list[int], **_: object) -> None:
    jobs.request("embed", item_ids)


def learn_people(user_ids: list[int], **_: object) -> None:
    jobs.request("learn", user_ids)
