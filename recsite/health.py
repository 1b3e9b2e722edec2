"""Is this process alive; can it answer? Readiness needs the database, not Valkey or a model."""

from dataclasses import asdict

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from recommender.store import replicas


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'recommender'")
            migrated = cursor.fetchone()[0] > 0
    except (DatabaseError, InterfaceError) as error:
        return JsonResponse({"status": "no database", "detail": str(error)[:200]}, status=503)
    if not migrated:
        return JsonResponse({"status": "not migrated"}, status=503)
    said = {"status": "ok"}
    if states := replicas.states():  # of which none has to answer
        said["replicas"] = [asdict(state) for state in states]
    return JsonResponse(said)
