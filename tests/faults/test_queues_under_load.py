"""With a worker for each queue, a backlog of one queue does not delay the work of another."""

import json
import secrets

import pytest
from django.conf import settings

from tests.faults.installation import wait_until
from tests.faults.test_nothing_is_lost import ITEMS, SlowEncoder, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
__all__ = ["site"]  # the fixture
EMBEDDED = "SELECT count(*) FROM recommender_itemembedding"
FOLLOWED = (
    "SELECT count(*) FROM recommender_candidates"
    " WHERE refreshed_at > (SELECT max(received_at) FROM catalog_feedback)"
)
WAITING = "SELECT count(*) FROM recommender_job WHERE kind = 'embed' AND done_at IS NULL"


def test_candidates_follow_a_like_while_items_wait_for_their_vectors(site, monkeypatch):
    monkeypatch.setattr(SlowEncoder, "seconds", 4.0)
    site.start_web()
    site.start_relay()
    for queue in settings.QUEUES:
        site.start_worker(queue)
    account = {"email": "ann@example.org", "password": secrets.token_urlsafe(12), "consent": True}
    token = json.loads(site.ask("POST", "auth/register/", account).data)["token"]
    items = json.loads(site.ask("GET", "items/?limit=5", token=token).data)["results"]
    wait_until(lambda: site.count(EMBEDDED) > 0, 90)  # its worker is at it
    took = []
    for item in items:
        body = {"item": item["id"], "kind": "like"}
        assert site.ask("POST", "feedback/", body, token).status == 201
        took.append(wait_until(lambda: site.count(FOLLOWED) > 0, 30))
    assert site.count(WAITING) > 0  # all the while
    assert sorted(took)[len(took) // 2] < 4
    monkeypatch.setattr(SlowEncoder, "seconds", 0.0)
    wait_until(lambda: site.count(EMBEDDED) == ITEMS, 120)
