"""The operator's pages: every one opens, writes are announced, rights are needed."""

import re
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Attribute, Category, Consent, Creator, Feedback, Item, User
from recommender import embed, jobs, store, understand
from recommender.candidates.signals import KINDS, WEIGHTS
from recommender.models import (
    EmbeddingSpace,
    ItemTopic,
    Job,
    KindWeight,
    ModelVersion,
    Scenario,
    ScenarioPin,
    Served,
    Topic,
)
from recommender.recommend import recommend
from tests.factories import give, make_calibration, make_item, make_key, make_person, make_version

OURS = [
    model for model in admin.site._registry if model._meta.app_label in ("catalog", "recommender")
]


@pytest.fixture
def operator(db) -> Client:
    return client_of(make_person("operator", is_staff=True, is_superuser=True))


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def history(alice, films):
    Attribute.objects.create(name="colour", type="text")
    give(alice, films[0])
    recommend(alice.pk)
    make_version("v1")
    make_calibration()
    make_key()
    understand.understand_everything()
    scenario = Scenario.objects.create(slug="fresh", kind="fresh", names={"en": "Fresh"})
    ScenarioPin.objects.create(scenario=scenario, item=films[3], place=2)


def address(model, what: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def form_of(response) -> dict:
    """The values of an admin form as a browser would send them back."""
    form = response.context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    for inline in response.context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        for name, value in inline.formset.management_form.initial.items():
            data[f"{prefix}-{name}"] = value
        for row in inline.formset.forms:
            data |= {f"{row.prefix}-{name}": row[name].value() for name in row.fields}
    return {name: "" if value is None else value for name, value in data.items()}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_list_search_and_page_of_each_model_open(operator, history, model):
    assert operator.get(address(model, "changelist")).status_code == 200
    assert operator.get(address(model, "changelist"), {"q": "alice"}).status_code == 200
    row = model._default_manager.first()
    assert row is not None
    page = operator.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert "Medley" in page.content.decode()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_visitor_and_an_operator_without_the_right_see_nothing(history, model):
    plain = client_of(make_person("plain", is_staff=True))
    row = model._default_manager.first()
    for url in (
        address(model, "changelist"),
        address(model, "add"),
        address(model, "change", row.pk),
        address(model, "delete", row.pk),
        address(model, "history", row.pk),
    ):
        assert plain.get(url).status_code == 403
        assert Client().get(url).status_code == 302


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_makes_few_statements_however_many_rows(operator, model, history):
    def count() -> int:
        with CaptureQueriesContext(connection) as context:
            operator.get(address(model, "changelist"))
        return len(context)

    few = count()
    for n in range(12):
        person = make_person(f"person{n}")
        item = make_item(f"Item {n}", creator=f"Creator {n}", categories=[f"category-{n}"])
        Category.objects.filter(slug=f"category-{n}").update(parent=Category.objects.first())
        give(person, item)
        recommend(person.pk)
        make_version(f"v{n + 2}")
    assert count() == few
    assert few <= 30


def test_an_item_saved_here_waits_to_be_embedded(operator, films):
    Job.objects.all().delete()
    url = address(Item, "change", films[0].pk)
    data = form_of(operator.get(url)) | {"title": "Another title"}
    response = operator.post(url, data)
    assert response.status_code == 302, response.context["errors"]
    films[0].refresh_from_db()
    assert films[0].title == "Another title"
    assert list(Job.objects.values_list("kind", "key")) == [("embed", films[0].pk)]


def test_an_item_made_here_with_categories_and_creators_is_embedded_with_them(operator, films):
    Job.objects.all().delete()
    creator = Creator.objects.create(name="Maria Ford")
    data = form_of(operator.get(address(Item, "add"))) | {
        "title": "The Long Road",
        "categories": [Category.objects.get(slug="western").pk],
        "itemcreator_set-TOTAL_FORMS": "1",
        "itemcreator_set-0-creator": creator.pk,
        "itemcreator_set-0-position": "0",
    }
    response = operator.post(address(Item, "add"), data)
    assert response.status_code == 302, response.context["errors"]
    item = Item.objects.get(title="The Long Road")
    assert [c.slug for c in item.categories.all()] == ["western"]
    assert list(item.creators.all()) == [creator]
    assert list(Job.objects.values_list("kind", "key")) == [("embed", item.pk)]
    assert embed.embed_items(None, [item.pk]) == 1


def test_an_attribute_that_is_not_declared_is_refused_at_its_field(operator, films):
    url = address(Item, "change", films[0].pk)
    data = form_of(operator.get(url)) | {"attributes": '{"colour": "red"}'}
    page = operator.post(url, data).content.decode()
    assert "There is no declared attribute “colour”." in page
    Attribute.objects.create(name="colour", type="text")
    assert operator.post(url, data).status_code == 302


def test_items_are_removed_from_lists_and_never_deleted(operator, films):
    Job.objects.all().delete()
    page = operator.get(address(Item, "changelist")).content.decode()
    assert "delete_selected" not in page
    assert operator.post(address(Item, "delete", films[0].pk), {"post": "yes"}).status_code == 403
    operator.post(
        address(Item, "changelist"),
        {"action": "remove", "_selected_action": [films[0].pk, films[1].pk]},
    )
    assert Item.objects.exclude(removed_at=None).count() == 2
    assert Job.objects.filter(kind="embed").count() == 2


def test_a_category_is_deleted_only_while_nothing_is_in_it(operator, films):
    used = Category.objects.get(slug="crime")
    empty = Category.objects.create(slug="empty")
    for category, status in ((used, 403), (empty, 302)):
        url = address(Category, "delete", category.pk)
        assert operator.post(url, {"post": "yes"}).status_code == status
    assert list(Category.objects.filter(slug__in=["crime", "empty"])) == [used]


def test_a_renamed_category_announces_its_items(operator, films):
    Job.objects.all().delete()
    category = Category.objects.get(slug="crime")
    url = address(Category, "change", category.pk)
    operator.post(url, {"slug": "crime", "names": '{"en": "Noir"}', "parent": ""})
    assert Job.objects.filter(kind="embed").count() == category.items.count() == 6


@pytest.mark.parametrize("model", [Consent, Feedback, Job], ids=lambda model: model.__name__)
def test_history_is_read_alone(operator, history, model):
    row = model._default_manager.first()
    assert operator.get(address(model, "add")).status_code == 403
    assert operator.post(address(model, "change", row.pk), {}).status_code == 403
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_feedback_is_found_by_person_item_and_id(operator, history, alice, bob, films):
    give(bob, films[1])
    row = Feedback.objects.get(user=alice)
    for term in ("ALICE@example.org", films[0].title, str(row.uuid), str(alice.uuid)):
        page = operator.get(address(Feedback, "changelist"), {"q": term})
        assert list(page.context["cl"].queryset) == [row]


def test_a_person_made_here_has_an_address_in_lower_case(operator):
    data = {
        "email": "Dora@Example.org",
        "name": "Dora",
        "usable_password": "true",
        "password1": "a long enough one",
        "password2": "a long enough one",
    }
    assert operator.post(address(User, "add"), data).status_code == 302
    assert User.objects.get(email="dora@example.org").check_password("a long enough one")


def test_the_hash_of_a_password_is_not_shown_or_edited(operator, alice):
    page = operator.get(address(User, "change", alice.pk)).content.decode()
    assert alice.password.split("$")[-1] not in page


def test_an_operator_cannot_give_himself_rights(alice):
    person = make_person("helper", is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "change_user"])
    )
    chief = make_person("chief", is_superuser=True, is_staff=True)
    client = client_of(person)
    url = address(User, "change", person.pk)
    client.post(url, {"email": person.email, "name": "x", "is_active": "on", "is_superuser": "on"})
    person.refresh_from_db()
    assert (person.name, person.is_superuser) == ("x", False)
    password = reverse("admin:auth_user_password_change", args=[chief.pk])
    for url in (address(User, "change", chief.pk), password):
        assert client.post(url, {"email": "me@example.org", "name": "me"}).status_code == 403


def park(key: int) -> Job:
    jobs.request("learn", [key])
    Job.objects.filter(kind="learn", key=key).update(
        parked_at="2026-01-01T00:00Z", attempts=3, error="Trace\nValueError: odd"
    )
    return Job.objects.get(kind="learn", key=key)


def test_jobs_show_their_state_and_parked_ones_are_tried_again(operator, db):
    jobs.request("learn", [1])
    parked = park(2)
    page = operator.get(address(Job, "changelist"))
    assert "1 wait, 0 at work, 1 parked" in page.content.decode()
    assert "ValueError: odd" in page.content.decode()
    for state, keys in {"waiting": [1], "parked": [2], "at_work": [], "done": []}.items():
        page = operator.get(address(Job, "changelist"), {"state": state})
        assert [job.key for job in page.context["cl"].queryset] == keys
    operator.post(address(Job, "changelist"), {"action": "retry", "_selected_action": [parked.pk]})
    parked.refresh_from_db()
    assert (parked.parked_at, parked.attempts) == (None, 0)


def test_retrying_needs_the_right_to_change_jobs(db):
    person = make_person("reader", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename="view_job"))
    parked = park(2)
    data = {"action": "retry", "_selected_action": [parked.pk]}
    client_of(person).post(address(Job, "changelist"), data)
    parked.refresh_from_db()
    assert parked.parked_at is not None


def test_a_space_shows_how_full_it_is_and_the_state_of_its_index(operator, films):
    make_item("Not embedded yet")
    page = operator.get(address(EmbeddingSpace, "changelist")).content.decode()
    assert "30 of 31 (96 %)" in page
    assert re.search(r"field-index.*?(valid|missing)", page, re.S)


def test_a_served_list_is_shown_in_its_order(operator, history):
    row = Served.objects.get()
    page = operator.get(address(Served, "change", row.pk)).content.decode()
    first = Item.objects.get(pk=row.item_ids[0])
    assert f">{first.title}</a> (" in page.split("<div>1. ")[1].split("<div>2. ")[0]
    assert "Chance of each" in page


def test_the_admin_is_not_where_everybody_looks(visitor):
    assert settings.ADMIN_PATH != "admin/"
    assert visitor.get("/admin/").status_code == 404


def test_item_text_is_text_here_too(operator, db):
    make_item("<script>alert(1)</script>")
    page = operator.get(address(Item, "changelist")).content.decode()
    assert "<script>alert" not in page


def weigh(operator, kind: str, weight: object):
    return operator.post(address(KindWeight, "change", kind), {"weight": weight})


def rows_of(operator) -> dict[str, list[str]]:
    """The cells of each row of the list of weights, by the kind."""
    page = operator.get(address(KindWeight, "changelist")).content.decode()
    table = re.findall(r"<tr><td.*?</tr>", page, re.S)
    cells = [re.findall(r"<t[dh][^>]*field-[^>]*>(?:<a[^>]*>)?(.*?)<", row) for row in table]
    return {name: rest for name, *rest in cells}


def test_an_operator_sees_every_kind_with_its_default_and_what_is_in_force(operator):
    weigh(operator, "view", "0.5")
    rows = rows_of(operator)
    assert set(rows) == {str(kind.label) for kind in Feedback.Kind}
    assert rows["view"] == ["Opened an item.", "0.15", "0.5"]
    assert rows["hide"] == ["Asked not to see it again.", "-1", "-1"]


def test_a_changed_weight_is_in_force_and_what_is_learned_of_all_is_learned_again(operator):
    Job.objects.all().delete()
    assert weigh(operator, "comment", "1.5").status_code == 302
    assert store.weights_of_kinds()[KINDS.index("comment")] == 1.5
    asked = {("popularity", 0), ("train", 0), ("relearn", 0)}
    assert set(Job.objects.values_list("kind", "key")) == asked


def test_saving_what_is_there_asks_for_no_work(operator):
    weigh(operator, "comment", "1.5")
    Job.objects.all().delete()
    weigh(operator, "comment", "1.5")
    assert not Job.objects.exists()


@pytest.mark.parametrize("weight", ["2.01", "-2.01", "nan", "much"])
def test_a_weight_off_the_scale_is_refused_and_nothing_changes(operator, weight):
    assert weigh(operator, "like", weight).status_code == 200
    assert KindWeight.objects.get(kind="like").weight is None
    with pytest.raises(IntegrityError), transaction.atomic():
        KindWeight.objects.filter(kind="like").update(weight=2.01)
    with pytest.raises(IntegrityError), transaction.atomic():
        KindWeight.objects.filter(kind="like").update(weight=float("nan"))


def test_weights_go_back_to_their_defaults(operator):
    weigh(operator, "view", "0.5")
    weigh(operator, "like", "2")
    weigh(operator, "like", "")  # one by hand
    Job.objects.all().delete()
    kinds = list(KindWeight.objects.values_list("pk", flat=True))
    answer = operator.post(
        address(KindWeight, "changelist"), {"action": "reset", "_selected_action": kinds}
    )
    assert answer.status_code == 302
    assert store.weights_of_kinds().tolist() == WEIGHTS.tolist()
    assert set(Job.objects.values_list("kind", flat=True)) == {"popularity", "train", "relearn"}
    assert LogEntry.objects.filter(object_id="view").count() == 2


def test_no_kind_is_added_or_removed(operator):
    assert operator.get(address(KindWeight, "add")).status_code == 403
    assert operator.post(address(KindWeight, "delete", "view")).status_code == 403
    assert set(KindWeight.objects.values_list("kind", flat=True)) == set(KINDS)
    assert set(KINDS) == set(Feedback.Kind.values)


def act(operator, *chosen: ModelVersion):
    return operator.post(
        address(ModelVersion, "changelist"),
        {"action": "activate", "_selected_action": [version.pk for version in chosen]},
        follow=True,
    )


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def picture(operator) -> ElementTree.Element | None:
    page = operator.get(address(ModelVersion, "changelist")).content.decode()
    found = re.search(r"<figure[^>]*>\s*(<svg.*?</svg>)", page, re.S)
    return ElementTree.fromstring(found[1]) if found else None


def test_a_version_is_activated_here_and_taken_back(operator):
    first, second = make_version("v1"), make_version("v2")
    assert said(act(operator, first)) == ["v1 is in use from the next request on."]
    page = act(operator, second)
    assert store.active_version() == second
    assert "Go back to v1" in page.content.decode()
    page = operator.post(reverse("admin:recommender_modelversion_back"), follow=True)
    assert said(page) == ["v1 is in use again."]
    assert store.active_version() == first
    assert LogEntry.objects.filter(object_id=first.pk).count() == 2


def test_what_did_not_pass_is_not_activated_here(operator):
    first, second = make_version("v1"), make_version("v2", passes=False, ndcg=0.05)
    act(operator, first)
    [message] = said(act(operator, second))
    assert message.startswith("v2 did not pass its comparison: NDCG@10 0.0500, -0.0500 [-0.1000,")
    assert said(act(operator, first, second)) == ["Select one version to activate."]
    assert store.active_version() == first


def test_where_nothing_was_in_use_before_there_is_nothing_to_go_back_to(operator):
    act(operator, make_version("v1"))
    back = reverse("admin:recommender_modelversion_back")
    assert "Go back" not in operator.get(address(ModelVersion, "changelist")).content.decode()
    assert said(operator.post(back, follow=True)) == [
        "no version was active before this one, or it was retired"
    ]
    assert operator.get(back).status_code == 405


def test_choosing_what_is_served_needs_the_right_to_change_versions(db):
    first, second = make_version("v1"), make_version("v2")
    store.activate_version(first)
    store.activate_version(second)
    person = make_person("reader", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename="view_modelversion"))
    reader = client_of(person)
    assert "Go back" not in reader.get(address(ModelVersion, "changelist")).content.decode()
    act(reader, first)
    assert reader.post(reverse("admin:recommender_modelversion_back")).status_code == 403
    assert store.active_version() == second


def test_a_version_is_read_alone_and_its_page_has_its_comparison(operator):
    version = make_version("v1")
    page = operator.get(address(ModelVersion, "change", version.pk)).content.decode()
    cells = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    assert "this version 0.2000 0.1500 – 0.2500" in cells
    assert "0 3 0.1100 0.1000 101+ 37 0.2400 0.1000" in cells
    assert operator.post(address(ModelVersion, "change", version.pk), {}).status_code == 403
    assert operator.post(address(ModelVersion, "delete", version.pk)).status_code == 403


def test_a_version_that_nobody_could_judge_says_so_and_is_in_no_curve(operator):
    version = make_version("v1")
    ModelVersion.objects.update(metrics={"passed": False})
    assert "nobody could be judged" in (
        operator.get(address(ModelVersion, "changelist")).content.decode()
    )
    page = operator.get(address(ModelVersion, "change", version.pk)).content.decode()
    assert "Nobody could be judged." in page
    assert picture(operator) is None


def test_the_tensors_of_versions_are_not_read_for_a_page(operator):
    version = make_version("v1")
    for url in (
        address(ModelVersion, "changelist"),
        address(ModelVersion, "change", version.pk),
    ):
        with CaptureQueriesContext(connection) as context:
            operator.get(url)
        assert not [query["sql"] for query in context if '"tensors"' in query["sql"]]


@pytest.mark.parametrize(
    ("language", "title"), [("en", "NDCG@10 of each version"), ("zh-hans", "各版本的 NDCG@10")]
)
def test_the_curve_shows_each_version_with_its_interval_beside_popularity(
    operator, language, title
):
    make_version("v1", ndcg=0.1)
    store.activate_version(make_version("v2", ndcg=0.2))
    operator.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    svg = picture(operator)
    assert svg.find("*[@id='curve-title']").text == title
    marks = [(c.get("cx"), c.get("cy"), c.get("r")) for c in svg.iter("circle")]
    # 0.25 is the highest end of an interval and 0.3 the top line, 154 units above 0
    assert marks == [("153.0", "118.7", "3"), ("363.0", "67.3", "6")]
    intervals = [line for line in svg.iter("line") if line.get("x1") == line.get("x2")]
    assert [(line.get("y1"), line.get("y2")) for line in intervals] == [
        ("144.3", "93.0"),
        ("93.0", "41.7"),
    ]
    popularity, ours = (line.get("points") for line in svg.iter("polyline"))
    assert popularity == "153.0,118.7 363.0,118.7"
    assert ours == "153.0,118.7 363.0,67.3"
    assert [text.text for text in svg.iter("text")][-2:] == ["v1", "v2"]


def test_the_curve_is_told_in_words_and_needs_neither_style_nor_script(operator):
    make_version("v1", ndcg=0.1)
    make_version("v2", ndcg=0.2)
    svg = picture(operator)
    assert svg.get("role") == "img"
    words = " ".join(
        svg.find(f"*[@id='{name}']").text for name in svg.get("aria-labelledby").split()
    )
    assert words.startswith("NDCG@10 of each version v1 of ")
    assert "0.2000 [0.1500, 0.2500], popularity 0.1000" in words
    for element in svg.iter():
        assert not {"style", "onload", "class"} & set(element.keys())
        for colour in (element.get("fill"), element.get("stroke")):
            assert colour in (None, "none", "currentColor")  # what text has, light or dark


def test_of_many_versions_the_newest_thirty_are_drawn_and_few_of_them_named(operator):
    for n in range(1, 36):
        make_version(f"v{n}")
    svg = picture(operator)
    assert len(list(svg.iter("circle"))) == 30
    names = [text.text for text in svg.iter("text") if text.text.startswith("v")]
    assert names == ["v8", "v11", "v14", "v17", "v20", "v23", "v26", "v29", "v32", "v35"]


# --- topics -----------------------------------------------------------------------------------


@pytest.fixture
def kettle(db) -> Item:
    item = make_item("blue kettle", description="steel handle")
    embed.embed_everything()
    understand.understand_everything()
    return item


def topics_form(operator: Client, item: Item) -> dict:
    return form_of(operator.get(address(Item, "change", item.pk)))


def row_of(data: dict, topic: Topic) -> str:
    """The prefix of a topic's row in the form of its item."""
    [name] = [k for k, v in data.items() if k.endswith("-topic") and v == topic.pk]
    return name.removesuffix("-topic")


def test_an_operator_takes_a_topic_from_an_item_for_good(operator, kettle):
    topic = Topic.objects.get(slug="blue-kettle")
    data = topics_form(operator, kettle)
    data[f"{row_of(data, topic)}-is_removed"] = "on"
    assert operator.post(address(Item, "change", kettle.pk), data).status_code == 302
    row = ItemTopic.objects.get(item=kettle, topic=topic)
    assert (row.source, row.is_removed) == ("editor", True)
    assert ItemTopic.objects.get(item=kettle, topic__slug="steel-handle").source == "machine"
    understand.topics.VERSION += 1
    try:
        assert understand.understand_items([kettle.pk]) == 1
    finally:
        understand.topics.VERSION -= 1
    assert [topic.slug for topic in store.topics_of(kettle.pk)] == ["steel-handle"]


def test_an_operator_gives_an_item_a_topic_by_which_it_is_found(operator, kettle):
    new = {"name": "Camping", "language": ""}
    assert operator.post(address(Topic, "add"), new).status_code == 302
    topic = Topic.objects.get(slug="camping")
    assert topic.language == "en"
    data = topics_form(operator, kettle)
    data |= {"topics-TOTAL_FORMS": 3, "topics-2-item": kettle.pk, "topics-2-topic": topic.pk}
    assert (
        operator.post(address(Item, "change", kettle.pk), data | {"topics-2-weight": 1}).status_code
        == 302
    )
    embed.embed_everything()
    assert store.topics_of(kettle.pk)[0].name == "Camping"
    assert store.items_with_words("'camping'", limit=5) == [kettle.pk]


@pytest.mark.parametrize("name", ["Blue Kettle", "…"])
def test_a_topic_that_is_there_or_says_nothing_is_not_made(operator, kettle, name):
    before = Topic.objects.count()
    response = operator.post(address(Topic, "add"), {"name": name, "language": ""})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert Topic.objects.count() == before


def test_a_hidden_topic_leaves_the_words_of_its_items(operator, kettle):
    topic = Topic.objects.create(slug="camping", name="camping")
    ItemTopic.objects.create(item=kettle, topic=topic)
    embed.embed_everything()
    assert store.items_with_words("'camping'", limit=5) == [kettle.pk]
    data = {"name": "camping", "language": "en", "is_hidden": "on"}
    assert operator.post(address(Topic, "change", topic.pk), data).status_code == 302
    assert jobs.open_jobs("embed") == 1
    embed.embed_everything()
    assert store.items_with_words("'camping'", limit=5) == []
