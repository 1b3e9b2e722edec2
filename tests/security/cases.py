"""A victim who used everything, and for each route whose it is. A new route is added here."""

from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from catalog import accounts, erasing, exporting
from catalog.models import Archive, Feedback, Item, ServerKey, User
from recommender import begin, embed, learn, steer, store
from recommender.models import Steering, Wish
from tests.conftest import client_of
from tests.factories import give, make_item, make_key, make_person
from tests.security.routes import METHODS, Asker, Case, Whose

MARK = "zqvictim"  # in all that the victim says
CUSTOMER = "customer-1"  # of a server, and nobody who signs in here
ADMIN = settings.ADMIN_PATH


@dataclass(frozen=True)
class Victim:
    """Somebody who used everything, with the ids of what is theirs."""

    person: User
    api: APIClient
    item: Item
    feedback: Feedback
    wish: Wish
    steering: Steering
    archive: Archive
    served: str

    @cached_property
    def secrets(self) -> list[str]:
        token = self.person.auth_token_set.get()
        rows = (self.person, self.feedback, self.wish, self.steering, self.archive, token)
        return [MARK, self.served, *(str(row.uuid) for row in rows)]

    @cached_property
    def server(self) -> APIClient:
        """With a key for all that there is."""
        return server_with(make_key())

    def client_for(self, route: str) -> Client:
        """Whoever may do what a route does."""
        if route.lstrip("/").startswith("api/v1/server/"):
            return self.server
        return self.api if route.lstrip("/").startswith("api/") else self.site

    @cached_property
    def site(self) -> Client:
        return signed_in(self.person)


def signed_in(person: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if person:
        client.force_login(person)
    return client


def quiet(client: APIClient) -> APIClient:
    client.raise_request_exception = False
    return client


def server_with(key: str) -> APIClient:
    client = quiet(APIClient())
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def make_victim() -> Victim:
    items = [
        make_item(f"kettle {n}", categories=["kitchen"], creator=f"Maker {n}") for n in range(6)
    ]
    person = make_person(MARK)
    give(person, items[0], "comment", text=f"{MARK} thinks this is good")
    liked = give(person, items[1])
    [wish] = begin.say(person.pk, f"{MARK} teapots", sign="wanted")
    steered = steer.steer(person.pk, action="more", kind="category", target="kitchen")
    steer.tune(person.pk, diversity=0.7)
    embed.embed_everything()
    learn.refresh_person(person.pk)
    User.objects.create(kind="imported", source="shop", external_id=CUSTOMER)
    api = quiet(client_of(person))
    served = api.get("/api/v1/recommendations/").json()
    api.post("/api/v1/impressions/", {"list": served["id"], "positions": [1]}, format="json")
    shown = Item.objects.get(uuid=served["results"][0]["item"]["id"])
    steering = Steering.objects.get(uuid=steered.id)
    exporting.make(exporting.ask(person).pk)
    archive = Archive.objects.get(user=person)
    return Victim(person, api, shown, liked, wish, steering, archive, served["id"])


def make_askers() -> list[Asker]:
    """A visitor, a server and an operator without a right, and somebody else."""
    bob = make_person("bob")
    give(bob, make_item("boots"))
    clerk = make_person("clerk", is_staff=True)
    visitor = Asker("a visitor", quiet(APIClient()), signed_in(None), is_signed_in=False)
    powerless = server_with(make_key())
    ServerKey.objects.update(scopes=[])
    server = Asker(
        "a server without the scope", powerless, signed_in(None), is_signed_in=False, is_server=True
    )
    return [
        visitor,
        server,
        Asker("somebody else", quiet(client_of(bob)), signed_in(bob)),
        Asker(
            "an operator without the right",
            quiet(client_of(clerk)),
            signed_in(clerk),
            is_staff=True,
        ),
    ]


def cases_of(victim: Victim) -> dict[str, Case]:
    """Route → whose it is, and what it is asked."""
    item, served = str(victim.item.uuid), victim.served
    creator = str(victim.item.creators.get().uuid)
    feedback, wish, steering = (
        str(row.uuid) for row in (victim.feedback, victim.wish, victim.steering)
    )
    person, password = str(victim.person.uuid), "a password of alice"
    token = str(victim.person.auth_token_set.get().uuid)
    guessed, new = "guess", "quite another password"
    _ = victim.site  # a reset is of the last time of signing in
    victim.person.refresh_from_db()
    reset, confirmation = (
        make(victim.person) for make in (accounts.reset_code, accounts.confirmation_code)
    )
    interest = str(store.told_interests(victim.person.pk)[0].id)
    archive, receipt = str(victim.archive.uuid), str(erasing.erase(make_person("gone").pk).uuid)
    erase = {"password": password}
    account = {"email": "new@example.org", "password": "correct horse battery"}
    back = {"next": "/"}
    post, anyhow = {"POST": back}, dict.fromkeys(("GET", "POST", "DELETE"))
    public, members, own, named = Whose.PUBLIC, Whose.MEMBERS, Whose.OWN, Whose.NAMED
    server = Whose.SERVER
    like = {"item": item, "kind": "like"}
    return {
        "health/live": Case(public),
        "health/ready": Case(public),
        "pictures/<str:name>": Case(public, {}, names={"name": "0" * 40 + ".jpg"}),
        "api/schema/": Case(public),
        "api/docs/": Case(public),
        # --- accounts
        "api/v1/auth/register/": Case(public, {"POST": account}),
        "api/v1/auth/guest/": Case(public, {"POST": None}),
        "api/v1/auth/login/": Case(
            public, {"POST": {"email": "bob@example.org", "password": password}}
        ),
        "api/v1/auth/logout/": Case(own, {"POST": None}),
        "api/v1/auth/logout-all/": Case(own, {"POST": None}),
        "api/v1/auth/password/": Case(own, {"POST": {"current": password, "new": new}}),
        "api/v1/auth/password/reset/": Case(public, {"POST": {"email": victim.person.email}}),
        "api/v1/auth/password/reset/confirm/": Case(
            named,
            {"POST": {"person": person, "code": guessed, "password": new}},
            knows={"code": reset},
        ),
        "api/v1/auth/email/confirm/": Case(
            named, {"POST": {"code": guessed}}, knows={"code": confirmation}
        ),
        "api/v1/auth/email/send/": Case(own, {"POST": None}),
        "api/v1/auth/sign-ins/": Case(own, shows=True),
        "api/v1/auth/sign-ins/<uuid:uuid>/": Case(named, {"DELETE": None}, {"uuid": token}),
        # --- items
        "api/v1/items/": Case(members),
        "api/v1/items/<uuid:uuid>/": Case(members, names={"uuid": item}),
        "api/v1/items/<uuid:uuid>/similar/": Case(members, names={"uuid": item}),
        "api/v1/categories/": Case(members),
        "api/v1/categories/<str:slug>/": Case(members, names={"slug": "kitchen"}),
        "api/v1/creators/": Case(members),
        "api/v1/creators/<uuid:uuid>/": Case(members, names={"uuid": creator}),
        "api/v1/home/": Case(own),
        "api/v1/scenarios/": Case(members),
        "api/v1/search/": Case(members, query="?q=kettle"),
        # --- what is one's own
        "api/v1/feedback/": Case(own, {"GET": None, "POST": like}, shows=True),
        "api/v1/feedback/<uuid:uuid>/": Case(
            named, {"DELETE": None}, {"uuid": feedback}, shows=True
        ),
        "api/v1/recommendations/": Case(own),
        "api/v1/recommendations/<uuid:served>/why/<uuid:item>/": Case(
            named, names={"served": served, "item": item}, shows=True
        ),
        "api/v1/recommendations/<uuid:served>/why-not/<uuid:item>/": Case(
            named, names={"served": served, "item": item}, shows=True
        ),
        "api/v1/impressions/": Case(
            named, {"POST": {"list": served, "positions": [2]}}, shows=True
        ),
        "api/v1/me/": Case(
            own, {"GET": None, "PATCH": {"name": "Bob"}, "DELETE": erase}, shows=True
        ),
        "api/v1/me/export/": Case(own, {"GET": None, "POST": None}, shows=True),
        "api/v1/me/export/<uuid:uuid>/archive/": Case(named, names={"uuid": archive}),
        "api/v1/erasures/<uuid:uuid>/": Case(public, names={"uuid": receipt}),
        "api/v1/me/wishes/": Case(
            own, {"GET": None, "POST": {"text": "quiet films"}, "DELETE": None}, shows=True
        ),
        "api/v1/me/wishes/<uuid:uuid>/": Case(named, {"DELETE": None}, {"uuid": wish}),
        "api/v1/me/interests/": Case(own),
        "api/v1/me/interests/<uuid:uuid>/": Case(
            named, {"PATCH": {"state": "off"}, "DELETE": None}, {"uuid": interest}
        ),
        "api/v1/me/steering/": Case(
            own,
            {"GET": None, "POST": {"action": "less", "kind": "category", "target": "kitchen"}},
            shows=True,
        ),
        "api/v1/me/steering/<uuid:uuid>/": Case(named, {"DELETE": None}, {"uuid": steering}),
        # --- servers
        "api/v1/server/items/": Case(server, {"POST": [{"id": "a", "title": "A kettle"}]}),
        "api/v1/server/items/hide/": Case(server, {"POST": [{"id": "a"}]}),
        "api/v1/server/people/": Case(server, {"POST": [{"id": CUSTOMER, "name": "Cy"}]}),
        "api/v1/server/people/hide/": Case(server, {"POST": [{"id": CUSTOMER}]}),
        "api/v1/server/people/show/": Case(server, {"POST": [{"id": CUSTOMER}]}),
        "api/v1/server/feedback/": Case(
            server,
            {"POST": [{"user": CUSTOMER, "item": "a", "kind": "like", "at": "2026-11-01T00:00Z"}]},
        ),
        "api/v1/server/recommendations/": Case(server, query=f"?person={CUSTOMER}"),
        "api/v1/server/scores/": Case(
            server, {"POST": {"items": ["a"]}}, query=f"?person={CUSTOMER}"
        ),
        "api/v1/server/jobs/": Case(Whose.SERVERS),
        "api/v1/server/metrics/": Case(server),
        # --- pages
        "": Case(public, {"GET": None, "POST": {"diversity": "0.5"}}),
        "items/<uuid:uuid>/": Case(public, names={"uuid": item}),
        "why/<uuid:served>/<uuid:uuid>/": Case(named, names={"served": served, "uuid": item}),
        "why-not/<uuid:uuid>/": Case(own, names={"uuid": item}),
        "search/": Case(public, query="?q=kettle"),
        "consent/": Case(public, {"POST": {"agrees": "yes"}}),
        "seen/": Case(named, {"POST": {"list": served, "positions": "2"}}),
        "start/": Case(
            public,
            {"GET": None, "POST": {"id": uuid4(), "text": "quiet films", "consent": "on"}},
            shows=True,
        ),
        "wishes/remove/": Case(named, {"POST": {"wish": wish}}),
        "wishes/undo/": Case(named, {"POST": {"wish": wish}}),
        "interests/": Case(named, {"POST": {"interest": interest, "state": "off"}}),
        "steering/": Case(
            named, {"POST": {"action": "undo", "kind": "category", "steering": steering}}
        ),
        "feedback/": Case(public, {"POST": like | {"id": uuid4()}}),
        "feedback/undo/": Case(named, {"POST": {"feedback": feedback}}),
        "sign-in/": Case(
            public,
            {
                "GET": None,
                "POST": {"username": "bob@example.org", "password": password},
                "PUT": {},  # Django takes it for a POST
            },
        ),
        "sign-up/": Case(public, {"GET": None, "POST": account, "PUT": {}}),
        "sign-out/": Case(public, post),
        "account/": Case(own, {"GET": None, "POST": {"name": "Bob"}}, shows=True),
        "account/access/": Case(
            own, {"GET": None, "POST": {"current": password, "new": new}}, shows=True
        ),
        "account/access/<uuid:uuid>/end/": Case(named, post, {"uuid": token}),
        "account/access/end/": Case(own, post),
        "account/confirm/": Case(own, post),
        "account/export/": Case(own, {"GET": None, "POST": back}, shows=True),
        "account/export/<uuid:uuid>/": Case(named, names={"uuid": archive}),
        "account/erase/": Case(own, {"GET": None, "POST": erase | {"sure": "on"}}),
        "erased/<uuid:uuid>/": Case(public, names={"uuid": receipt}),
        "confirm/<str:code>/": Case(
            public, {"GET": None, "POST": back}, {"code": guessed}, knows={"code": confirmation}
        ),
        "two-factor/": Case(Whose.STAFF, {"GET": None, "POST": {"code": "123456"}}),
        "password/forgotten/": Case(public, {"GET": None, "POST": {"email": victim.person.email}}),
        "password/reset/<uuid:uidb64>/<str:token>/": Case(
            public,
            dict.fromkeys(METHODS) | {"POST": {"new_password1": new, "new_password2": new}},
            {"uidb64": person, "token": guessed},
            knows={"token": reset},
        ),
        "language/": Case(public, {"POST": {"language": "en"}}),
        # --- the admin's own
        f"{ADMIN}": Case(Whose.STAFF, anyhow),
        f"{ADMIN}login/": Case(public, {"GET": None, "POST": {}}),
        f"{ADMIN}logout/": Case(public, post),
        f"{ADMIN}password_change/": Case(Whose.STAFF, {"GET": None, "POST": {}}),
        f"{ADMIN}password_change/done/": Case(Whose.STAFF, anyhow),
        f"{ADMIN}jsi18n/": Case(Whose.STAFF, anyhow),
    }
