"""What comes into the API about recommendations, and what goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from catalog.models import Attribute
from catalog.serializers import FiniteField, Flag, ItemOut, Strict, category_out
from recommender import interests
from recommender.begin import LONGEST
from recommender.diversity import STRATEGIES, Limits
from recommender.diversity.contract import CEILINGS
from recommender.explain import Why, WhyNot
from recommender.filtering.expression import LONGEST as LONGEST_FILTER
from recommender.filtering.expression import FilterError
from recommender.filtering.fields import FIELDS
from recommender.models import ScenarioPin, Steering, Wish
from recommender.ranking.explain import out_of_100
from recommender.ranking.scenario import KINDS, NEEDS
from recommender.ranking.tuning import CHRONOLOGICAL, PRESETS, WISHES, Tuning, preset_of
from recommender.recommend import Effect, Reason, Recommendation, Shown
from recommender.steer import Steered
from recommender.store import HOME, Facts, InterestTold, Place, Target

STAGES = (
    *("shown", "later", "removed", "unavailable", "about", "excluded", "picked", "beside"),
    *("seen", "muted", "scenario_filter"),
    *("filter", "not_found", "exploration", "pinned", "relevance", "duplicate"),
    *("diversity", *CEILINGS),
)
KINDS_OF_REASON = ("wish", "voted", "similar", "popular", "new", "varied", "explored")
KINDS_OF_REASON += tuple(ScenarioPin.Label.values)


class FilterField(serializers.CharField):
    """An expression, which the story reads: what it may speak of is known there."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=LONGEST_FILTER,
            trim_whitespace=False,  # an error names a place in it
            help_text="only items it is true of: "
            'price < 20 and language = "zh", category in ("drama", "war") and not creator = "Ann",'
            " published > 2015-01-01. Fields: "
            + ", ".join(FIELDS)
            + ", and attr:NAME for each declared attribute. See docs/filters.md",
        )


ITEM_FIELDS = tuple(ItemOut().get_fields())


class NamesField(serializers.CharField):
    """Names that are known, with commas between them."""

    def __init__(self, known: Sequence[str], *, help_text: str) -> None:
        super().__init__(required=False, max_length=500, help_text=help_text)
        self.known = known

    def to_internal_value(self, data) -> tuple[str, ...]:
        names = [name.strip() for name in super().to_internal_value(data).split(",")]
        if unknown := [name for name in names if name not in self.known]:
            raise serializers.ValidationError(
                _("There is no “%(name)s”; known are %(known)s.")
                % {"name": unknown[0][:50], "known": ", ".join(self.known)},
                "unknown",
            )
        return tuple(dict.fromkeys(names))


class IdsField(serializers.CharField):
    """Public ids of items, with commas between them."""

    def __init__(self, most: int, *, help_text: str) -> None:
        super().__init__(required=False, max_length=40 * most, help_text=help_text)
        self.most = most

    def to_internal_value(self, data) -> list[UUID]:
        said = super().to_internal_value(data).split(",")
        if len(said) > self.most:
            raise serializers.ValidationError(
                _("Give at most %(most)d ids.") % {"most": self.most}, "too_many"
            )
        ids = serializers.ListField(child=serializers.UUIDField()).run_validation(said)
        return list(dict.fromkeys(ids))


def fields_field() -> NamesField:
    return NamesField(
        ITEM_FIELDS,
        help_text="which fields of each item to answer, with commas between them: "
        + ", ".join(ITEM_FIELDS)
        + ". All if not given; `id` always comes",
    )


class PartOfItemOut(ItemOut):
    """An item in a list: all of it, or the `fields` that were asked for."""

    def get_fields(self) -> dict:
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name == "id"
        return fields


MOST_SEED = 2**63 - 1
WISHES_HELP = {
    "novelty": "-1 to 1: like what you liked, or unlike it",
    "recency": "-1 to 1: older, or newer",
    "popularity": "-1 to 1: less known, or better known",
}
TUNED = ("preset", "diversity", *WISHES)  # what a person keeps of this


def wish_field(name: str) -> FiniteField:
    return FiniteField(min_value=-1, max_value=1, required=False, help_text=WISHES_HELP[name])


def check_preset(asked: dict, names: Sequence[str]) -> None:
    """Nothing goes by taste in a list by date."""
    beside = next((name for name in names if asked.get(name) is not None), None)
    if asked.get("preset") == CHRONOLOGICAL and beside:
        raise serializers.ValidationError(
            {beside: _("A chronological list goes by date alone.")}, "chronological"
        )


MOST_EXCLUDED, MOST_PICKED = 100, 50
BESIDE_CURSOR = ("cursor", "limit", "fields", "reasons")


class RecommendationsQuery(Strict):
    limit = serializers.IntegerField(
        min_value=1,
        max_value=100,
        required=False,
        help_text="20 if not given; with a cursor as many as the first page",
    )
    diversity = FiniteField(
        min_value=0,
        max_value=1,
        required=False,
        help_text="0 is the order of relevance, but for places that go to items hardly anybody has"
        " seen; 1 looks at variety alone; else one's own setting",
    )
    strategy = serializers.ChoiceField(choices=tuple(STRATEGIES), required=False)
    budget = FiniteField(
        min_value=0,
        max_value=1,
        required=False,
        help_text="in the place of diversity: the share of relevance that may be given up for it",
    )
    min_categories = serializers.IntegerField(min_value=0, max_value=100, required=False)
    max_per_category = serializers.IntegerField(
        min_value=1, required=False, help_text="an item counts in each of its categories"
    )
    max_per_creator = serializers.IntegerField(min_value=1, required=False)
    max_similarity = FiniteField(
        min_value=-1, max_value=1, required=False, help_text="of any two items, in text and kinds"
    )
    filter = FilterField()
    exclude = IdsField(
        MOST_EXCLUDED, help_text="ids of items to leave out, with commas between them"
    )
    items = IdsField(
        MOST_PICKED,
        help_text="ids of items, with commas between them: a list for whoever likes these, in the"
        " place of what you liked. Nothing is kept of it as your taste, and no consent is needed",
    )
    fields = fields_field()
    reasons = Flag(default=True, help_text="false: without a reason for each item")
    scenario = serializers.CharField(
        max_length=50, default="home", help_text="slug of a place: see /api/v1/scenarios/"
    )
    category = serializers.CharField(
        max_length=100, required=False, help_text="slug, for a scenario of one category"
    )
    item = serializers.UUIDField(
        required=False,
        help_text="for a scenario about an item; of one you liked, the newest like without it",
    )
    preset = serializers.ChoiceField(
        choices=tuple(PRESETS),
        required=False,
        help_text="in the place of what is set: see docs/steering.md",
    )
    novelty, recency, popularity = map(wish_field, WISHES)

    seed = serializers.IntegerField(
        min_value=0,
        max_value=MOST_SEED,
        required=False,
        help_text="of all that is left to chance: the same gives the same list while nothing"
        " changes; a new one if not given",
    )
    cursor = serializers.CharField(
        max_length=1000,
        required=False,
        help_text="`next` of the page before; beside it only limit, fields and reasons may be"
        " given",
    )

    def validate(self, asked: dict) -> dict:
        if "cursor" in asked:
            if others := sorted(set(self.initial_data) - set(BESIDE_CURSOR)):
                detail = serializers.ErrorDetail(
                    _("With a cursor only %(known)s may be given: the rest is as the list began.")
                    % {"known": ", ".join(BESIDE_CURSOR[1:])},
                    code="with_cursor",
                )
                raise serializers.ValidationError(dict.fromkeys(others, detail))
            return {name: asked[name] for name in BESIDE_CURSOR if name in asked}
        check_preset(asked, ("diversity", "budget", "strategy", "items", *WISHES))
        if "diversity" in asked and "budget" in asked:
            raise serializers.ValidationError(
                {"budget": _("Ask for a diversity or a budget, not both.")}
            )
        given = {f.name: asked.pop(f.name) for f in fields(Limits) if f.name in asked}
        return asked | {"limits": Limits(**given)}


class SimilarQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)
    filter = FilterField()
    fields = fields_field()


class ReasonOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=KINDS_OF_REASON)
    text = serializers.CharField()
    item = serializers.UUIDField(allow_null=True, help_text="the liked item behind it")


class NamedOut(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()


class ShownOut(serializers.Serializer):
    rank = serializers.IntegerField()
    item = PartOfItemOut()
    relevance = serializers.FloatField(help_text="0 to 1 in steps of 0.01")
    reason = ReasonOut(allow_null=True)
    similar = NamedOut(
        many=True, help_text="the same thing again, such as other editions, shown but once"
    )


class UnmetOut(serializers.Serializer):
    limit = serializers.CharField()
    asked = serializers.FloatField()
    got = serializers.FloatField()
    reason = serializers.CharField()


class DiversityOut(serializers.Serializer):
    """What a list shows of variety, in the same numbers for every strategy."""

    vector_distance = serializers.FloatField(help_text="mean of 1 - cosine over all pairs")
    category_distance = serializers.FloatField(help_text="mean of 1 - Jaccard over all pairs")
    topic_distance = serializers.FloatField(help_text="mean of 1 - Jaccard over all pairs")
    distinct_categories = serializers.IntegerField()
    distinct_topics = serializers.IntegerField()
    largest_category_share = serializers.FloatField()
    largest_creator_share = serializers.FloatField()
    relevance_kept = serializers.FloatField(help_text="DCG of the list ÷ that of relevance order")
    strategy = serializers.CharField()
    strength = serializers.FloatField(help_text="what the strategy was given, 0 to 1")
    budget = serializers.FloatField(help_text="the share of relevance that might be given up")
    calibrated = serializers.CharField(
        help_text="when it was measured what strategies keep of NDCG, or “uncalibrated”: then"
        " budgets are of the relevance of each list alone"
    )
    in_last = serializers.FloatField(help_text="the share that was in the person's last list too")
    binding = serializers.ListField(
        child=serializers.CharField(), help_text="limits that kept something out"
    )
    unmet = UnmetOut(many=True, help_text="limits that could not be kept")
    pool_size = serializers.IntegerField()
    list_size = serializers.IntegerField()
    explored = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="ranks given to items that hardly anybody has seen yet",
    )


class EffectOut(serializers.Serializer):
    """What steering did to a list, against the same candidates without it."""

    changed = serializers.IntegerField(help_text="places that hold another item than without it")
    moved = inline_serializer(
        "Moved",
        {
            "item": serializers.UUIDField(),
            "from": serializers.IntegerField(
                allow_null=True, help_text="rank without steering; null: it would not be here"
            ),
            "to": serializers.IntegerField(
                allow_null=True, help_text="rank in this list; null: it is no longer here"
            ),
            "by": serializers.ListField(
                child=serializers.UUIDField(),
                help_text="your steering that speaks of it; empty: it made room for others, or"
                " others for it",
            ),
        },
        many=True,
    )
    muted = serializers.IntegerField(
        help_text="how much you muted: its items are no candidates, so they are not counted above"
    )


class ScenarioOut(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=tuple(KINDS))
    needs = serializers.ChoiceField(
        choices=("category", "item"), allow_null=True, help_text="parameter of a request for it"
    )


class ScenariosOut(serializers.Serializer):
    results = ScenarioOut(many=True)


class TuningOut(serializers.Serializer):
    """How lists are made."""

    preset = serializers.ChoiceField(
        choices=tuple(PRESETS), allow_null=True, help_text="null: a mixture of one's own"
    )
    diversity = serializers.FloatField(allow_null=True, help_text="null: as the site has it")
    novelty, recency, popularity = (
        serializers.FloatField(help_text=WISHES_HELP[name]) for name in WISHES
    )


class RecommendationOut(serializers.Serializer):
    id = serializers.UUIDField(help_text="name it in feedback as `served`")
    scenario = ScenarioOut()
    about = NamedOut(allow_null=True, help_text="the item that the list is about")
    results = ShownOut(many=True)
    diversity = DiversityOut()
    steering = EffectOut(
        allow_null=True,
        help_text="null: you steer by nothing and have no wish of taste, or the page was made"
        " before",
    )
    tuning = TuningOut(help_text="how it was made")
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED)
    next = serializers.CharField(
        allow_null=True, help_text="give it as `cursor` within a day; null: there is no more"
    )


class ImpressionsIn(Strict):
    """What of a list came into sight."""

    list = serializers.UUIDField(help_text="id of a list of your own")
    positions = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1000),
        min_length=1,
        max_length=100,
        help_text="ranks, from 1; to tell one again changes nothing",
    )


class ImpressionsOut(serializers.Serializer):
    """What became of one entry."""

    status = serializers.IntegerField(help_text="200 kept, 400 or 404 refused")
    list = serializers.CharField(allow_null=True)
    new = serializers.IntegerField(required=False, help_text="positions not told of before")
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class PointsOut(serializers.Serializer):
    part = serializers.CharField()
    points = serializers.IntegerField(help_text="below 0 it speaks against the item")
    text = serializers.CharField()


class SourceOut(serializers.Serializer):
    source = serializers.CharField()
    text = serializers.CharField()


class InterestBehindOut(serializers.Serializer):
    percent = serializers.IntegerField(help_text="of what the person likes")
    words = serializers.CharField(allow_blank=True)
    likes = NamedOut(many=True, help_text="the newest liked items in it")


class WhyOut(serializers.Serializer):
    """Why an item stands in a list, as it was when the list was made."""

    list = serializers.UUIDField()
    served_at = serializers.DateTimeField()
    item = NamedOut()
    relevance = serializers.IntegerField(help_text="0 to 100, as it was shown")
    points = PointsOut(many=True, help_text="they add up to the relevance exactly")
    place = serializers.IntegerField()
    place_by_relevance = serializers.IntegerField(help_text="of all candidates")
    moved = serializers.CharField(
        allow_null=True, help_text="what variety or exploring did, which changes places, not points"
    )
    reason = serializers.CharField(allow_null=True)
    likes = NamedOut(many=True, help_text="liked items behind it")
    interests = InterestBehindOut(many=True, help_text="that found it")
    sources = SourceOut(many=True, help_text="all that found it")


class WhyNotOut(serializers.Serializer):
    """Where on its way to a list an item fell."""

    list = serializers.UUIDField()
    served_at = serializers.DateTimeField()
    item = NamedOut()
    stage = serializers.ChoiceField(choices=STAGES)
    text = serializers.CharField()
    place = serializers.IntegerField(allow_null=True, help_text="if it was shown")
    place_by_relevance = serializers.IntegerField(
        allow_null=True, help_text="if it was among the candidates"
    )
    relevance = serializers.IntegerField(
        allow_null=True, help_text="0 to 100, if it was among the candidates"
    )
    list_size = serializers.IntegerField()
    pool_size = serializers.IntegerField(help_text="candidates")


class SimilarOut(serializers.Serializer):
    results = ShownOut(many=True)


class TopicOut(serializers.Serializer):
    slug = serializers.CharField(help_text="the same for all writings of a topic")
    name = serializers.CharField()
    language = serializers.CharField(help_text="by its script; may be empty")
    weight = serializers.FloatField(help_text="0 to 1, how near it is to what the item says")
    is_shared = serializers.BooleanField(
        help_text="other items have it, or an editor gave it; else a keyword of this item alone"
    )


class InterestIn(Strict):
    state = serializers.ChoiceField(
        choices=interests.STATES,
        help_text="off: its likes count for nothing in your lists, from the next request on;"
        " removed: the same, and it is shown apart; on: as it was",
    )


class InterestOut(serializers.Serializer):
    id = serializers.UUIDField()
    words = serializers.CharField(allow_blank=True)
    weight = serializers.FloatField(help_text="of all that you like, 0 to 1")
    example = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=interests.STATES)


class InterestsOut(serializers.Serializer):
    results = InterestOut(many=True)


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


class SteeringIn(Strict):
    action = serializers.ChoiceField(
        choices=Steering.Action.choices,
        help_text="more and less reorder and leave nothing out; mute leaves out, in recommendations"
        " but not in search or similar items",
    )
    kind = serializers.ChoiceField(choices=Steering.Kind.choices)
    target = serializers.CharField(
        max_length=200,
        help_text="slug of a category or topic; name of a creator, or id if several have the name",
    )


class SteeringOut(serializers.Serializer):
    id = serializers.UUIDField()
    action = serializers.ChoiceField(choices=Steering.Action.choices)
    kind = serializers.ChoiceField(choices=Steering.Kind.choices)
    target = serializers.CharField(
        allow_null=True, help_text="slug, or id of a creator; null: it left the catalogue"
    )
    name = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class SteeringsOut(serializers.Serializer):
    results = SteeringOut(many=True)


class MeOut(TuningOut):
    id = serializers.UUIDField()
    is_guest = serializers.BooleanField(help_text="without an account: register to keep it all")
    email = serializers.EmailField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    consent = serializers.BooleanField(help_text="to personalisation")
    interests = InterestOut(many=True)


class MeIn(Strict):
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    preset = serializers.ChoiceField(
        choices=tuple(PRESETS),
        required=False,
        help_text="sets all below; “balanced” undoes them: see docs/steering.md",
    )
    diversity = FiniteField(min_value=0, max_value=1, required=False, allow_null=True)
    novelty, recency, popularity = map(wish_field, WISHES)
    consent = serializers.BooleanField(required=False, help_text="to personalisation")

    def validate(self, asked: dict) -> dict:
        check_preset(asked, ("diversity", *WISHES))
        return asked


def facts_out(facts: Facts, only: Sequence[str] | None = None) -> dict:
    """only  names in ITEM_FIELDS; the id always comes"""
    whole = {
        "id": str(facts.uuid),
        "kind": facts.kind,
        "title": facts.title,
        "description": facts.description,
        "url": facts.url,
        "image_url": facts.image_url,
        "published_at": facts.published_at,
        "categories": [category_out(c["slug"], c["names"]) for c in facts.categories],
        "creators": [creator["name"] for creator in facts.creators],
    }
    if only is None:
        return whole
    return {name: value for name, value in whole.items() if name == "id" or name in only}


def reason_text(reason: Reason) -> str:
    return reason_in_words(
        reason.kind, title=reason.like_title, wish=reason.wish, is_picked=reason.is_picked
    )


def reason_in_words(kind: str, *, title: str, wish: str, is_picked: bool = False) -> str:
    """A reason in words; each names only what is behind it."""
    if kind == "wish":
        return _("Because you asked for “%(text)s”") % {"text": wish}
    if kind == "voted":
        return _("People who liked “%(title)s” like this too") % {"title": title}
    if kind == "similar" and is_picked:
        return _("Similar to “%(title)s”") % {"title": title}
    if kind == "similar":
        return _("Similar to “%(title)s”, which you liked") % {"title": title}
    return str(REASONS[kind])


REASONS = {
    "popular": gettext_lazy("Popular of late"),
    "new": gettext_lazy("New here"),
    "varied": gettext_lazy("For variety"),
    "explored": gettext_lazy("Hardly anybody knows it yet: shown to find out who likes it"),
    "promoted": gettext_lazy("Promotion"),
    "picked": gettext_lazy("Picked by the editors"),
}


# What gives points, as "why" says it.
PARTS_IN_WORDS = {
    "order": gettext_lazy("Goes with what you liked last"),
    "past_order": gettext_lazy("Goes with what you liked before"),
    "next": gettext_lazy("Often comes next after what you liked"),
    "taste": gettext_lazy("Liked by people who like what you like"),
    "factors": gettext_lazy("Fits a taste that you share with others"),
    "text": gettext_lazy("Its text is like that of your latest items"),
    "map": gettext_lazy("Its text is like what people of your taste turn to"),
    "interest": gettext_lazy("Near to one of your interests"),
    "popularity": gettext_lazy("Many like it"),
    "trend": gettext_lazy("More like it of late"),
    "promise": gettext_lazy("Texts like this one are often liked"),
    "freshness": gettext_lazy("It is new"),
    "dislike": gettext_lazy("It is like something you disliked"),
    "asked": gettext_lazy("You asked for something like it"),
    "unwanted": gettext_lazy("You said that you do not want this"),
    "theme": gettext_lazy("It is what this list is about"),
    "fresh": gettext_lazy("What is new counts more in this list"),
    "exposure": gettext_lazy("Few people are shown it, and each item here is to have its chance"),
    "rested": gettext_lazy("You saw it before and did not take it up"),
    "rotated": gettext_lazy("A little chance, so that each visit has an order of its own"),
    "boosted": gettext_lazy("This list prefers, or avoids, items like it"),
    "wish_novelty": gettext_lazy("You asked for more, or less, that is new to you"),
    "wish_recency": gettext_lazy("You asked for newer, or older, things"),
    "wish_popularity": gettext_lazy("You asked for better, or less, known things"),
    "steered": gettext_lazy("You said more, or less, of this"),
    "cut": gettext_lazy("The scale goes from 0 to 100"),
}
SOURCES_IN_WORDS = {
    "interest": gettext_lazy("a search near your interests"),
    "map": gettext_lazy("a search for what people of your taste turn to"),
    "voted": gettext_lazy("what goes with what you liked"),
    "given": gettext_lazy("what your whole history and people of like taste led to"),
    "popular": gettext_lazy("what is popular"),
    "trending": gettext_lazy("what more and more people like"),
    "new": gettext_lazy("what is new"),
    "near": gettext_lazy("a search near the item that the list is about"),
    "beside": gettext_lazy("what goes with the item that the list is about"),
    "pinned": gettext_lazy("a place that was given to it"),
    "wish": gettext_lazy("a search for what you asked for"),
    "little_known": gettext_lazy("what hardly anybody knows yet"),
}
MOVED_IN_WORDS = {
    "diversity": gettext_lazy(
        "By relevance alone it would stand at %(before)s; for variety it came to %(place)s."
    ),
    "exploration": gettext_lazy(
        "By relevance alone it would stand at %(before)s; place %(place)s was given to it to find"
        " out who likes it."
    ),
    "pinned": gettext_lazy(
        "By relevance alone it would stand at %(before)s; place %(place)s was given to it by those"
        " who run this site."
    ),
}
STAGES_IN_WORDS = {
    "shown": gettext_lazy("It was shown, at place %(place)s."),
    "later": gettext_lazy("It came after this list."),
    "removed": gettext_lazy("It had been removed."),
    "unavailable": gettext_lazy("It is not available."),
    "about": gettext_lazy("The list is about it."),
    "excluded": gettext_lazy("The request asked to leave it out."),
    "picked": gettext_lazy("The list was made from it."),
    "beside": gettext_lazy("Another list on the same screen shows it."),
    "seen": gettext_lazy("You had already said something about it."),
    "muted": gettext_lazy("You had asked for nothing of its kind, its creator or its topic."),
    "scenario_filter": gettext_lazy("This kind of list does not let it pass."),
    "filter": gettext_lazy("The filter of the list does not let it pass."),
    "not_found": gettext_lazy(
        "It was not among the %(pool)s candidates that were found for this list."
    ),
    "relevance": gettext_lazy(
        "It was found, but by relevance it stood at %(before)s of %(pool)s; the list has %(size)s"
        " places."
    ),
    "duplicate": gettext_lazy(
        "By relevance it stood at %(before)s, but the same thing stands in the list already, or was"
        " more relevant."
    ),
    "max_per_creator": gettext_lazy(
        "By relevance it stood at %(before)s, but the list already had as many of its creator as it"
        " may have."
    ),
    "max_per_category": gettext_lazy(
        "By relevance it stood at %(before)s, but the list already had as many of its kind as it"
        " may have."
    ),
    "max_similarity": gettext_lazy(
        "By relevance it stood at %(before)s, but it is too much like something in the list."
    ),
    "diversity": gettext_lazy(
        "By relevance it stood at %(before)s, but gave way so that the list is more varied."
    ),
    "pinned": gettext_lazy("It made way for something that was given a place in this list."),
    "exploration": gettext_lazy(
        "Its place was given to something that hardly anybody knows yet, to find out who likes it."
    ),
}


FILTER_FAULTS = {
    "too_long": gettext_lazy("A filter has at most %(most)s characters."),
    "too_many": gettext_lazy("A filter has at most %(most)s values."),
    "too_deep": gettext_lazy("Brackets and “not” go at most %(most)s deep."),
    "unexpected": gettext_lazy("“%(found)s” cannot be read; here may stand: %(known)s."),
    "unfinished": gettext_lazy("The filter ends too early; here may stand: %(known)s."),
    "unknown_field": gettext_lazy("There is no field “%(field)s”; known are: %(known)s."),
    "wrong_operator": gettext_lazy(
        "“%(field)s” cannot be compared by “%(operator)s”; it can by: %(known)s."
    ),
    "wrong_type": gettext_lazy("What “%(field)s” is compared with is a %(type)s."),
    "number": gettext_lazy(
        "A number has at most %(digits)s digits before the point and %(decimals)s after it."
    ),
    "date": gettext_lazy("There is no such day."),
}


def filter_fault(error: FilterError) -> str:
    """What is wrong with a filter, where, and what is allowed."""
    facts = dict(error.facts)
    if "known" in facts:
        facts["known"] = "  ".join(facts["known"])
    if "type" in facts:
        facts["type"] = Attribute.Type(facts["type"]).label
    return _("At character %(at)s: %(fault)s") % {
        "at": error.at,
        "fault": FILTER_FAULTS[error.code] % facts,
    }


def shown_out(shown: Shown, only: Sequence[str] | None = None, *, with_reason: bool = True) -> dict:
    """only  which fields of the item"""
    return {
        "rank": shown.rank,
        "item": facts_out(shown.facts, only),
        "relevance": int(out_of_100(shown.relevance)) / 100,
        "reason": reason_out(shown.reason) if with_reason and shown.reason else None,
        "similar": [named_out(facts) for facts in shown.similar],
    }


def reason_out(reason: Reason) -> dict:
    return {
        "kind": reason.kind,
        "text": reason_text(reason),
        "item": reason.like_uuid and str(reason.like_uuid),
    }


def named_out(facts: Facts) -> dict:
    return {"id": str(facts.uuid), "title": facts.title}


def why_out(served: UUID, why: Why) -> dict:
    return {
        "list": str(served),
        "served_at": why.served_at,
        "item": named_out(why.item),
        "relevance": why.relevance,
        "points": [
            {"part": row.part, "points": row.points, "text": _known(row.part, PARTS_IN_WORDS)}
            for row in why.points
        ],
        "place": why.place,
        "place_by_relevance": why.place_by_relevance,
        "moved": why.moved_by
        and MOVED_IN_WORDS[why.moved_by] % {"before": why.place_by_relevance, "place": why.place},
        "reason": why.reason and why_reason(why),
        "likes": [named_out(facts) for facts in why.likes],
        "interests": [
            {
                "percent": interest.percent,
                "words": words_of(interest.words),
                "likes": [named_out(facts) for facts in interest.likes],
            }
            for interest in why.interests
        ],
        "sources": [
            {"source": name, "text": _known(name, SOURCES_IN_WORDS)} for name in why.sources
        ],
    }


def _known(name: str, words: Mapping[str, str]) -> str:
    """A list may have been made by another release, with what this one does not have."""
    return str(words.get(name, name))


def why_reason(why: Why) -> str | None:
    """As it was told with the list; nothing of a wish that was forgotten since."""
    if why.reason == "wish" and not why.wish:
        return None
    title = why.likes[0].title if why.likes else ""
    return reason_in_words(why.reason, title=title, wish=why.wish, is_picked=why.is_picked)


def why_not_out(served: UUID, why: WhyNot) -> dict:
    numbers = {
        "place": why.place,
        "before": why.place_by_relevance,
        "size": why.list_size,
        "pool": why.pool_size,
    }
    return {
        "list": str(served),
        "served_at": why.served_at,
        "item": named_out(why.item),
        "stage": why.stage,
        "text": STAGES_IN_WORDS[why.stage] % numbers,
        "place": why.place,
        "place_by_relevance": why.place_by_relevance,
        "relevance": why.relevance,
        "list_size": why.list_size,
        "pool_size": why.pool_size,
    }


def recommendation_out(
    found: Recommendation, only: Sequence[str] | None = None, *, with_reasons: bool = True
) -> dict:
    """only  which fields of the items"""
    return {
        "id": str(found.id),
        "scenario": scenario_out(found.place),
        "about": found.about and {"id": str(found.about.uuid), "title": found.about.title},
        "results": [shown_out(row, only, with_reason=with_reasons) for row in found.results],
        "diversity": found.report,
        "steering": found.effect and effect_out(found.effect),
        "tuning": tuning_out(found.tuning) | {"diversity": found.diversity},
        "seed": found.seed,
        "next": found.next,
    }


def scenario_out(place: Place) -> dict:
    return {
        "slug": place.slug,
        "name": scenario_name(place),
        "kind": place.kind,
        "needs": NEEDS.get(place.kind),
    }


def scenario_name(place: Place) -> str:
    """In the language of the request or page, where it has several names."""
    if place.slug == HOME.slug and not place.names:
        return _("For you")
    return category_out(place.slug, place.names)["name"]


def tuning_out(tuning: Tuning) -> dict:
    wishes = {name: getattr(tuning, name) for name in WISHES}
    return {"preset": preset_of(tuning), "diversity": tuning.diversity} | wishes


def effect_out(effect: Effect) -> dict:
    return {
        "changed": effect.changed,
        "moved": [
            {
                "item": str(moved.item),
                "from": moved.former,
                "to": moved.place,
                "by": [str(steer) for steer in moved.by],
            }
            for moved in effect.moved
        ],
        "muted": effect.muted,
    }


def steered_out(steered: Steered) -> dict:
    return {
        "id": str(steered.id),
        "action": steered.action,
        "kind": steered.kind,
        "target": steered.target and steered.target.key,
        "name": steered.target and target_name(steered.target),
        "created_at": steered.created_at,
    }


def target_name(target: Target) -> str:
    """In the language of the request or page, where it has several names."""
    return category_out(target.name, target.names)["name"]


def interests_out(told: Sequence[InterestTold]) -> list[dict]:
    return [
        {
            "id": str(interest.id),
            "words": words_of(interest.words),
            "weight": round(interest.weight, 2),
            "example": interest.words.get("example", ""),
            "state": interest.state,
        }
        for interest in told
    ]


def words_of(words: dict) -> str:
    """An interest in words, in the language of the request or page."""
    names = [category_out(c["slug"], c["names"])["name"] for c in words.get("categories", [])]
    return ", ".join([*names, *words.get("creators", [])])
