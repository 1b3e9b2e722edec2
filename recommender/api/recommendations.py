"""Lists, what came into sight of them, and why."""

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api import MOST_IN_A_BATCH, private
from catalog.serializers import checked
from catalog.services import Refused
from recommender import explain, notice, store
from recommender.api import filter_checked
from recommender.recommend import recommend
from recommender.serializers import (
    ImpressionsIn,
    ImpressionsOut,
    RecommendationOut,
    RecommendationsQuery,
    ScenariosOut,
    WhyNotOut,
    WhyOut,
    recommendation_out,
    scenario_out,
    why_not_out,
    why_out,
)


class Recommendations(APIView):
    @extend_schema(
        parameters=[RecommendationsQuery], responses=RecommendationOut, tags=["recommendations"]
    )
    def get(self, request: Request) -> Response:
        """The list for the person who asks, by the newest feedback, as diverse as asked for."""
        query = checked(RecommendationsQuery, request.query_params)
        with filter_checked():
            found = recommend(request.user.pk, **query)
        return private(recommendation_out(found))


class Scenarios(APIView):
    @extend_schema(responses=ScenariosOut, tags=["recommendations"])
    def get(self, request: Request) -> Response:
        """The places that lists are made for, in the order of showing."""
        return Response({"results": [scenario_out(place) for place in store.active_places()]})


class Impressions(APIView):
    @extend_schema(
        request={"application/json": ImpressionsIn},
        responses={
            200: ImpressionsOut,
            207: OpenApiResponse(ImpressionsOut(many=True), description="a batch"),
        },
        tags=["recommendations"],
    )
    def post(self, request: Request) -> Response:
        """Tell what of your lists came into sight: one object, or a list of up to 100.

        What was seen several times and not taken up steps back in later lists.
        """
        if isinstance(request.data, list):
            return private(self._batch(request), status=207)
        told = told_in(request.data)
        (outcome,) = notice.notice(request.user.pk, [told])
        if isinstance(outcome, Refused):
            raise NotFound if outcome.code == "unknown_list" else outcome
        return private(impressions_out(told.list, outcome))

    def _batch(self, request: Request) -> list[dict]:
        if not 1 <= len(request.data) <= MOST_IN_A_BATCH:
            raise ValidationError(_("A batch has 1 to %d entries.") % MOST_IN_A_BATCH)
        entries = []
        for entry in request.data:
            try:
                entries.append(told_in(entry))
            except ValidationError as error:
                said = entry.get("list") if isinstance(entry, dict) else None
                entries.append(
                    {
                        "list": None if said is None else str(said)[:36],
                        "status": 400,
                        "code": "validation",
                        "detail": str(error.detail)[:500],
                    }
                )
        told = [entry for entry in entries if isinstance(entry, notice.Told)]
        outcomes = iter(notice.notice(request.user.pk, told))
        return [
            entry if isinstance(entry, dict) else impressions_out(entry.list, next(outcomes))
            for entry in entries
        ]


def told_in(data: object) -> notice.Told:
    if not isinstance(data, dict):
        raise ValidationError(_("An impression is an object with a list and positions."))
    clean = checked(ImpressionsIn, data)
    return notice.Told(clean["list"], clean["positions"])


def impressions_out(of: UUID, outcome: int | Refused) -> dict:
    if isinstance(outcome, Refused):
        status = 404 if outcome.code == "unknown_list" else 400
        return {"list": str(of), "status": status, "code": outcome.code, "detail": outcome.message}
    return {"list": str(of), "status": 200, "new": outcome}


class Why(APIView):
    @extend_schema(responses=WhyOut, tags=["recommendations"])
    def get(self, request: Request, served: UUID, item: UUID) -> Response:
        """Why an item stands in a list of one's own: what found it, and its points."""
        if (found := explain.why(served, item, request.user)) is None:
            raise NotFound
        return private(why_out(served, found))


class WhyNot(APIView):
    @extend_schema(responses=WhyNotOut, tags=["recommendations"])
    def get(self, request: Request, served: UUID, item: UUID) -> Response:
        """Why an item does not stand in a list of one's own: the stage at which it fell."""
        if (found := explain.why_not(served, item, request.user)) is None:
            raise NotFound
        return private(why_not_out(served, found))
