"""What people say of items: given once or in a batch, listed, taken back."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries, services
from catalog.api import MOST_IN_A_BATCH, page_of, paged
from catalog.models import Feedback
from catalog.serializers import (
    FeedbackIn,
    FeedbackOut,
    FeedbackQuery,
    FeedbackResultOut,
    checked,
)
from catalog.services import Given, Refused

# Parameters of one's history, and what each asks of a row.
FILTERS = {
    "kind": "kind",
    "item": "item__uuid",
    "since": "occurred_at__gte",
    "until": "occurred_at__lt",
}
STATUS = {"conflict": 409, "unknown_item": 404}


class FeedbackList(APIView):
    @extend_schema(
        operation_id="feedback_list",
        parameters=[FeedbackQuery],
        responses=page_of(FeedbackOut, "FeedbackPage"),
        tags=["feedback"],
    )
    def get(self, request: Request) -> Response:
        """One's own live feedback, newest first."""
        query = checked(FeedbackQuery, request.query_params)
        asked = {FILTERS[name]: query[name] for name in FILTERS if name in query}
        rows = queries.live_feedback(request.user).filter(**asked)
        return paged(request, rows, lambda row: FeedbackOut(row).data, "-occurred_at", "-id")

    @extend_schema(
        request={"application/json": FeedbackIn},
        responses={
            201: FeedbackOut,
            200: OpenApiResponse(FeedbackOut, description="it was here already; or a batch"),
            207: FeedbackResultOut(many=True),
        },
        tags=["feedback"],
    )
    def post(self, request: Request) -> Response:
        """Give feedback: one object, or a list of up to 100. It is kept once this answers."""
        if isinstance(request.data, list):
            return self._batch(request)
        row, is_new = services.record_feedback(request.user, given(request.data))
        return Response(FeedbackOut(row).data, status=201 if is_new else 200)

    def _batch(self, request: Request) -> Response:
        if not 1 <= len(request.data) <= MOST_IN_A_BATCH:
            raise ValidationError(_("A batch has 1 to 100 pieces of feedback."))
        entries = [self._read(entry) for entry in request.data]
        kept = iter(
            services.record_all_feedback(
                request.user, [entry for entry in entries if isinstance(entry, Given)]
            )
        )
        return Response(
            [
                result_of(entry, next(kept)) if isinstance(entry, Given) else entry
                for entry in entries
            ],
            status=207,
        )

    def _read(self, entry: object) -> Given | dict:
        try:
            return given(entry)
        except ValidationError as error:
            detail = str(error.detail)[:500]
            return {"status": 400, "id": None, "code": "validation", "detail": detail}


def result_of(entry: Given, outcome: tuple[UUID, bool] | Refused) -> dict:
    if isinstance(outcome, Refused):
        return {
            "status": STATUS.get(outcome.code, 400),
            "id": entry.uuid,
            "code": outcome.code,
            "detail": outcome.message,
        }
    uuid, is_new = outcome
    return {"status": 201 if is_new else 200, "id": uuid}


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a piece of feedback as it mostly comes, judged in microseconds."""

    item: UUID
    kind: str
    id: UUID | None = None
    value: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=5000)] = ""
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    served: UUID | None = None

    @property
    def is_usual(self) -> bool:
        """Whether nothing is to be said of it: for all else there is the serializer."""
        if self.kind == Feedback.Kind.RATING:
            return self.value is not None and 0.5 <= self.value <= 5
        if self.kind == Feedback.Kind.DWELL:
            return self.value is not None and self.value >= 0
        return self.kind in Feedback.Kind.values and self.kind != Feedback.Kind.COMMENT


def given(data: object) -> Given:
    if not isinstance(data, dict):
        raise ValidationError(_("A piece of feedback is an object."))
    try:
        body = msgspec.convert(data, Body)
    except msgspec.ValidationError:
        body = None
    if body and body.is_usual:
        # As the serializer would say it, since the digest of the body goes by that.
        moment = body.occurred_at and body.occurred_at.astimezone(UTC)
        return Given(
            body.item, body.kind, body.value, body.text.strip(), moment, body.id, body.served
        )
    return given_of(checked(FeedbackIn, data))


def given_of(clean: dict) -> Given:
    return Given(
        item=clean["item"],
        kind=clean["kind"],
        value=clean.get("value"),
        text=clean.get("text", ""),
        occurred_at=clean.get("occurred_at"),
        uuid=clean.get("id"),
        served_id=clean.get("served"),
    )


class FeedbackDetail(APIView):
    @extend_schema(responses={200: FeedbackOut}, tags=["feedback"])
    def delete(self, request: Request, uuid) -> Response:
        """Take feedback back. What it had replaced counts again."""
        try:
            row = services.retract_feedback(request.user, uuid)
        except Refused as refusal:
            if refusal.code == "unknown_feedback":
                raise NotFound from None
            raise
        return Response(FeedbackOut(row).data)
