"""Lists, what came into sight of them, and why."""

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.api import MOST_IN_A_BATCH, private
from catalog.serializers import FiniteField, Flag, Strict, checked
from catalog.services import Refused
from recommender import explain, notice, store
from recommender.api import filter_checked
from recommender.ranking.scenario import NEEDS
from recommender.recommend import recommend, recommend_rows
from recommender.serializers import (
    MOST_EXCLUDED,
    MOST_SEED,
    FilterField,
    IdsField,
    ImpressionsIn,
    ImpressionsOut,
    RecommendationOut,
    RecommendationsQuery,
    ScenariosOut,
    WhyNotOut,
    WhyOut,
    fields_field,
    recommendation_out,
    scenario_out,
    why_not_out,
    why_out,
)

MOST_ROWS = 6


class Recommendations(APIView):
    @extend_schema(
        parameters=[RecommendationsQuery], responses=RecommendationOut, tags=["recommendations"]
    )
    def get(self, request: Request) -> Response:
        """The list for the person who asks, by the newest feedback, as diverse as asked for."""
        query = checked(RecommendationsQuery, request.query_params)
        fields, with_reasons = query.pop("fields", None), query.pop("reasons")
        with filter_checked():
            found = recommend(request.user.pk, **query)
        return private(recommendation_out(found, fields, with_reasons=with_reasons))


class HomeQuery(Strict):
    scenarios = serializers.CharField(
        required=False,
        max_length=500,
        help_text="slugs of places, with commas between them, one a row; if not given, all that"
        " need nothing else, in their order, up to 6",
    )
    limit = serializers.IntegerField(min_value=1, max_value=40, default=10, help_text="of each row")
    diversity = FiniteField(min_value=0, max_value=1, required=False)
    filter = FilterField()
    exclude = IdsField(
        MOST_EXCLUDED, help_text="ids of items to leave out, with commas between them"
    )
    fields = fields_field()
    reasons = Flag(default=True, help_text="false: without a reason for each item")
    seed = serializers.IntegerField(min_value=0, max_value=MOST_SEED, required=False)

    def validate_scenarios(self, said: str) -> list[str]:
        slugs = [slug.strip() for slug in said.split(",")]
        if len(slugs) > MOST_ROWS:
            raise ValidationError(_("A screen has at most %(most)d rows.") % {"most": MOST_ROWS})
        if len(set(slugs)) < len(slugs):
            raise ValidationError(_("A screen has each place once."), "twice")
        return slugs


class HomeOut(serializers.Serializer):
    rows = RecommendationOut(many=True, help_text="each is a list of its own, with its cursor")


class Home(APIView):
    @extend_schema(parameters=[HomeQuery], responses=HomeOut, tags=["recommendations"])
    def get(self, request: Request) -> Response:
        """A home screen in one request: a list for each of several places, no item in two of them.

        The further pages of each list show nothing of the other rows either.
        """
        query = checked(HomeQuery, request.query_params)
        fields, with_reasons = query.pop("fields", None), query.pop("reasons")
        slugs = query.pop("scenarios", None)
        if slugs is None:
            places = [place for place in store.active_places() if place.kind not in NEEDS]
            slugs = [place.slug for place in places][:MOST_ROWS]
        with filter_checked():
            found = recommend_rows(request.user.pk, slugs, **query)
        rows = [recommendation_out(row, fields, with_reasons=with_reasons) for row in found]
        return private({"rows": rows})


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
