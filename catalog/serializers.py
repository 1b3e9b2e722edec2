"""What comes into the API about facts, and what goes out. Unknown names are refused."""

import math

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

from catalog.models import Feedback, Item


class Strict(serializers.Serializer):
    """A serializer that refuses what it does not know, instead of dropping it in silence."""

    def to_internal_value(self, data):
        if hasattr(data, "keys"):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {
                        str(name): serializers.ErrorDetail(
                            _("There is no such parameter; known are %(known)s.")
                            % {"known": ", ".join(sorted(self.fields))},
                            code="unknown",
                        )
                        for name in unknown[:20]
                    }
                )
            if hasattr(data, "getlist"):
                twice = [name for name in data if len(data.getlist(name)) > 1]
                if twice:
                    raise serializers.ValidationError(
                        {
                            name: serializers.ErrorDetail(_("Given twice."), "twice")
                            for name in twice
                        }
                    )
        return super().to_internal_value(data)


def checked(serializer_class: type[Strict], data: object) -> dict:
    """The clean values of parameters or a body, or 400."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


class FiniteField(serializers.FloatField):
    """A number; NaN and infinity are none."""

    def to_internal_value(self, data) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        number = super().to_internal_value(data)
        if not math.isfinite(number):
            self.fail("invalid")
        return number


class Flag(serializers.BooleanField):
    """Yes or no; one that a query leaves out is left out, where a form would say no."""

    default_empty_html = empty


class CategoryOut(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()


class ItemOut(serializers.Serializer):
    """An item in a list."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    url = serializers.CharField()
    image_url = serializers.CharField()
    published_at = serializers.DateTimeField(allow_null=True)
    categories = CategoryOut(many=True)
    creators = serializers.ListField(child=serializers.CharField())


class ItemDetailOut(ItemOut):
    """An item with all facts of it."""

    language = serializers.CharField()
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    currency = serializers.CharField()
    latitude = serializers.FloatField(allow_null=True)
    longitude = serializers.FloatField(allow_null=True)
    attributes = serializers.DictField()


def category_out(slug: str, names: dict) -> dict:
    language = (get_language() or "en").split("-")[0]
    return {"slug": slug, "name": names.get(language) or names.get("en") or slug}


def item_out(item: Item) -> dict:
    """The same shape for an item from the ORM as for one from the recommender's store."""
    return {
        "id": str(item.uuid),
        "kind": item.kind,
        "title": item.title,
        "description": item.description[:500],
        "url": item.url,
        "image_url": item.shown_image_url,
        "published_at": item.published_at,
        "categories": [category_out(c.slug, c.names) for c in item.categories.all()],
        "creators": [row.creator.name for row in item.itemcreator_set.all()],
    }


def item_detail_out(item: Item) -> dict:
    return item_out(item) | {
        "description": item.description,
        "language": item.language,
        "price": item.price,
        "currency": item.currency,
        "latitude": item.latitude,
        "longitude": item.longitude,
        "attributes": item.attributes,
    }


class FeedbackIn(Strict):
    """One piece of feedback. `id` is made by the client, so that sending it again is safe."""

    id = serializers.UUIDField(
        required=False, help_text="UUID of the client; sending again is safe"
    )
    item = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Feedback.Kind.choices)
    value = FiniteField(
        required=False,
        allow_null=True,
        min_value=-1e9,
        max_value=1e9,
        help_text="a rating from 0.5 to 5, or seconds of dwelling",
    )
    text = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    occurred_at = serializers.DateTimeField(required=False)
    served = serializers.UUIDField(required=False, help_text="id of the list it answers")

    def validate(self, data: dict) -> dict:
        value, kind = data.get("value"), data["kind"]
        if kind == Feedback.Kind.RATING and (value is None or not 0.5 <= value <= 5):
            raise serializers.ValidationError(
                {"value": serializers.ErrorDetail(_("A rating is from 0.5 to 5."), "rating")}
            )
        if kind == Feedback.Kind.DWELL and (value is None or value < 0):
            raise serializers.ValidationError(
                {"value": serializers.ErrorDetail(_("Give the seconds."), "dwell")}
            )
        if kind == Feedback.Kind.COMMENT and not data.get("text", "").strip():
            raise serializers.ValidationError(
                {"text": serializers.ErrorDetail(_("A comment has a text."), "comment")}
            )
        return data


class FeedbackOut(serializers.Serializer):
    id = serializers.UUIDField(source="uuid")
    item = serializers.UUIDField(source="item.uuid")
    title = serializers.CharField(source="item.title")
    kind = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    text = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    retracted_at = serializers.DateTimeField(allow_null=True)
    served = serializers.UUIDField(source="served_id", allow_null=True)


class FeedbackResultOut(serializers.Serializer):
    """What became of one piece of a batch."""

    status = serializers.IntegerField(help_text="201 new, 200 known, 400, 404 or 409 refused")
    id = serializers.UUIDField(allow_null=True)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class RegisterIn(Strict):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    consent = serializers.BooleanField(
        default=None,
        allow_null=True,
        help_text="to personalisation; if not given, as you said as a guest, else no",
    )


class SignInIn(Strict):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class TokenOut(serializers.Serializer):
    token = serializers.CharField(help_text="shown once; send it as Authorization: Token …")
    expires_at = serializers.DateTimeField()


class PageQuery(Strict):
    """Parameters of a paged list."""

    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)
    cursor = serializers.CharField(required=False, max_length=500)


class FeedbackQuery(PageQuery):
    kind = serializers.ChoiceField(required=False, choices=Feedback.Kind.choices)
    item = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False, help_text="what occurred then or later")
    until = serializers.DateTimeField(required=False, help_text="what occurred before")
