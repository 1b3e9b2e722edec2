"""Facts: what there is, who is here, and what they told us.

Inside, rows are joined by bigint keys; outside, a row is known by its UUIDv7 alone. What must
hold is a constraint in the database, so that no door can forget it.
"""

from decimal import Decimal
from uuid import uuid4

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Lower, Now
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from catalog.uuid7 import uuid7

LOCAL = "medley"  # the source of everything that was made here and not imported


class Identified(models.Model):
    """A row with a public id, and the name another system knows it by."""

    uuid = models.UUIDField(_("public id"), default=uuid7, unique=True, editable=False)
    source = models.CharField(_("source"), max_length=50, default=LOCAL)
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], name="%(class)s_external_id_once_a_source"
            ),
        ]


class People(BaseUserManager):
    """How accounts with a password are made; imported people come through catalog.services."""

    def create_user(self, email: str | None, password: str | None = None, **fields) -> "User":
        user = self.model(email=email.lower() if email else None, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str) -> "User":
        return self.get(email=username.lower())


class User(Identified, AbstractBaseUser, PermissionsMixin):
    """A person, or a server that acts for people."""

    class Kind(models.TextChoices):
        GUEST = "guest", _("guest")
        MEMBER = "member", _("member")
        IMPORTED = "imported", _("imported")
        SERVICE = "service", _("service")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.MEMBER)
    email = models.EmailField(_("e-mail"), unique=True, null=True, blank=True)
    email_verified_at = models.DateTimeField(
        _("e-mail confirmed"), null=True, blank=True, editable=False
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)
    consent_epoch = models.PositiveIntegerField(_("consent epoch"), default=0)

    objects = People()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta(Identified.Meta):
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            *Identified.Meta.constraints,
            # With the column unique, this makes it unique without case.
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
            models.CheckConstraint(
                condition=~Q(kind="guest") | Q(email=None), name="user_guest_has_no_email"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="user_guests", condition=Q(kind="guest"))
        ]

    def __str__(self) -> str:
        return self.name or self.email or f"{self.source}:{self.external_id or self.uuid}"

    def save(self, *args, **kwargs) -> None:
        """Whichever door sets a password or closes the account, every sign-in ends with it."""
        has_new_password = self._password is not None  # a mere new hash of the same is none
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if not is_new and (has_new_password or not self.is_active):
            self.end_sign_ins()

    @property
    def is_guest(self) -> bool:
        return self.kind == self.Kind.GUEST

    def clean(self) -> None:
        super().clean()
        self.email = self.email.lower() if self.email else None

    def end_sign_ins(self) -> None:
        """Every token and session, from the next request on."""
        self.auth_token_set.all().delete()
        self.session_set.all().delete()


class SignIn(models.Model):
    """That somebody is signed in somewhere: by a token of the API, or a session of the pages.

    network  where they were last: the address with its end cut off, see catalog.addresses
    device   what last said it was theirs: the start of its User-Agent
    """

    uuid = models.UUIDField(_("public id"), default=uuid7, unique=True, editable=False)
    network = models.CharField(_("from"), max_length=50, blank=True)
    device = models.CharField(_("device"), max_length=200, blank=True)
    used_at = models.DateTimeField(_("last used"), db_default=Now())

    class Meta:
        abstract = True


class Token(SignIn, AbstractAuthToken):
    """A token of the API: what is kept is its digest."""

    class Meta(AbstractAuthToken.Meta):
        abstract = False
        verbose_name = _("token")


class Session(SignIn, AbstractBaseSession):
    """A session of the pages: its key is kept as a digest too. Nobody's until they do something."""

    user = models.ForeignKey(User, models.CASCADE, null=True)
    created = models.DateTimeField(_("created"), db_default=Now())

    class Meta(AbstractBaseSession.Meta):
        abstract = False


class Consent(models.Model):
    """What a person agreed to, and until when. A withdrawn consent stays as evidence."""

    class Purpose(models.TextChoices):
        PERSONALISATION = "personalisation", _("personalisation")

    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(_("purpose"), max_length=30, choices=Purpose)
    version = models.CharField(_("version of the text"), max_length=20)
    given_at = models.DateTimeField(_("given"), db_default=Now())
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "purpose"],
                condition=Q(withdrawn_at=None),
                name="consent_one_in_force_a_purpose",
            ),
        ]


class Erasure(models.Model):
    """That a person was erased: the audit id, and a receipt of what went. Nothing else stays."""

    class By(models.TextChoices):
        PERSON = "person", _("the person")
        OPERATOR = "operator", _("an operator")

    # Its id is the only key to the receipt, so it must not be guessed from another.
    uuid = models.UUIDField(_("receipt"), default=uuid4, unique=True, editable=False)
    # No foreign key: the row of a guest is removed after a while.
    person_id = models.BigIntegerField(_("audit id"), unique=True)
    by = models.CharField(_("asked by"), max_length=10, choices=By)
    asked_at = models.DateTimeField(_("asked"), db_default=Now(), editable=False)
    erased_at = models.DateTimeField(_("erased"), null=True)
    counts = models.JSONField(_("rows erased"), default=dict)
    # Versions that were trained while the person was there; see docs/privacy.md.
    versions = models.JSONField(_("model versions trained before"), default=list)

    class Meta:
        verbose_name = _("erasure")

    def __str__(self) -> str:
        return str(self.person_id)


class Archive(models.Model):
    """All that is a person's, asked for by them or by an operator, to be fetched for a while."""

    uuid = models.UUIDField(_("public id"), default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="archives")
    by = models.CharField(_("asked by"), max_length=10, choices=Erasure.By)
    asked_at = models.DateTimeField(_("asked"), db_default=Now(), editable=False)
    ready_at = models.DateTimeField(_("ready"), null=True)
    expires_at = models.DateTimeField(_("until"), null=True)
    size = models.PositiveBigIntegerField(_("bytes"), default=0)

    class Meta:
        verbose_name = _("archive of a person's data")
        verbose_name_plural = _("archives of people's data")
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(ready_at=None), name="archive_one_in_the_making"
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class ArchivePart(models.Model):
    """A stretch of an archive's bytes: so that neither maker nor reader holds it whole."""

    # No index of its own: the unique constraint begins with the archive.
    archive = models.ForeignKey(Archive, models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["archive", "number"], name="archivepart_once"),
        ]


class Category(models.Model):
    """A kind of items. Categories form a tree and have a name per language."""

    uuid = models.UUIDField(_("public id"), default=uuid7, unique=True, editable=False)
    slug = models.SlugField(_("slug"), max_length=100, unique=True, allow_unicode=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    names = models.JSONField(_("names"), default=dict, help_text=_('{"en": "Drama", "zh": "剧情"}'))

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="category_not_its_own_parent")
        ]

    def __str__(self) -> str:
        return self.name_in("en")

    def name_in(self, language: str) -> str:
        """The name in a language, else in English, else any, else the slug."""
        short = language.split("-")[0]
        return (
            self.names.get(short)
            or self.names.get("en")
            or next(iter(self.names.values()), self.slug)
        )


class Creator(Identified):
    """Who made an item: a director, a seller, an author, an account."""

    name = models.CharField(_("name"), max_length=200)

    class Meta(Identified.Meta):
        verbose_name = _("creator")

    def __str__(self) -> str:
        return self.name


class Attribute(models.Model):
    """A declared field that items may carry beyond the common ones, with its type."""

    class Type(models.TextChoices):
        TEXT = "text", _("text")
        NUMBER = "number", _("number")
        BOOLEAN = "boolean", _("yes or no")
        DATE = "date", _("date")

    name = models.SlugField(_("name"), max_length=50, unique=True)
    type = models.CharField(_("type"), max_length=10, choices=Type)

    class Meta:
        verbose_name = _("attribute")

    def __str__(self) -> str:
        return self.name


class Item(Identified):
    """Something that can be recommended. It is hidden or removed, never deleted, by a door."""

    kind = models.CharField(_("kind"), max_length=30, default="item", db_index=True)
    title = models.CharField(_("title"), max_length=500)
    description = models.TextField(_("description"), blank=True, max_length=20_000)
    language = models.CharField(_("language"), max_length=12, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    url = models.URLField(_("address"), max_length=2000, blank=True)
    image_url = models.URLField(_("image address"), max_length=2000, blank=True)
    # The name of its picture here. The database's default, since bulk writes do not name it.
    picture = models.CharField(max_length=44, blank=True, db_default="", editable=False)
    price = models.DecimalField(
        _("price"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    latitude = models.FloatField(
        _("latitude"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-90), MaxValueValidator(90)],
    )
    longitude = models.FloatField(
        _("longitude"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-180), MaxValueValidator(180)],
    )
    is_available = models.BooleanField(_("available"), default=True)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), db_default=Now(), editable=False)
    creators = models.ManyToManyField(Creator, through="ItemCreator", related_name="items")
    categories = models.ManyToManyField(Category, related_name="items", blank=True)

    class Meta(Identified.Meta):
        verbose_name = _("item")
        constraints = [
            *Identified.Meta.constraints,
            models.CheckConstraint(condition=~Q(title=""), name="item_has_a_title"),
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0), name="item_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(latitude=None) | Q(latitude__range=(-90, 90)), name="item_latitude"
            ),
            models.CheckConstraint(
                condition=Q(longitude=None) | Q(longitude__range=(-180, 180)), name="item_longitude"
            ),
        ]
        indexes = [
            models.Index(
                Coalesce("published_at", "created_at").desc(),
                "id",
                name="item_newest_shown",
                condition=Q(is_available=True, removed_at=None),
            ),
            # What filters ask for most: among a million items few that pass are found by these.
            *(
                models.Index(
                    fields=[name, "id"],
                    name=f"item_{name}_shown",
                    condition=Q(is_available=True, removed_at=None),
                )
                for name in ("price", "language")
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_shown(self) -> bool:
        return self.is_available and self.removed_at is None

    @property
    def shown_image_url(self) -> str:
        """Where a browser finds the picture: here, once it was fetched."""
        return f"/pictures/{self.picture}" if self.picture else self.image_url


class ItemCreator(models.Model):
    """One creator of an item; position 0 is the first, whom the limits per creator count."""

    item = models.ForeignKey(Item, models.CASCADE)
    creator = models.ForeignKey(Creator, models.CASCADE)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "creator"], name="itemcreator_once"),
            models.UniqueConstraint(fields=["item", "position"], name="itemcreator_one_a_position"),
        ]


class Feedback(models.Model):
    """What a person did with an item. History: rows are added, retracted, superseded, not edited.

    A like, dislike, rating and hide of one item share one slot: the live opinion, which is the
    one with the latest occurred_at that was not retracted.
    """

    class Kind(models.TextChoices):
        VIEW = "view", _("view")
        LIKE = "like", _("like")
        DISLIKE = "dislike", _("dislike")
        RATING = "rating", _("rating")
        SAVE = "save", _("save")
        SHARE = "share", _("share")
        PURCHASE = "purchase", _("purchase")
        COMMENT = "comment", _("comment")
        DWELL = "dwell", _("dwell")
        HIDE = "hide", _("hide")

    OPINIONS = (Kind.LIKE, Kind.DISLIKE, Kind.RATING, Kind.HIDE)

    uuid = models.UUIDField(_("id given by the client"), default=uuid7)
    # No index of its own: each index below begins with the person.
    user = models.ForeignKey(User, models.CASCADE, related_name="feedback", db_index=False)
    item = models.ForeignKey(Item, models.PROTECT, related_name="feedback")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    value = models.FloatField(_("value"), null=True, blank=True)
    text = models.TextField(_("text"), blank=True, max_length=5000)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"), db_default=Now())
    retracted_at = models.DateTimeField(_("retracted"), null=True, blank=True)
    superseded_at = models.DateTimeField(_("superseded"), null=True, blank=True)
    served_id = models.UUIDField(_("list it answers"), null=True, blank=True)
    digest = models.BinaryField(_("digest of the body"), default=bytes, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("feedback")
        constraints = [
            models.UniqueConstraint(fields=["user", "uuid"], name="feedback_once_a_uuid"),
            models.UniqueConstraint(
                fields=["user", "item"],
                condition=Q(
                    kind__in=("like", "dislike", "rating", "hide"),
                    retracted_at=None,
                    superseded_at=None,
                ),
                name="feedback_one_live_opinion",
            ),
            # Both refuse NaN too, which Postgres holds to be larger than any number.
            models.CheckConstraint(
                condition=~Q(kind="rating") | Q(value__isnull=False, value__range=(0.5, 5)),
                name="feedback_rating_on_the_scale",
            ),
            models.CheckConstraint(
                condition=~Q(kind="dwell") | Q(value__isnull=False, value__gte=0),
                name="feedback_dwell_in_seconds",
            ),
            models.CheckConstraint(
                condition=Q(value=None) | Q(value__range=(-1e9, 1e9)), name="feedback_value_finite"
            ),
        ]
        indexes = [
            models.Index(
                "user",
                F("occurred_at").desc(),
                F("id").desc(),
                name="feedback_newest_live",
                condition=Q(retracted_at=None, superseded_at=None),
            ),
            models.Index(fields=["user", "received_at", "id"], name="feedback_history"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.user_id} of {self.item_id}"


class Allowance(models.Model):
    """How much of an allowance is spent, until it is whole again. Of whom is told by no row."""

    key = models.BinaryField(primary_key=True)
    spent = models.IntegerField()
    whole_at = models.DateTimeField(db_index=True)


class Mail(models.Model):
    """An e-mail that somebody asked for. The row goes when a worker has dealt with it.

    Whether the address is anybody's is found out by the worker: who asks learns nothing from the
    answer or from its time.
    """

    class Kind(models.TextChoices):
        RESET = "reset", _("a new password")
        CONFIRM = "confirm", _("confirmation of the address")

    kind = models.CharField(max_length=10, choices=Kind)
    email = models.EmailField()
    language = models.CharField(max_length=12)
    asked_at = models.DateTimeField(db_default=Now())


class ServerKey(models.Model):
    """What a server of ours may do, and to which ids. Of the key itself only a digest is kept."""

    class Scope(models.TextChoices):
        INGEST_ITEMS = "ingest_items", _("write items")
        INGEST_PEOPLE = "ingest_people", _("write people")
        INGEST_FEEDBACK = "ingest_feedback", _("write feedback")
        RECOMMEND = "recommend", _("recommend to people")
        READ_SCORES = "read_scores", _("read scores")
        READ_METRICS = "read_metrics", _("read metrics")

    name = models.CharField(_("name"), max_length=100)
    source = models.CharField(
        _("source"), max_length=50, help_text=_("the system whose ids the server speaks of")
    )
    scopes = ArrayField(
        models.CharField(max_length=20, choices=Scope), verbose_name=_("what it may do")
    )
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    digest = models.BinaryField(unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"))
    is_active = models.BooleanField(_("active"), default=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("key of a server")
        verbose_name_plural = _("keys of servers")
        constraints = [
            # What was made here is written here alone.
            models.CheckConstraint(
                condition=~Q(source__in=("", LOCAL)), name="serverkey_of_another_system"
            ),
        ]

    def __str__(self) -> str:
        return self.name
