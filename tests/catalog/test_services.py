"""Facts are written by services, and what must hold is held by the database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from catalog import services
from catalog.models import Attribute, Consent, Feedback, Item, User
from catalog.services import Given, Refused
from recommender.models import Job
from tests.factories import give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def kettle():
    return make_item("blue kettle")


def live(user, item):
    return list(
        Feedback.objects.filter(user=user, item=item, retracted_at=None, superseded_at=None)
        .order_by("id")
        .values_list("kind", flat=True)
    )


def test_the_same_id_with_the_same_body_gives_the_row_that_is_there(alice, kettle):
    given = Given(item=kettle.uuid, kind="like", uuid=uuid4())
    first, is_new = services.record_feedback(alice, given)
    again, is_new_again = services.record_feedback(alice, given)
    assert (first.pk, is_new, is_new_again) == (again.pk, True, False)
    assert Feedback.objects.count() == 1


def test_the_same_id_with_another_body_is_a_conflict(alice, kettle):
    given = Given(item=kettle.uuid, kind="like", uuid=uuid4())
    services.record_feedback(alice, given)
    with pytest.raises(Refused) as refusal:
        services.record_feedback(alice, Given(item=kettle.uuid, kind="hide", uuid=given.uuid))
    assert refusal.value.code == "conflict"
    assert live(alice, kettle) == ["like"]


def test_two_people_may_use_the_same_id(alice, bob, kettle):
    given = Given(item=kettle.uuid, kind="like", uuid=uuid4())
    assert services.record_feedback(alice, given)[1]
    assert services.record_feedback(bob, given)[1]


def test_the_latest_opinion_takes_the_place_of_the_former(alice, kettle):
    give(alice, kettle, "like")
    give(alice, kettle, "dislike")
    assert live(alice, kettle) == ["dislike"]


def test_an_opinion_that_comes_late_does_not_win(alice, kettle):
    give(alice, kettle, "like")
    give(alice, kettle, "dislike", occurred_at=datetime.now(UTC) - timedelta(hours=1))
    assert live(alice, kettle) == ["like"]


def test_a_view_has_no_part_in_the_slot_of_opinions(alice, kettle):
    give(alice, kettle, "like")
    give(alice, kettle, "view")
    give(alice, kettle, "save")
    assert live(alice, kettle) == ["like", "view", "save"]


def test_undo_brings_back_the_opinion_that_was_replaced(alice, kettle):
    import_feedback(alice, kettle, "rating", value=5, days_ago=90)
    row = give(alice, kettle, "dislike")
    services.retract_feedback(alice, row.uuid)
    assert live(alice, kettle) == ["rating"]


def test_undo_twice_is_undo_once(alice, kettle):
    row = give(alice, kettle)
    first = services.retract_feedback(alice, row.uuid)
    assert services.retract_feedback(alice, row.uuid).retracted_at == first.retracted_at


def test_nobody_undoes_what_another_said(alice, bob, kettle):
    row = give(alice, kettle)
    with pytest.raises(Refused) as refusal:
        services.retract_feedback(bob, row.uuid)
    assert refusal.value.code == "unknown_feedback"
    assert live(alice, kettle) == ["like"]


def test_a_clock_in_the_future_and_one_of_last_year_are_clamped(alice, kettle):
    now = datetime.now(UTC)
    ahead = give(alice, kettle, "view", occurred_at=now + timedelta(days=400))
    behind = give(alice, kettle, "view", occurred_at=now - timedelta(days=400))
    assert abs(ahead.occurred_at - now) < timedelta(minutes=1)
    assert abs(behind.occurred_at - (now - timedelta(days=7))) < timedelta(minutes=1)


def test_feedback_on_an_unknown_or_removed_item_changes_nothing(alice, kettle):
    services.remove_items([kettle.pk])
    before = Job.objects.filter(kind="learn").count()
    for uuid in (uuid4(), kettle.uuid):
        with pytest.raises(Refused) as refusal:
            services.record_feedback(alice, Given(item=uuid, kind="like"))
        assert refusal.value.code == "unknown_item"
    assert not Feedback.objects.exists()
    assert Job.objects.filter(kind="learn").count() == before


def test_a_closed_account_gives_no_feedback(alice, kettle):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(Refused) as refusal:
        give(alice, kettle)
    assert refusal.value.code == "no_account"


def test_the_fact_and_its_work_are_committed_together_or_not_at_all(alice, kettle):
    Job.objects.all().delete()

    def die_before_the_commit():
        with transaction.atomic():
            give(alice, kettle)
            assert Job.objects.filter(kind="learn", key=alice.pk).exists()
            raise RuntimeError("the process dies between the two")

    with pytest.raises(RuntimeError):
        die_before_the_commit()
    assert not Feedback.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("value", [None, -1.0, 0.4, 5.5, float("nan"), float("inf")])
def test_the_database_refuses_a_rating_off_the_scale(alice, kettle, value):
    with pytest.raises(IntegrityError), transaction.atomic():
        import_feedback(alice, kettle, "rating", value=value)


def test_the_database_refuses_a_second_live_opinion(alice, kettle):
    import_feedback(alice, kettle, "like")
    with pytest.raises(IntegrityError), transaction.atomic():
        import_feedback(alice, kettle, "dislike")


def test_an_address_is_taken_whatever_its_case(db):
    make_person("alice")
    with pytest.raises(Refused) as refusal:
        services.register(email="Alice@Example.ORG", password="correct horse battery")
    assert refusal.value.code == "email_taken"
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="ALICE@example.org")


def test_many_people_have_no_address(db):
    User.objects.create(kind="imported", source="films", external_id="1")
    User.objects.create(kind="imported", source="films", external_id="2")
    assert User.objects.filter(email=None).count() == 2


def test_one_external_id_is_one_person_within_a_source(db):
    User.objects.create(kind="imported", source="films", external_id="1")
    User.objects.create(kind="imported", source="shop", external_id="1")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(kind="imported", source="films", external_id="1")


def test_signing_up_keeps_what_was_agreed_to(db):
    with_consent = services.register(email="a@example.org", password="correct horse battery")
    services.register(email="b@example.org", password="correct horse battery", consent=False)
    assert [c.user_id for c in Consent.objects.all()] == [with_consent.pk]


def test_a_weak_password_makes_no_account(db):
    with pytest.raises(Refused) as refusal:
        services.register(email="a@example.org", password="password")
    assert refusal.value.field == "password"
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("attributes", "is_fine"),
    [
        ({"pages": 300}, True),
        ({"pages": "many"}, False),
        ({"pages": float("nan")}, False),
        ({"pages": True}, False),
        ({"colour": "red"}, False),
        (["pages"], False),
        ({"note": "x" * 17_000}, False),
    ],
)
def test_attributes_are_declared_and_of_their_type(db, attributes, is_fine):
    Attribute.objects.create(name="pages", type="number")
    Attribute.objects.create(name="note", type="text")
    if is_fine:
        assert services.check_attributes(attributes) == attributes
    else:
        with pytest.raises(Refused):
            services.check_attributes(attributes)


def test_saving_an_item_asks_for_its_embedding(db):
    item = make_item("steel kettle", categories=["kitchen"], creator="Ada")
    assert Job.objects.filter(kind="embed", key=item.pk, done_at=None).count() == 1
    assert [c.slug for c in item.categories.all()] == ["kitchen"]
    assert [c.name for c in item.creators.all()] == ["Ada"]


def test_removed_items_keep_their_rows(db, kettle):
    services.remove_items([kettle.pk])
    kettle.refresh_from_db()
    assert kettle.removed_at is not None
    assert not kettle.is_shown
    assert Item.objects.count() == 1
