"""What a person is taken to like: shown to them, switched off and on, and removed.

The next request obeys, since it reads what is switched off; what was learned follows.
"""

from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services import Refused, closed_account
from recommender import jobs, store
from recommender.candidates.silenced import members_of
from recommender.candidates.taste import read_taste
from recommender.models import InterestChoice

ON, OFF, REMOVED = "on", "off", "removed"
STATES = (ON, OFF, REMOVED)
MOST = 50  # switched off or removed, of one person
DEEP_HISTORY = 1000  # likes that are told apart by interest


def choose(user_id: int, uuid: UUID, state: str) -> bool:
    """Switch an interest on or off, or remove it; False if the person has no such interest.

    Raises Refused if the account is closed, or for more than MOST
    """
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise closed_account()
        learned = {row.uuid: row for row in store.interests_of(user_id)}
        choice = {row.uuid: row for row in store.interest_choices(user_id)}.get(uuid)
        if choice is None and uuid not in learned:
            return False
        if state == ON:
            if choice is not None:
                store.bring_back_interest(choice)
        else:
            choice = choice or _silence(user_id, uuid, list(learned.values()))
            store.mark_interest(choice, is_removed=state == REMOVED)
        jobs.request("learn", [user_id])
    return True


def _silence(user_id: int, uuid: UUID, learned: list) -> InterestChoice:
    """What is to be kept of an interest so that the next request does without it."""
    if len(store.interest_choices(user_id)) >= MOST:
        text = _("You can switch off at most %(most)d interests. Switch some on again first.")
        raise Refused("too_many", text % {"most": MOST}, "state")
    side = store.person_side(user_id, history=DEEP_HISTORY)
    history = side.history
    taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
    likes = store.touched(side.space, None, taste.items[taste.liked])
    number = [row.uuid for row in learned].index(uuid)
    centres = np.array([row.embedding for row in learned], dtype=np.float32)
    members, reach = members_of(number, centres, likes.known.vectors)
    return store.silence_interest(learned[number], np.array(likes.ids)[members], reach)
