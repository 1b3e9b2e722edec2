"""Which picture belongs to which item, and where it lies."""

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from catalog.models import Item
from catalog.pictures.fetch import NotFetched, fetch
from catalog.pictures.shrink import NotShrunk, shrink

log = logging.getLogger(__name__)
NAME = re.compile(r"[0-9a-f]{40}\.jpg")


def refresh(item_ids: Sequence[int]) -> int:
    """Have for each item the picture that its address tells of, or none; how many came new.

    An address whose picture is here is not asked again: another picture has another address.
    """
    made = 0
    for item in Item.objects.filter(pk__in=item_ids).only("image_url", "picture").order_by("pk"):
        name = name_of(item.image_url) if item.image_url and _has(item.image_url) else ""
        if item.picture == name:
            continue
        # Unless it changed meanwhile, which is work of its own.
        same = Item.objects.filter(pk=item.pk, image_url=item.image_url)
        made += same.update(picture=name, updated_at=Now()) if name else 0
        if not name:
            same.update(picture="", updated_at=Now())
    return made


def name_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:40] + ".jpg"


def path_of(name: str) -> Path | None:
    """Where a picture lies, if that is a name of one and it is there."""
    path = settings.PICTURES_FOLDER / name[:2] / name
    return path if NAME.fullmatch(name) and path.is_file() else None


def _has(address: str) -> bool:
    """Whether the picture of an address is here, now."""
    name = name_of(address)
    if path_of(name):
        return True
    try:
        small = shrink(fetch(address))
    except (NotFetched, NotShrunk) as error:
        log.info("no picture: %s", error)
        return False
    folder = settings.PICTURES_FOLDER / name[:2]
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{name}.{os.getpid()}"
    unfinished.write_bytes(small)
    unfinished.replace(folder / name)
    return True
