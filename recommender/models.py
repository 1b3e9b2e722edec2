"""What the recommender has derived from facts, what it served, and the work that waits.

Everything here can be thrown away and made again from the facts, except Served and what people
set for themselves: Preference, Wish, Steering and InterestChoice.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThan, LessThan
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from catalog.models import Feedback, Item, User
from catalog.uuid7 import uuid7
from recommender.candidates.signals import DEFAULT_WEIGHTS, HEAVIEST

NORM, FACTORS_NORM = (
    Func(F(column), function="l2_norm", output_field=models.FloatField())
    for column in ("embedding", "factors")
)


class Real(models.FloatField):
    """A number in four bytes: enough for weights, half the memory."""

    def db_type(self, connection) -> str:
        return "real"


def between(low: float, high: float) -> list:
    return [MinValueValidator(low), MaxValueValidator(high)]


class EmbeddingSpace(models.Model):
    """One way to turn content into vectors. Vectors of two spaces are never compared."""

    class Status(models.TextChoices):
        BUILDING = "building", _("building")
        ACTIVE = "active", _("active")
        STANDBY = "standby", _("standby")  # was active, is kept up to date, can be gone back to
        RETIRED = "retired", _("retired")  # its vectors are gone

    name = models.SlugField(_("name"), max_length=100, unique=True)
    modality = models.CharField(_("modality"), max_length=10, default="text")
    backend = models.CharField(_("backend"), max_length=20)
    model = models.CharField(_("model"), max_length=300)
    settings = models.JSONField(_("settings"), default=dict)
    digest = models.CharField(_("digest"), max_length=64)
    dimension = models.PositiveIntegerField(_("dimension"))
    # Subtracted from raw vectors, one per role; fixed when the space is made.
    mean_item = ArrayField(models.FloatField(), verbose_name=_("mean of items"))
    mean_query = ArrayField(models.FloatField(), verbose_name=_("mean of queries"))
    # What its model makes of a fixed text, to know a server that holds another; old ones have none.
    probe = ArrayField(models.FloatField(), null=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.BUILDING)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    activated_at = models.DateTimeField(_("activated"), null=True, editable=False)

    class Meta:
        verbose_name = _("embedding space")
        constraints = [
            models.UniqueConstraint(
                fields=["modality"], condition=Q(status="active"), name="space_one_active"
            ),
            # halfvec has an index for up to 4,000 dimensions
            models.CheckConstraint(
                condition=Q(dimension__range=(1, 4000)), name="space_dimension_can_be_indexed"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ItemEmbedding(models.Model):
    """The vector of an item in a space. The HNSW index of each space is made by the store."""

    item = models.ForeignKey(Item, models.CASCADE, related_name="embeddings")
    # No index of its own: the unique constraint begins with the space.
    space = models.ForeignKey(EmbeddingSpace, models.CASCADE, db_index=False)
    embedding = HalfVectorField()
    fingerprint = models.BinaryField(_("fingerprint of text and space"))
    embedded_at = models.DateTimeField(_("embedded"), db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["space", "item"], name="itemembedding_once_a_space"),
            # A cosine index never returns a zero vector; halfvec rounds in the third decimal.
            models.CheckConstraint(
                condition=Q(GreaterThan(NORM, 0.99)) & Q(LessThan(NORM, 1.01)),
                name="itemembedding_has_unit_norm",
            ),
        ]


class ItemWords(models.Model):
    """The words of an item, in tokens of our own making, for search."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="words")
    tokens = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["tokens"], name="itemwords_tokens", fastupdate=False)]


class Word(models.Model):
    """A Latin word that stands in some item: what a misspelt query may have meant."""

    word = models.CharField(primary_key=True, max_length=40, db_collation="C")


class Topic(models.Model):
    """Something that items are about, in the words in which one of them says it."""

    slug = models.SlugField(_("slug"), max_length=80, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=80)
    language = models.CharField(_("language"), max_length=12, blank=True)
    # Once several items have it, it is a word of the whole catalogue, and stays one.
    is_shared = models.BooleanField(
        _("shared"), default=False, help_text=_("several items have it, so it is shown as a topic")
    )
    is_hidden = models.BooleanField(
        _("hidden"), default=False, help_text=_("it says nothing: shown nowhere, of no item")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")

    def __str__(self) -> str:
        return self.name


class ItemTopic(models.Model):
    """That an item is about a topic, or, by an editor's word, that it is not."""

    class Source(models.TextChoices):
        MACHINE = "machine", _("machine")
        EDITOR = "editor", _("editor")

    # No index of its own: the unique constraint begins with the item.
    item = models.ForeignKey(Item, models.CASCADE, related_name="topics", db_index=False)
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="items", verbose_name=_("topic"))
    weight = Real(_("weight"), default=1.0, validators=[MinValueValidator(0), MaxValueValidator(1)])
    source = models.CharField(_("source"), max_length=10, choices=Source, default=Source.EDITOR)
    is_removed = models.BooleanField(
        _("removed"), default=False, help_text=_("stays so when the item is read again")
    )

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        constraints = [
            models.UniqueConstraint(fields=["item", "topic"], name="itemtopic_once_an_item"),
            models.CheckConstraint(
                condition=Q(weight__range=(0, 1)), name="itemtopic_weight_from_0_to_1"
            ),
        ]

    def __str__(self) -> str:
        return str(self.topic)


class ItemReading(models.Model):
    """From which vector, and so from which text, the topics of an item were read."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="+")
    fingerprint = models.BinaryField(_("fingerprint of text and space"))
    version = models.PositiveSmallIntegerField()  # of understanding.topics
    read_at = models.DateTimeField(db_default=Now())


class ModelVersion(models.Model):
    """What one training learned, and how it was judged; of items it lies in LearnedItem."""

    class Status(models.TextChoices):
        INACTIVE = "inactive", _("inactive")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    name = models.SlugField(_("name"), max_length=60, unique=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.INACTIVE)
    # Weights and maps as safetensors; empty when retired.
    tensors = models.BinaryField(_("weights"))
    digest = models.CharField(_("digest of the weights"), max_length=64)
    data_digest = models.CharField(_("digest of the events"), max_length=64)
    events = models.PositiveBigIntegerField(_("events"))
    people = models.PositiveBigIntegerField(_("people"))
    items = models.PositiveBigIntegerField(_("items"))
    until = models.DateTimeField(_("newest event"))
    # Of whose vectors it learned; none where there was none, and in versions of older releases.
    space = models.ForeignKey(EmbeddingSpace, models.SET_NULL, null=True, editable=False)
    seed = models.BigIntegerField(_("seed"))
    seconds = models.FloatField(_("seconds of training"))
    metrics = models.JSONField(_("metrics"), default=dict)
    has_passed = models.BooleanField(_("comparison passed"))
    created_at = models.DateTimeField(_("trained"), db_default=Now(), editable=False)
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True)

    class Meta:
        verbose_name = _("model version")
        constraints = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="active"), name="modelversion_one_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LearnedItem(models.Model):
    """What a version learned of an item: arrays in the form of store/versions.py."""

    # No index of their own: the unique constraint begins with the version, and an item that goes
    # is looked for by its primary key in a few versions.
    version = models.ForeignKey(ModelVersion, models.CASCADE, db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="learned")
    related_ids = models.BinaryField(_("related items"))
    related_weights = models.BinaryField(_("weights of related items"))
    factors = models.BinaryField(_("factors"))
    text_factors = models.BinaryField(_("text factors"), default=b"")
    # Of an item without feedback: the items that stand in for it.
    stand_in_ids = models.BinaryField(_("items that stand in"), null=True)
    stand_in_weights = models.BinaryField(_("weights of items that stand in"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "item"], name="learneditem_once_a_version"),
        ]


class Popularity(models.Model):
    """How much people like an item of late, and just now, each from 0 to 1."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="popularity")
    score = Real()
    trend = Real(db_default=0.0)
    learned_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(F("score").desc(), name="popularity_highest"),
            models.Index(F("trend").desc(), name="popularity_trending", condition=Q(trend__gt=0)),
        ]


class Exposure(models.Model):
    """How many people an item was shown to of late, and how many of them took it up."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="exposure")
    shown = Real()
    taken = Real()
    counted_at = models.DateTimeField(db_default=Now())
    price = Real(null=True)  # of relevance, see ranking/floor.py; None before the first
    priced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(taken__gte=0) & Q(taken__lte=F("shown")),
                name="exposure_no_more_taken_than_shown",
            ),
            models.CheckConstraint(
                condition=Q(price__gte=0) & Q(price__lte=1), name="exposure_price_0_to_1"
            ),
        ]


class Interest(models.Model):
    """One of the things a person likes: a vector, its weight, and words for it."""

    uuid = models.UUIDField(_("public id"), db_default=RandomUUID(), unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="interests", db_index=False)
    space = models.ForeignKey(EmbeddingSpace, models.CASCADE)
    position = models.PositiveSmallIntegerField()
    weight = models.FloatField(_("weight"))
    embedding = HalfVectorField()
    words = models.JSONField(_("words"), default=dict)
    learned_at = models.DateTimeField(_("learned"), db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "space", "position"], name="interest_once_a_position"
            ),
        ]


class InterestChoice(models.Model):
    """An interest that a person switched off or removed: its likes count for nothing."""

    uuid = models.UUIDField(_("public id"), unique=True, editable=False)  # as it had when learned
    user = models.ForeignKey(User, models.CASCADE, related_name="interest_choices")
    space = models.ForeignKey(EmbeddingSpace, models.SET_NULL, null=True)
    embedding = HalfVectorField()
    reach = Real()  # see candidates/silenced.py
    item_ids = ArrayField(models.BigIntegerField())
    words = models.JSONField(_("words"), default=dict)
    weight = models.FloatField(_("weight"))
    is_removed = models.BooleanField(_("removed"), default=False)
    chosen_at = models.DateTimeField(_("chosen"), db_default=Now())


class Candidates(models.Model):
    """Items found for a person from the whole history, which a request has no time to read."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="candidates")
    item_ids = ArrayField(models.BigIntegerField())
    refreshed_at = models.DateTimeField(_("refreshed"), db_default=Now())


class PersonFactors(models.Model):
    """Where a person stands among others, by what a version learned: to find people of like taste.

    A request folds the person in anew; this is for others, and compared within one version only.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="factors")
    # No index on either: who is near is found by reading all rows, see store/peers.py.
    version = models.ForeignKey(ModelVersion, models.CASCADE, db_index=False)
    factors = HalfVectorField()
    folded_in_at = models.DateTimeField(_("folded in"), db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(GreaterThan(FACTORS_NORM, 0.99)) & Q(LessThan(FACTORS_NORM, 1.01)),
                name="personfactors_have_unit_norm",
            ),
        ]


class Preference(models.Model):
    """What a person set for the lists: where the sliders stand. See ranking/tuning.py."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="preference")
    diversity = models.FloatField(_("diversity"), null=True)
    novelty = models.FloatField(_("novelty"), default=0.0, db_default=0.0)
    recency = models.FloatField(_("recency"), default=0.0, db_default=0.0)
    popularity = models.FloatField(_("popularity"), default=0.0, db_default=0.0)
    chronological = models.BooleanField(_("chronological"), default=False, db_default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(diversity=None) | Q(diversity__range=(0, 1)),
                name="preference_diversity_from_0_to_1",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{wish}__range": (-1, 1)}),
                    name=f"preference_{wish}_from_minus_1_to_1",
                )
                for wish in ("novelty", "recency", "popularity")
            ),
        ]


class Served(models.Model):
    """A list that was shown: to whom, in which order, by which settings, how diverse.

    Partitioned by ranges of its id, a month each; see store/partitions.py. The pages of one session
    have ids that follow each other; see store/served.py.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No index of its own: the index below begins with the person.
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="served", db_index=False)
    scenario = models.CharField(_("scenario"), max_length=50)
    settings = models.JSONField(_("settings"))
    item_ids = ArrayField(models.BigIntegerField(), verbose_name=_("items in order"))
    relevance = ArrayField(Real(), verbose_name=_("relevance of each"))
    # See ranking/explore.py; NULL of a list that was served before it was kept.
    propensity = ArrayField(Real(), verbose_name=_("chance of each"), null=True)
    report = models.JSONField(_("diversity report"))
    # See store/served.py; NULL of a list that was served before it was kept.
    explanation = models.BinaryField(_("explanation"), null=True)
    served_at = models.DateTimeField(_("served"), db_default=Now())

    class Meta:
        verbose_name = verbose_name_plural = _("served lists")
        indexes = [models.Index("user", F("id").desc(), name="served_newest_of_user")]


class SeenPlaces(models.Model):
    """Which places of a list came into sight. A list without a row: nobody told."""

    # No foreign key: a month of lists is dropped as one, and this with it.
    list_id = models.UUIDField(primary_key=True)
    places = ArrayField(models.PositiveSmallIntegerField())  # from 1, ascending


class SeenItem(models.Model):
    """How often a person saw an item in lists, and when last."""

    # Neither has an index of its own: the key begins with the person, and people and items may lie
    # in two databases.
    pk = models.CompositePrimaryKey("user_id", "item_id")
    user = models.ForeignKey(User, models.CASCADE, related_name="seen", db_index=False)
    item_id = models.BigIntegerField()
    times = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index("user", F("last_at").desc(), name="seenitem_newest_of_user")]
        constraints = [
            models.CheckConstraint(condition=Q(times__gte=1), name="seenitem_at_least_once")
        ]


class Calibration(models.Model):
    """What each strategy of diversity was measured to keep of relevance, and which was chosen."""

    scenario = models.CharField(_("scenario"), max_length=50)
    made_at = models.DateTimeField(_("measured"), db_default=Now(), editable=False)
    until = models.DateTimeField(_("newest event"))
    people = models.PositiveIntegerField(_("people"))
    events = models.PositiveBigIntegerField(_("events"))
    curves = models.JSONField(_("curves"))  # see evaluation.calibrating.as_json
    budget = models.FloatField(_("budget"))
    strategy = models.CharField(_("strategy"), max_length=20)
    strength = models.FloatField(_("strength"))
    seconds = models.FloatField(_("seconds"))

    class Meta:
        verbose_name = _("calibration of diversity")
        verbose_name_plural = _("calibrations of diversity")
        indexes = [
            models.Index("scenario", F("made_at").desc(), name="calibration_newest_scenario")
        ]

    def __str__(self) -> str:
        return self.scenario


class Job(models.Model):
    """Work that waits: one row for each kind and key, made in the transaction of its cause."""

    # Kinds whose key is a person's id, or was the last one of a batch.
    OF_PEOPLE = ("learn", "wish", "comment", "relearn")

    kind = models.CharField(_("kind"), max_length=20)
    key = models.BigIntegerField(_("key"))
    # Grows with each request, so that a worker sees that something newer came in meanwhile.
    version = models.BigIntegerField(_("version"), default=1)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    leased_until = models.DateTimeField(_("at work until"), null=True, blank=True)
    due_at = models.DateTimeField(_("due"), db_default=Now())
    requested_at = models.DateTimeField(_("requested"), db_default=Now())
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    parked_at = models.DateTimeField(_("parked"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    cause = models.CharField(_("request that caused it"), max_length=64, db_default="")

    class Meta:
        verbose_name = _("job")
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="job_once_a_key")]
        indexes = [
            models.Index(
                fields=["kind", "due_at"],
                name="job_due_of_kind",
                condition=Q(done_at=None, parked_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class KindWeight(models.Model):
    """What an operator lets one kind of feedback weigh; empty where the default holds."""

    kind = models.CharField(_("kind"), primary_key=True, max_length=10, editable=False)
    weight = models.FloatField(
        _("weight"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-HEAVIEST), MaxValueValidator(HEAVIEST)],
        help_text=_("from -2 to 2; below 0 it counts against an item; empty is the default"),
    )

    class Meta:
        verbose_name = _("weight of a kind of feedback")
        verbose_name_plural = _("weights of kinds of feedback")
        constraints = [
            # Refuses NaN too, which Postgres holds to be larger than any number.
            models.CheckConstraint(
                condition=Q(weight=None) | Q(weight__range=(-HEAVIEST, HEAVIEST)),
                name="kindweight_from_minus_2_to_2",
            ),
        ]

    def __str__(self) -> str:
        return str(Feedback.Kind(self.kind).label)

    @property
    def default(self) -> float:
        return DEFAULT_WEIGHTS[self.kind]


class Wish(models.Model):
    """One thing a person said in words: that they want it, or that they do not."""

    class Sign(models.TextChoices):
        WANTED = "wanted", _("wanted")
        UNWANTED = "unwanted", _("not wanted")

    uuid = models.UUIDField(_("public id"), default=uuid7, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="wishes")
    text = models.CharField(_("text"), max_length=300)
    sign = models.CharField(_("sign"), max_length=10, choices=Sign)
    # NULL until the text is encoded, by whoever gets to it: the request or a worker.
    embedding = HalfVectorField(null=True)
    space = models.ForeignKey(EmbeddingSpace, models.SET_NULL, null=True)
    # The vector is the mean of items that have the words, until the encoder has answered.
    is_provisional = models.BooleanField(default=True)
    # Kinds that the text names.
    category_ids = ArrayField(models.BigIntegerField(), default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    removed_at = models.DateTimeField(_("removed"), null=True)

    class Meta:
        verbose_name = _("wish")
        verbose_name_plural = _("wishes")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "text"], condition=Q(removed_at=None), name="wish_once_a_person"
            ),
            models.CheckConstraint(condition=~Q(text=""), name="wish_has_a_text"),
            models.CheckConstraint(
                condition=Q(embedding=None) | Q(GreaterThan(NORM, 0.99)) & Q(LessThan(NORM, 1.01)),
                name="wish_has_unit_norm",
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Steering(models.Model):
    """One thing a person wants more of, less of, or none of, until they undo it."""

    class Action(models.TextChoices):
        MORE = "more", _("more")
        LESS = "less", _("less")
        MUTE = "mute", _("mute")

    class Kind(models.TextChoices):
        CATEGORY = "category", _("category")
        CREATOR = "creator", _("creator")
        TOPIC = "topic", _("topic")

    uuid = models.UUIDField(_("public id"), default=uuid7, unique=True, editable=False)
    # No index of its own: the unique constraint begins with the person.
    user = models.ForeignKey(User, models.CASCADE, related_name="steering", db_index=False)
    action = models.CharField(_("action"), max_length=10, choices=Action)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    # No foreign key: people and items may lie in two databases.
    target_id = models.BigIntegerField(_("what is steered"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("steering")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind", "target_id"], name="steering_once_a_target"
            ),
            models.CheckConstraint(
                condition=Q(action__in=("more", "less", "mute"))
                & Q(kind__in=("category", "creator", "topic")),
                name="steering_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.target_id}"


class Scenario(models.Model):
    """A named place where lists are shown, and the rules of the lists there.

    What is empty is left to the settings of the site; see ranking/scenario.py.
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal", _("for the person")
        CATEGORY = "category", _("for the person, of one category")
        FRESH = "fresh", _("what is new")
        TRENDING = "trending", _("what more and more people like")
        POPULAR = "popular", _("what many people like")
        SIMILAR = "similar", _("like one item")
        BECAUSE = "because", _("because of an item that the person liked")

    slug = models.SlugField(_("slug"), max_length=50, unique=True)
    names = models.JSONField(
        _("names"), default=dict, blank=True, help_text='{"en": "Fresh", "zh": "新鲜"}'
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.PERSONAL)
    sources = models.JSONField(
        _("sources of candidates"),
        default=dict,
        blank=True,
        help_text=_(
            "how many times what each usually says, and no others:"
            ' {"interest": 1, "voted": 1, "new": 2}; empty: those of the kind'
        ),
    )
    half_life_days = models.FloatField(
        _("half-life of freshness, in days"),
        null=True,
        blank=True,
        help_text=_("an item that is so much older counts half as much, but never less than 1/4"),
        validators=between(0.01, 36_500),
    )
    filter = models.TextField(
        _("filter"), blank=True, max_length=2000, help_text='price < 20 and language = "zh"'
    )
    boosts = models.JSONField(
        _("boosts"),
        default=list,
        blank=True,
        help_text=_(
            '[{"if": "price < 20", "strength": 0.3}]: from -1, down to nothing, to 1, up to the'
            " best of the candidates"
        ),
    )
    diversity = models.FloatField(
        _("diversity"), null=True, blank=True, help_text=_("0 to 1"), validators=between(0, 1)
    )
    budget = models.FloatField(
        _("budget"),
        null=True,
        blank=True,
        help_text=_("in the place of diversity: the share of relevance that may be given up"),
        validators=between(0, 1),
    )
    strategy = models.CharField(_("strategy"), max_length=20, blank=True)
    min_categories = models.PositiveSmallIntegerField(
        _("categories at least"), null=True, blank=True, validators=between(0, 100)
    )
    max_per_category = models.PositiveSmallIntegerField(
        _("of a category at most"), null=True, blank=True, validators=between(1, 100)
    )
    max_per_creator = models.PositiveSmallIntegerField(
        _("of a creator at most"), null=True, blank=True, validators=between(1, 100)
    )
    max_similarity = models.FloatField(
        _("likeness of two items at most"),
        null=True,
        blank=True,
        help_text=_("-1 to 1"),
        validators=between(-1, 1),
    )
    exploration = models.FloatField(
        _("share of places for little known items"), null=True, blank=True, validators=between(0, 1)
    )
    again_after_days = models.FloatField(
        _("what was seen comes again after days"),
        null=True,
        blank=True,
        help_text=_("empty: never again; what was disliked or hidden never comes again"),
        validators=between(0, 36_500),
    )
    rotation = models.FloatField(
        _("share of places that change each time"), null=True, blank=True, validators=between(0, 1)
    )

    class Meta:
        verbose_name = _("scenario")
        verbose_name_plural = _("scenarios")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(diversity=None) | Q(budget=None),
                name="scenario_diversity_or_budget",
                violation_error_message=_("Ask for a diversity or a budget, not both."),
            ),
            # Refuse NaN too, which Postgres holds to be larger than any number.
            *(
                models.CheckConstraint(
                    condition=Q(**{name: None}) | Q(**{f"{name}__range": (0, 1)}),
                    name=f"scenario_{name}_from_0_to_1",
                )
                for name in ("diversity", "budget", "exploration", "rotation")
            ),
            models.CheckConstraint(
                condition=Q(max_similarity=None) | Q(max_similarity__range=(-1, 1)),
                name="scenario_max_similarity_from_minus_1_to_1",
            ),
            models.CheckConstraint(
                condition=Q(half_life_days=None) | Q(half_life_days__range=(0.01, 36_500)),
                name="scenario_half_life_in_days",
            ),
            models.CheckConstraint(
                condition=Q(again_after_days=None) | Q(again_after_days__range=(0, 36_500)),
                name="scenario_again_after_days",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class ScenarioPin(models.Model):
    """An item that stands at a place of the lists of a scenario for some time."""

    class Label(models.TextChoices):
        PROMOTED = "promoted", _("promotion")
        PICKED = "picked", _("picked by the editors")

    scenario = models.ForeignKey(Scenario, models.CASCADE, related_name="pins", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="+", verbose_name=_("item"))
    place = models.PositiveSmallIntegerField(_("place"), validators=between(1, 100))
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    label = models.CharField(
        _("label"),
        max_length=10,
        choices=Label,
        default=Label.PROMOTED,
        help_text=_("what the list says of it"),
    )

    class Meta:
        verbose_name = _("pin or promotion")
        verbose_name_plural = _("pins and promotions")
        constraints = [
            models.UniqueConstraint(
                fields=["scenario", "item", "starts_at"],
                name="scenariopin_once_a_scenario",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(place__range=(1, 100)), name="scenariopin_place_from_1"
            ),
            models.CheckConstraint(
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="scenariopin_ends_after_it_starts",
                violation_error_message=_("It ends before it starts."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.place}. {self.item}"


class CommentSign(models.Model):
    """Whether a comment speaks for its item, 1, or against it, -1, as the encoder read it."""

    feedback = models.OneToOneField(Feedback, models.CASCADE, primary_key=True, related_name="+")
    sign = Real()
    version = models.PositiveSmallIntegerField()  # of understanding.sentiment

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sign__range=(-1, 1)), name="commentsign_from_minus_1_to_1"
            ),
        ]
