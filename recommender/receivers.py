"""Announcements of the catalogue → rows of work, or of another person; nothing else."""

from django.conf import settings

from catalog.signals import (
    archive_asked,
    feedback_recorded,
    item_changed,
    mail_wanted,
    person_erased,
    person_merged,
)
from recommender import begin, jobs, steer, store


def connect() -> None:
    item_changed.connect(embed_items, dispatch_uid="recommender.embed_items")
    feedback_recorded.connect(learn_people, dispatch_uid="recommender.learn_people")
    person_merged.connect(merge_person, dispatch_uid="recommender.merge_person")
    mail_wanted.connect(send_mails, dispatch_uid="recommender.send_mails")
    person_erased.connect(erase_person, dispatch_uid="recommender.erase_person")
    archive_asked.connect(make_archive, dispatch_uid="recommender.make_archive")


def embed_items(item_ids: list[int], **_: object) -> None:
    jobs.request("embed", item_ids)
    if settings.FETCH_IMAGES:
        jobs.request("image", item_ids)


def learn_people(user_ids: list[int], **_: object) -> None:
    jobs.request("learn", user_ids)


def send_mails(mail_ids: list[int], **_: object) -> None:
    jobs.request("email", mail_ids)


def merge_person(guest_id: int, member_id: int, **_: object) -> None:
    store.merge_person(guest_id, member_id, most_wishes=begin.MOST_WISHES, most_steering=steer.MOST)
    jobs.request("wish", [member_id])


def erase_person(erasure_id: int, **_: object) -> None:
    jobs.request("erase", [erasure_id])


def make_archive(archive_id: int, **_: object) -> None:
    jobs.request("archive", [archive_id])
