"""What comes into the API about recommendations, and what goes out."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from catalog.serializers import FiniteField, ItemOut, Strict, category_out
from recommender.begin import LONGEST
from recommender.models import Wish
from recommender.recommend import Reason, Recommendation, Shown
from recommender.store import Facts

STRATEGIES = ("mmr", "dpp")


class RecommendationsQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)
    diversity = FiniteField(
        min_value=0,
        max_value=1,
        required=False,
        help_text="0 is the order of relevance, 1 looks at variety alone; else one's own setting",
    )
    strategy = serializers.ChoiceField(choices=STRATEGIES, required=False)


class SimilarQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)


class SearchQuery(Strict):
    q = serializers.CharField(max_length=500, help_text="words in any language")
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)


class ReasonOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["wish", "voted", "similar", "popular", "new", "varied"])
    text = serializers.CharField()
    item = serializers.UUIDField(allow_null=True, help_text="the liked item behind it")


class ShownOut(serializers.Serializer):
    rank = serializers.IntegerField()
    item = ItemOut()
    relevance = serializers.FloatField(help_text="0 to 1 in steps of 0.01")
    reason = ReasonOut(allow_null=True)


class DiversityOut(serializers.Serializer):
    """What a list shows of variety, in the same numbers for every strategy."""

    vector_distance = serializers.FloatField(help_text="mean of 1 - cosine over all pairs")
    category_distance = serializers.FloatField(help_text="mean of 1 - Jaccard over all pairs")
    distinct_categories = serializers.IntegerField()
    largest_category_share = serializers.FloatField()
    largest_creator_share = serializers.FloatField()
    relevance_kept = serializers.FloatField(help_text="DCG of the list ÷ that of relevance order")
    strategy = serializers.CharField()
    strength = serializers.FloatField()
    pool_size = serializers.IntegerField()
    list_size = serializers.IntegerField()


class RecommendationOut(serializers.Serializer):
    id = serializers.UUIDField(help_text="name it in feedback as `served`")
    results = ShownOut(many=True)
    diversity = DiversityOut()


class SimilarOut(serializers.Serializer):
    results = ShownOut(many=True)


class SearchOut(serializers.Serializer):
    results = ItemOut(many=True)
    by_meaning = serializers.BooleanField(help_text="false: the encoder did not answer in time")
    corrected = serializers.DictField(child=serializers.CharField())


class InterestOut(serializers.Serializer):
    words = serializers.CharField()
    weight = serializers.FloatField()
    example = serializers.CharField()


class WishIn(Strict):
    text = serializers.CharField(
        max_length=LONGEST, help_text="a sentence: what you want, and what you do not"
    )
    sign = serializers.ChoiceField(
        choices=Wish.Sign.choices, required=False, help_text="the text is one thing, not a sentence"
    )


class WishOut(serializers.Serializer):
    id = serializers.UUIDField(source="uuid")
    text = serializers.CharField()
    sign = serializers.ChoiceField(choices=Wish.Sign.choices)
    created_at = serializers.DateTimeField()
    is_provisional = serializers.BooleanField(
        help_text="it is looked for by its words until the encoder has answered"
    )


class WishesOut(serializers.Serializer):
    results = WishOut(many=True)


class MeOut(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    diversity = serializers.FloatField(allow_null=True)
    consent = serializers.BooleanField(help_text="to personalisation")
    interests = InterestOut(many=True)


class MeIn(Strict):
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    diversity = FiniteField(min_value=0, max_value=1, required=False, allow_null=True)
    consent = serializers.BooleanField(required=False, help_text="to personalisation")


def facts_out(facts: Facts) -> dict:
    return {
        "id": str(facts.uuid),
        "kind": facts.kind,
        "title": facts.title,
        "description": facts.description,
        "url": facts.url,
        "image_url": facts.image_url,
        "published_at": facts.published_at,
        "categories": [category_out(c["slug"], c["names"]) for c in facts.categories],
        "creators": facts.creators,
    }


def reason_text(reason: Reason) -> str:
    """A reason in words; each names only what is behind it."""
    if reason.kind == "wish":
        return _("Because you asked for “%(text)s”") % {"text": reason.wish}
    if reason.kind == "voted":
        return _("People who liked “%(title)s” like this too") % {"title": reason.like_title}
    if reason.kind == "similar":
        return _("Similar to “%(title)s”, which you liked") % {"title": reason.like_title}
    return str(REASONS[reason.kind])


REASONS = {
    "popular": gettext_lazy("Popular of late"),
    "new": gettext_lazy("New here"),
    "varied": gettext_lazy("For variety"),
}


def shown_out(shown: Shown) -> dict:
    return {
        "rank": shown.rank,
        "item": facts_out(shown.facts),
        "relevance": round(shown.relevance, 2),
        "reason": shown.reason
        and {
            "kind": shown.reason.kind,
            "text": reason_text(shown.reason),
            "item": shown.reason.like_uuid and str(shown.reason.like_uuid),
        },
    }


def recommendation_out(found: Recommendation) -> dict:
    return {
        "id": str(found.id),
        "results": [shown_out(row) for row in found.results],
        "diversity": found.report,
    }


def words_of(words: dict) -> str:
    """An interest in words, in the language of the request or page."""
    names = [category_out(c["slug"], c["names"])["name"] for c in words.get("categories", [])]
    return ", ".join([*names, *words.get("creators", [])])
