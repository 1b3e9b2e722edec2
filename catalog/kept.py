"""What facts are kept of a person: how each is handed over, and erased."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import F
from django_otp.plugins.otp_totp.models import TOTPDevice

from catalog import personal_data
from catalog.models import Archive, Consent, Erasure, Feedback, Session, Token, User

TOGETHER = 2_000  # rows read at once
# What stands in the place of the id that another system knows an erased person by.
ERASED = "erased:"


def erased_id(source: str, external_id: str) -> str:
    """A digest by which an import knows whom not to bring back, and that names nobody.

    >>> len(erased_id("shop", "customer 7"))
    71
    """
    return ERASED + sha256(f"{source}\x1f{external_id}".encode()).hexdigest()


def erased_id_sql(source: str, external_id: str) -> str:
    """The same in SQL, of two expressions."""
    text = f"convert_to({source} || chr(31) || {external_id}, 'UTF8')"
    return f"'{ERASED}' || encode(sha256({text}), 'hex')"


def read(model: type[models.Model], *fields: str, **named: F) -> Callable[[int], Iterable[dict]]:
    """Rows with a `user`, streamed: these fields, and others under another name."""

    def export(user_id: int) -> Iterator[dict]:
        rows = model.objects.filter(user_id=user_id).order_by("pk")
        return rows.values(*fields, **named).iterator(chunk_size=TOGETHER)

    return export


def removal(model: type[models.Model], column: str = "user_id") -> Callable[[int], int]:
    """One statement, so that rows by the million never come into memory."""
    return statement(f"DELETE FROM {model._meta.db_table} WHERE {column} = %s")


def statement(sql: str) -> Callable[[int], int]:
    """Of a statement with one place, for the id of the person: the rows that it touched."""

    def erase(user_id: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql, [user_id])
            return cursor.rowcount

    return erase


def _profile(user_id: int) -> Iterable[dict]:
    fields = ("uuid", "kind", "email", "name", "source", "external_id", "created_at", "last_login")
    return User.objects.filter(pk=user_id).values(*fields)


def _blank_log(user_id: int) -> int:
    """What operators did with the person stays, without a word of who it was."""
    of_people = ContentType.objects.get_for_model(User)
    entries = LogEntry.objects.filter(content_type=of_people, object_id=str(user_id))
    return entries.exclude(object_repr="").update(object_repr="", change_message="")


def _erase_archives(user_id: int) -> int:
    """Locked first, so that whoever writes one has ended, or does not begin."""
    archives = Archive.objects.select_for_update().filter(user_id=user_id)
    return Archive.objects.filter(pk__in=list(archives.values_list("pk", flat=True))).delete()[0]


def register() -> None:
    # The row of the person is a tombstone since they were erased; guests who became them go.
    personal_data.register(
        User._meta.label, _profile, statement("DELETE FROM catalog_user WHERE merged_into_id = %s")
    )
    personal_data.register(
        Consent._meta.label,
        read(Consent, "purpose", "version", "given_at", "withdrawn_at"),
        removal(Consent),
    )
    personal_data.register(
        Feedback._meta.label,
        read(
            Feedback,
            *("uuid", "kind", "value", "text", "occurred_at", "received_at"),
            *("retracted_at", "superseded_at", "served_id"),
            of_item=F("item__uuid"),
            title=F("item__title"),
        ),
        removal(Feedback),
    )
    for model, expires in ((Token, "expiry"), (Session, "expire_date")):
        fields = ("created", "used_at", expires, "network", "device")
        personal_data.register(model._meta.label, read(model, *fields), removal(model))
    personal_data.register(
        TOTPDevice._meta.label,
        read(TOTPDevice, "created_at", "confirmed", "last_used_at"),
        removal(TOTPDevice),
    )
    personal_data.register(LogEntry._meta.label, None, _blank_log)
    personal_data.register(
        Archive._meta.label, read(Archive, "asked_at", "by", "ready_at"), _erase_archives
    )
    personal_data.exempt("catalog.ArchivePart", "bytes of an archive, which go with it")
    personal_data.exempt(Erasure._meta.label, "the audit id and the receipt, which stay")
    personal_data.exempt("catalog.Mail", "goes at once with the address, else when it is sent")
    for name in ("User_groups", "User_user_permissions"):
        personal_data.exempt(f"catalog.{name}", "rights, taken away with the account at once")
