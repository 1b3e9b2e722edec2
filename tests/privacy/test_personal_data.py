"""Each model that can lead to a person is registered, so that nothing is left of who was erased."""

from django.apps import apps
from django.db import models

from catalog import personal_data
from catalog.models import User

# Whole numbers and UUIDs without a foreign key, that are ids of something else than a person.
NO_PERSON = {
    "admin.LogEntry.object_id": "registered: the log is blanked",
    "catalog.Feedback.uuid": "a row's own",
    "recommender.Steering.target_id": "a category, creator or topic",
    "recommender.SeenItem.item_id": "an item",
}
IDS = (models.BigIntegerField, models.UUIDField)
NAMES = ("_id", "key", "person", "user", "owner", "member")


def leading_to_people() -> dict[str, str]:
    """Labels of models from which relations lead to User, with the first relation of each."""
    found = {User._meta.label: "the person"}
    grown = True
    while grown:
        grown = False
        for model in apps.get_models(include_auto_created=True):
            for field in model._meta.get_fields():
                to = field.related_model if field.many_to_one or field.one_to_one else None
                if field.auto_created or to is None or isinstance(to, str):
                    continue
                if to._meta.label in found and model._meta.label not in found:
                    found[model._meta.label] = field.name
                    grown = True
    return found


def bare_ids() -> set[str]:
    """Fields that may hold a person's id, or that of a row of theirs, without a foreign key."""
    return {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, IDS) and not field.primary_key and field.name.endswith(NAMES)
    }


def accounted_for() -> set[str]:
    return {kept.name for kept in personal_data.kept()} | personal_data.exemptions().keys()


def test_each_model_that_leads_to_a_person_is_registered_or_has_a_reason_why_not():
    assert leading_to_people().keys() - accounted_for() == set()
    assert all(personal_data.exemptions().values())


def test_each_bare_id_is_of_a_registered_model_or_of_something_else_than_a_person():
    others = {field for field in bare_ids() if field.rpartition(".")[0] not in accounted_for()}
    assert others - NO_PERSON.keys() == set()
    assert "recommender.Job.key" in bare_ids()  # the walk sees what it is for


def test_nothing_is_registered_that_is_not_there():
    there = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert accounted_for() - there == set()
