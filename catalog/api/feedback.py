"""What people say of items: given once or in a batch, listed, taken back."""

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries, services
from catalog.api import MOST_IN_A_BATCH, page_of, paged
from catalog.serializers import (
    FeedbackIn,
    FeedbackOut,
    FeedbackQuery,
    FeedbackResultOut,
    checked,
)
from catalog.services import Given, Refused

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
        rows = queries.live_feedback(request.user)
        if "kind" in query:
            rows = rows.filter(kind=query["kind"])
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
        results = []
        with transaction.atomic():
            for entry in request.data:
                try:
                    row, is_new = services.record_feedback(request.user, given(entry))
                    results.append({"status": 201 if is_new else 200, "id": row.uuid})
                except Refused as refusal:
                    if refusal.code == "no_account":
                        raise
                    results.append(
                        {
                            "status": STATUS.get(refusal.code, 400),
                            "id": entry.get("id"),
                            "code": refusal.code,
                            "detail": refusal.message,
                        }
                    )
                except ValidationError as error:
                    results.append(
                        {
                            "status": 400,
                            "id": None,
                            "code": "validation",
                            "detail": str(error.detail)[:500],
                        }
                    )
        return Response(results, status=207)


def given(data: object) -> Given:
    if not isinstance(data, dict):
        raise ValidationError(_("A piece of feedback is an object."))
    clean = checked(FeedbackIn, data)
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
