"""Who asks for it is gone at once, and a moment later nothing is left of them but an audit id."""

from contextlib import suppress
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import erasing, exporting, guests, services
from catalog.kept import erased_id
from catalog.models import Archive, ArchivePart, Consent, Erasure, Feedback, Session, User
from catalog.services import Refused
from recommender import begin, forget, jobs, learn, notice, steer, store
from recommender.models import Candidates, Interest, Job, ModelVersion, Popularity, Served, Wish
from recommender.recommend import recommend
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person
from tests.privacy.conftest import busy, hits, rows_of

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"
PASSWORD = {"password": "a password of alice"}


def erase(client: APIClient, body=PASSWORD):
    return client.delete(ME, body, format="json")


def work() -> None:
    """The jobs of erasing that wait, as a worker does them."""
    for job in Job.objects.filter(kind="erase", done_at=None):
        forget.erase_rows(job.key)


def test_nothing_is_left_of_a_person_who_used_everything(shop, version, as_bob):
    sam, words = busy("sentinelsam", shop)
    exporting.make(Archive.objects.get(user=sam).pk)
    assert hits(words).keys() >= {"catalog_user", "catalog_feedback", "recommender_wish"}
    before = rows_of(sam.pk)
    assert len(before) > 10
    receipt = erase(client_of(sam)).json()
    work()
    assert hits(words) == {}
    assert rows_of(sam.pk) == {}
    assert not Job.objects.filter(kind__in=Job.OF_PEOPLE, key=sam.pk).exists()
    assert not ArchivePart.objects.exists()
    found = as_bob.get(f"/api/v1/erasures/{receipt['id']}/").json()
    assert found["state"] == "erased"
    assert found["counts"]["catalog.Feedback"] == before["catalog_feedback"]
    assert found["counts"]["recommender.Served"] == before["recommender_served"]
    assert {name for name, count in found["counts"].items() if not count} <= {"admin.LogEntry"}


def test_the_next_request_finds_nobody(as_alice, alice, shop):
    give(alice, shop[0])
    web, other = Client(), client_of(alice)
    web.force_login(alice)
    answer = erase(as_alice)
    assert answer.status_code == 202
    assert answer.json()["state"] == "erasing"
    assert answer["Location"].endswith(f"/api/v1/erasures/{answer.json()['id']}/")
    for client in (as_alice, other):
        assert is_problem(client.get(ME), 401)
    assert web.get("/account/").status_code == 302
    again = {"email": "alice@example.org"} | PASSWORD
    assert APIClient().post("/api/v1/auth/login/", again, format="json").status_code == 401
    assert (User.objects.get(pk=alice.pk).email, User.objects.get(pk=alice.pk).name) == (None, "")


def test_a_members_password_is_asked_for_and_a_guest_has_none(as_alice, alice, db):
    for wrong in ({}, {"password": "wrong"}):
        assert is_problem(erase(as_alice, wrong), 400)
    assert User.objects.get(pk=alice.pk).erased_at is None
    assert is_problem(erase(as_alice, PASSWORD | {"user": 1}), 400)
    guest = guests.make_guest()
    assert client_of(guest).delete(ME).status_code == 202
    assert User.objects.get(pk=guest.pk).erased_at is not None


def test_a_receipt_is_found_by_its_id_alone(as_alice, alice):
    erasure = Erasure.objects.get(uuid=erase(as_alice).json()["id"])
    assert is_problem(APIClient().get(f"/api/v1/erasures/{alice.uuid}/"), 404)
    text = APIClient().get(f"/api/v1/erasures/{erasure.uuid}/").content.decode()
    assert "alice" not in text
    assert erasure.uuid.version == 4  # one id says nothing of another


def test_twice_is_once(alice, shop):
    give(alice, shop[0])
    first = erasing.erase(alice.pk)
    work()
    assert erasing.erase(alice.pk).pk == first.pk
    forget.erase_rows(first.pk)
    assert Erasure.objects.get().counts["catalog.Feedback"] == 1


def test_popularity_is_learned_anew_without_them_and_the_receipt_says_what_models_remember(
    alice, bob, shop
):
    give(alice, shop[0])
    give(bob, shop[1])
    give(bob, shop[3])
    give(alice, shop[3])
    embed_and_learn()
    erasing.erase(alice.pk)
    work()
    assert {"popularity", "exposure"} <= set(Job.objects.values_list("kind", flat=True))
    learn.refresh_popularity()
    assert not Popularity.objects.filter(item=shop[0], score__gt=0).exists()
    [version] = ModelVersion.objects.all()
    [named] = Erasure.objects.get().versions
    assert (named["name"], named["in_use"]) == (version.name, True)
    assert list(store.events().people) == [bob.pk] * 2


# --- nobody is written back ---------------------------------------------------------------------


def test_work_in_flight_writes_nobody_back(alice, shop, monkeypatch):
    """The person is erased at the last moment before each of the writes."""
    give(alice, shop[0])
    writers = {
        "put_interests": lambda: learn.refresh_person(alice.pk),
        "put_candidates": lambda: learn.refresh_person(alice.pk),
        "put_factors": lambda: learn.refresh_person(alice.pk),
        "put_served": lambda: recommend(alice.pk),
    }
    assert erase_within(alice, writers, monkeypatch) == writers.keys()
    assert rows_of(alice.pk) == {}
    assert hits([str(alice.uuid)]) == {}


def erase_within(person: User, writers: dict, monkeypatch) -> set[str]:
    """Run each with an erasure just before it writes; names of those that came to write."""
    came = set()
    for name, run in writers.items():
        User.objects.filter(pk=person.pk).update(erased_at=None, is_active=True)
        Erasure.objects.all().delete()
        write = getattr(store, name)

        def erased_before(*args, name=name, write=write, **kwargs):
            came.add(name)
            forget.erase_rows(erasing.erase(person.pk).pk)
            return write(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(store, name, erased_before)
            with suppress(Refused):
                run()
    return came


def test_what_is_told_after_the_tombstone_is_kept_nowhere(alice, shop):
    served = recommend(alice.pk)
    erasing.erase(alice.pk)
    forgotten = [
        lambda: give(alice, shop[0]),
        lambda: services.set_consent(alice, True),
        lambda: begin.say(alice.pk, "quiet kettles"),
        lambda: steer.tune(alice.pk, novelty=0.3),
        lambda: notice.notice(alice.pk, [notice.Told(served.id, [1])]),
        lambda: exporting.ask(alice),
        lambda: recommend(alice.pk),
        lambda: guests.merge_guest(guests.make_guest(), alice),
    ]
    work()
    for tell in forgotten:
        with pytest.raises(Refused):
            tell()
    jobs.request("learn", [alice.pk])
    assert rows_of(alice.pk) == {}
    assert not Job.objects.filter(kind="learn", key=alice.pk).exists()


def test_what_was_learned_of_somebody_who_changed_their_mind_meanwhile_is_dropped(
    alice, shop, monkeypatch
):
    give(alice, shop[0])
    find = store.find

    def withdrawn_before(*args, **kwargs):
        services.set_consent(alice, False)
        return find(*args, **kwargs)

    monkeypatch.setattr(store, "find", withdrawn_before)
    learn.refresh_person(alice.pk)
    assert not Candidates.objects.exists()
    monkeypatch.undo()
    learn.refresh_person(alice.pk)
    assert Candidates.objects.get().item_ids == []
    assert not Interest.objects.exists()


def test_an_import_brings_nobody_back(tmp_path, shop):
    people, ratings = tmp_path / "people.csv", tmp_path / "feedback.csv"
    people.write_text("id,name\nu1,Ann\nu2,Ben\n")
    (tmp_path / "items.csv").write_text("id,title\ni1,Kettle\n")
    ratings.write_text("user,item,kind\nu1,i1,like\nu2,i1,like\n")
    command("load_catalog", str(tmp_path), source="shop", verbosity=0)
    ann = User.objects.get(source="shop", external_id="u1")
    erasing.erase(ann.pk)
    work()
    assert User.objects.get(pk=ann.pk).external_id == erased_id("shop", "u1")
    said = command("load_catalog", str(tmp_path), source="shop", verbosity=0)
    assert said.count("this person was erased") == 2
    assert set(
        User.objects.filter(source="shop", erased_at=None).values_list("name", flat=True)
    ) == {"Ben"}
    assert Feedback.objects.count() == 1


# --- operators ----------------------------------------------------------------------------------


def command(name: str, *args, **options) -> str:
    out = StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue()


def test_an_operator_sees_first_what_would_be_erased(alice, shop):
    give(alice, shop[0])
    said = command("erase_person", "alice@example.org")
    assert "catalog.Feedback 1" in said
    assert "Nothing was erased" in said
    assert (Feedback.objects.count(), User.objects.get().erased_at) == (1, None)
    assert "receipt" in command("erase_person", str(alice.uuid), yes=True)
    assert (Feedback.objects.count(), Erasure.objects.get().by) == (0, "operator")
    with pytest.raises(CommandError, match="nobody"):
        command("erase_person", "alice@example.org")


def test_a_restored_backup_forgets_again_whom_the_site_forgot(alice, shop, tmp_path):
    erased = tmp_path / "erased"
    erasing.erase(alice.pk)
    erased.write_text(command("erase_person", list=True))
    Erasure.objects.all().delete()
    User.objects.filter(pk=alice.pk).update(erased_at=None, name="Alice", is_active=True)
    command("erase_person", again=erased, yes=True)
    assert User.objects.get(pk=alice.pk).name == ""


def test_the_log_of_operators_keeps_what_was_done_and_not_to_whom(alice, bob):
    LogEntry.objects.create(
        user=bob, content_type=ContentType.objects.get_for_model(User), object_id=str(alice.pk),
        object_repr=str(alice), action_flag=CHANGE, change_message="alice",
    )  # fmt: skip
    erasing.erase(alice.pk)
    work()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.change_message) == (bob, "", "")


# --- the page -----------------------------------------------------------------------------------


def test_the_page_asks_plainly_and_shows_the_receipt(alice):
    web = Client()
    web.force_login(alice)
    assert "nobody can bring it back" in web.get("/account/erase/").content.decode()
    assert 'href="/account/erase/"' in web.get("/account/").content.decode()
    for wrong in ({}, PASSWORD, {"password": "wrong", "sure": "on"}):
        assert (
            "You are erased" not in web.post("/account/erase/", wrong, follow=True).content.decode()
        )
    assert User.objects.get().erased_at is None
    answer = web.post("/account/erase/", PASSWORD | {"sure": "on"})
    assert answer["Location"] == f"/erased/{Erasure.objects.get().uuid}/"
    assert "is being erased" in web.get(answer["Location"]).content.decode()
    work()
    assert "Rows that are gone: 2" in web.get(answer["Location"]).content.decode()
    assert not Session.objects.exists()


def test_a_guest_is_erased_without_a_password(visitor, shop):
    visitor.post("/consent/", {"agrees": "yes"})
    assert "Erase it" in visitor.get("/").content.decode()
    assert 'type="password"' not in visitor.get("/account/erase/").content.decode()
    assert visitor.post("/account/erase/", {"sure": "on"}).status_code == 302
    work()
    assert not Consent.objects.exists()
    User.objects.update(created_at=timezone.now() - timedelta(days=99))
    assert forget.forget_guests() == 1  # the tombstone of a guest goes too
    assert (User.objects.count(), Served.objects.filter(user__isnull=False).count()) == (0, 0)
    assert not Wish.objects.exists()
    assert Erasure.objects.count() == 1


@pytest.fixture
def visitor(db) -> Client:
    return Client()


def test_items_and_other_people_are_untouched(alice, bob, shop):
    give(bob, shop[0])
    items = len(shop)
    erasing.erase(alice.pk)
    work()
    assert Feedback.objects.get().user == bob
    assert make_item("one more").pk
    assert make_person("carol").pk
    assert type(shop[0]).objects.count() == items + 1


# --- the admin ----------------------------------------------------------------------------------


def asked_in_admin(operator: User, *people: User, **more) -> str:
    web = Client()
    web.force_login(operator)
    form = {"action": "erase", "_selected_action": [person.pk for person in people]} | more
    address = reverse("admin:catalog_user_changelist")
    return web.post(address, form, follow=True).content.decode()


def test_the_admin_asks_first_and_never_erases_who_asks_or_who_may_do_more(alice, bob):
    root = make_person("root", is_staff=True, is_superuser=True)
    clerk = make_person("clerk", is_staff=True)
    assert "Erase with all" not in asked_in_admin(clerk, alice)
    clerk.user_permissions.set(
        Permission.objects.filter(codename__in=("delete_user", "view_user", "change_user"))
    )
    page = asked_in_admin(clerk, alice, root, clerk)
    assert "Nobody can bring it back." in page
    assert not Erasure.objects.exists()
    asked_in_admin(clerk, alice, root, clerk, confirmed="yes")
    assert Erasure.objects.get().person_id == alice.pk
    asked_in_admin(root, clerk, confirmed="yes")
    assert Erasure.objects.count() == 2
    work()
    entry = LogEntry.objects.get(object_id=str(alice.pk))
    assert (entry.user_id, entry.object_repr) == (clerk.pk, "")
    assert User.objects.get(pk=bob.pk).erased_at is None
