"""For servers: items, people and feedback by the ids of their own system, ten thousand a call.

Rows come as lines of JSON and are read as they come; the answer has a line for each of them, once
all that could be written is written. Sent again, a call changes nothing.
"""

import tempfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
from django.contrib.auth.models import AnonymousUser
from django.http import StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog import server_keys
from catalog.importers import bulk, objects
from catalog.importers.bulk import Load, Result
from catalog.importers.reading import inflated
from catalog.models import ServerKey
from catalog.serializers import Strict, checked

Scope = ServerKey.Scope
NDJSON = "application/x-ndjson"
ROWS, BODY_BYTES = 10_000, 64_000_000  # of a call; unpacked
IN_MEMORY_BYTES = 1_000_000  # of a body; the rest waits on disk
PIECE_BYTES = 1 << 16


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"


class Waiting(APIException):
    """A load of somebody else is under way."""

    status_code = 503
    default_code = "busy"
    wait = bulk.WAIT_SECONDS


# --- who calls ------------------------------------------------------------------------------------


class ServerKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer srv_…`: a key is nobody, so it opens nothing that is a person's.

    On whose behalf it is, is looked up in the same statement: `person_id` of the key.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ServerKey] | None:
        scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = server_keys.find(key.strip(), person=request.query_params.get("person"))
        if found is None:
            raise AuthenticationFailed(_("Invalid key."))
        return AnonymousUser(), found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    def has_permission(self, request: Request, view: "ServerView") -> bool:
        if not isinstance(request.auth, ServerKey):
            raise NotAuthenticated
        if view.scope and view.scope not in request.auth.scopes:
            raise PermissionDenied(_("This key is not for “%s”.") % view.scope.value)
        return True


class ServerKeyScheme(OpenApiAuthenticationExtension):
    target_class = ServerKeyAuthentication
    name = "serverKey"

    def get_security_definition(self, auto_schema) -> dict:
        return {"type": "http", "scheme": "bearer", "description": "A key made in the admin."}


class ServerView(APIView):
    """For keys alone: a person's token opens none of these."""

    authentication_classes = (ServerKeyAuthentication,)
    permission_classes = (HasScope,)
    scope: Scope | None = None


# --- what comes in, and goes out ----------------------------------------------------------------


class LinesParser(BaseParser):
    """A body of any size up to BODY_BYTES, read once before anything is locked."""

    media_type = NDJSON

    def parse(self, stream, media_type=None, parser_context=None) -> BinaryIO:
        request = parser_context["request"]
        packing = request.META.get("HTTP_CONTENT_ENCODING", "identity").lower()
        if packing not in ("identity", "gzip"):
            raise UnsupportedMediaType(packing)
        pieces = iter(lambda: stream.read(PIECE_BYTES), b"")
        body = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115, the view closes it
        try:
            for piece in inflated(pieces) if packing == "gzip" else pieces:
                body.write(piece)
                if body.tell() > BODY_BYTES:
                    raise TooLarge(_("A call takes at most %d MB.") % (BODY_BYTES // 1_000_000))
        except zlib.error as error:
            raise ValidationError(str(error)) from None
        body.seek(0)
        return body


class RowResultOut(serializers.Serializer):
    """A line of the answer: what became of one line of the body."""

    line = serializers.IntegerField(help_text="of the body, from 1")
    id = serializers.CharField(allow_null=True, help_text="of feedback: user and item")
    outcome = serializers.ChoiceField(["created", "updated", "unchanged", "refused"])
    code = serializers.CharField(required=False, help_text="of a refusal")
    detail = serializers.CharField(required=False, help_text="of a refusal")


def result_out(result: Result) -> bytes:
    number, id, outcome, reason = result
    line = {"line": number, "id": id, "outcome": outcome}
    if reason:
        code = slugify(reason.partition(":")[0].replace(".", " ")).replace("-", "_")
        line |= {"code": code, "detail": reason}
    return msgspec.json.encode(line) + b"\n"


def limited(rows: Iterator) -> Iterator:
    for number, row in enumerate(rows):
        if number == ROWS:
            raise TooLarge(_("A call takes at most %d rows; nothing was written.") % ROWS)
        yield row


def bulk_schema(row: type[msgspec.Struct], summary: str):
    [_ref], schemas = msgspec.json.schema_components([row])
    return extend_schema(
        request={NDJSON: schemas[row.__name__]},
        responses={(200, NDJSON): OpenApiResponse(RowResultOut, description="a line a row")},
        tags=["servers"],
        summary=summary,
    )


class BulkView(ServerView):
    """Each row is judged by itself: what is refused is named, and the others are written."""

    parser_classes = (LinesParser,)
    shape: type[msgspec.Struct]
    what: str

    def perform_content_negotiation(self, request: Request, force: bool = False):
        """Lines, and JSON where all is refused, whatever is asked for."""
        return self.get_renderers()[0], JSONRenderer.media_type

    def load(self, request: Request, stage: objects.Stage) -> StreamingHttpResponse:
        checked(Strict, request.query_params)
        body = request.data
        if not hasattr(body, "readline"):
            raise ValidationError(_("Give lines of JSON."))
        with body:
            rows = objects.staged(limited(objects.read_lines(body)), self.shape, stage)
            try:
                with bulk.load(request.auth.source, is_awaited=True) as job:
                    self.write(job, rows, stage)
                    lines = [result_out(result) for result in job.results(self.what)]
            except bulk.Busy:
                raise Waiting(_("Another load is under way; please try again.")) from None
        return StreamingHttpResponse(
            lines, content_type=NDJSON, headers={"Cache-Control": "private, no-store"}
        )

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        raise NotImplementedError


class ItemsUpsert(BulkView):
    scope, what, shape = Scope.INGEST_ITEMS, "items", objects.ItemRow

    @bulk_schema(objects.ItemRow, "Write items")
    def post(self, request: Request) -> StreamingHttpResponse:
        """Make items, or make them what their rows say: what a row does not name is emptied."""
        return self.load(request, objects.ItemStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.ItemStage) -> None:
        job.items("items", rows, objects.ITEM_FIELDS, attributes=list(stage.attributes))


class ItemsHide(BulkView):
    scope, what, shape = Scope.INGEST_ITEMS, "items", objects.IdRow

    @bulk_schema(objects.IdRow, "Hide items")
    def post(self, request: Request) -> StreamingHttpResponse:
        """Take items out of all lists; writing one again brings it back."""
        return self.load(request, objects.IdStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        job.hide_items("items", rows)


class PeopleUpsert(BulkView):
    scope, what, shape = Scope.INGEST_PEOPLE, "people", objects.PersonRow

    @bulk_schema(objects.PersonRow, "Write people")
    def post(self, request: Request) -> StreamingHttpResponse:
        """Make people, or give them the name of their row; who has an account keeps theirs."""
        return self.load(request, objects.PersonStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        job.people("people", rows, objects.PERSON_FIELDS)


class PeopleHide(BulkView):
    scope, what, shape = Scope.INGEST_PEOPLE, "people", objects.IdRow

    @bulk_schema(objects.IdRow, "Hide people")
    def post(self, request: Request) -> StreamingHttpResponse:
        """Recommend nothing to people and take no feedback of theirs, until they are shown."""
        return self.load(request, objects.IdStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        job.hide_people("people", rows)


class PeopleShow(BulkView):
    scope, what, shape = Scope.INGEST_PEOPLE, "people", objects.IdRow

    @bulk_schema(objects.IdRow, "Take back that people were hidden")
    def post(self, request: Request) -> StreamingHttpResponse:
        """The other way round."""
        return self.load(request, objects.IdStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        job.show_people("people", rows)


class FeedbackIngest(BulkView):
    scope, what, shape = Scope.INGEST_FEEDBACK, "feedback", objects.DatedFeedbackRow

    @bulk_schema(objects.DatedFeedbackRow, "Write feedback")
    def post(self, request: Request) -> StreamingHttpResponse:
        """What people did, by the ids of both. One row is known again by user, item, kind and
        moment."""
        return self.load(request, objects.FeedbackStage())

    def write(self, job: Load, rows: Iterator[tuple], stage: objects.Stage) -> None:
        job.feedback("feedback", rows, objects.FEEDBACK_FIELDS)
