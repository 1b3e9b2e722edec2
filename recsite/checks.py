"""Is the database what Medley needs? Said by `check --database default`, and at start-up."""

from django.core.checks import Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.signals import connection_created

MIN_POSTGRES = 160000
MIN_PGVECTOR = (0, 8, 4)
_looked = False


def problems(cursor) -> list[str]:
    """What is wrong with a database, each with what to do."""
    cursor.execute(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
        " lower('É') = 'é' AND '科' ~ '^[[:alpha:]]$',"
        " (SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
        "   max(version)) FROM pg_available_extension_versions WHERE name = 'vector')"
    )
    version, encoding, knows_letters, pgvector = cursor.fetchone()
    found = []
    if version < MIN_POSTGRES:
        found.append(f"PostgreSQL {version // 10000} is too old: use 16 or later")
    if encoding != "UTF8" or not knows_letters:
        found.append(
            "the database does not know letters beyond ASCII, so Chinese has no words: make it"
            " with ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE"
            " template0 (PostgreSQL 17), or with another UTF-8 locale"
        )
    if pgvector is None:
        found.append("pgvector is not installed on the server: install it (0.8.4 or later)")
    elif tuple(int(part) for part in pgvector.split(".")[:3]) < MIN_PGVECTOR:
        found.append(
            f"pgvector {pgvector} is too old: install 0.8.4 or later, then"
            " ALTER EXTENSION vector UPDATE"
        )
    return found


@register(Tags.database)
def database_is_fit(app_configs, databases=(), **kwargs) -> list[Error]:
    errors = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            errors += [Error(text, id="medley.E001") for text in problems(cursor)]
    return errors


def refuse_unfit(sender, connection, **kwargs) -> None:
    """Celery drops the results of checks, so the first connection of each process looks too."""
    global _looked
    if not _looked and connection.alias == DEFAULT_DB_ALIAS:
        _looked = True
        with connection.cursor() as cursor:
            if found := problems(cursor):
                raise ImproperlyConfigured("; ".join(found))


def connect() -> None:
    connection_created.connect(refuse_unfit, dispatch_uid="recsite.refuse_unfit")
