"""The API of recommendations. Translates, calls one story."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries, services
from catalog.api import MOST_IN_A_BATCH
from catalog.serializers import checked, item_detail_out
from catalog.services import Refused
from recommender import begin, explain, notice, steer, store
from recommender.filtering.expression import FilterError
from recommender.models import Wish
from recommender.recommend import recommend, similar
from recommender.search import search
from recommender.serializers import (
    TUNED,
    ImpressionsIn,
    ImpressionsOut,
    ItemWithTopicsOut,
    MeIn,
    MeOut,
    RecommendationOut,
    RecommendationsQuery,
    ScenariosOut,
    SearchOut,
    SearchQuery,
    SimilarOut,
    SimilarQuery,
    SteeringIn,
    SteeringOut,
    SteeringsOut,
    WhyNotOut,
    WhyOut,
    WishesOut,
    WishIn,
    WishOut,
    facts_out,
    filter_fault,
    recommendation_out,
    scenario_out,
    shown_out,
    steered_out,
    tuning_out,
    why_not_out,
    why_out,
    words_of,
)


def private(data: dict, *, status: int = 200) -> Response:
    """An answer for one person, which no cache on the way may keep."""
    return Response(data, status=status, headers={"Cache-Control": "private, no-store"})


@contextmanager
def filter_checked() -> Iterator[None]:
    """A filter that cannot be used is a wrong parameter."""
    try:
        yield
    except FilterError as error:
        detail = ErrorDetail(filter_fault(error), error.code)
        raise ValidationError({"filter": detail}) from None


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


class ItemDetail(APIView):
    @extend_schema(responses=ItemWithTopicsOut, tags=["items"])
    def get(self, request: Request, uuid) -> Response:
        """One item with all that is known of it."""
        item = queries.shown_item(uuid)
        if item is None:
            raise NotFound
        topics = [asdict(topic) for topic in store.topics_of(item.pk)]
        return Response(item_detail_out(item) | {"topics": topics})


class Similar(APIView):
    @extend_schema(parameters=[SimilarQuery], responses=SimilarOut, tags=["items"])
    def get(self, request: Request, uuid) -> Response:
        """Items like one item, best first."""
        query = checked(SimilarQuery, request.query_params)
        item = queries.shown_item(uuid)
        if item is None:
            raise NotFound
        with filter_checked():
            found = similar(item.pk, **query)
        return Response({"results": [shown_out(row) for row in found]})


class Search(APIView):
    @extend_schema(parameters=[SearchQuery], responses=SearchOut, tags=["search"])
    def get(self, request: Request) -> Response:
        """Items by words and by meaning, together."""
        query = checked(SearchQuery, request.query_params)
        found = search(query["q"], limit=query["limit"])
        return Response(
            {
                "results": [facts_out(facts) for facts in found.items],
                "by_meaning": found.by_meaning,
                "corrected": found.corrected,
            }
        )


class Me(APIView):
    @extend_schema(responses=MeOut, tags=["me"])
    def get(self, request: Request) -> Response:
        """Who asks, what was set, and what was learned."""
        return private(me_out(request.user))

    @extend_schema(request=MeIn, responses=MeOut, tags=["me"])
    def patch(self, request: Request) -> Response:
        """Change your name, how lists are made for you, or consent."""
        data = checked(MeIn, request.data)
        if "name" in data:
            services.rename(request.user, data["name"])
        if tuned := {name: data[name] for name in TUNED if name in data}:
            steer.tune(request.user.pk, **tuned)
        if "consent" in data:
            services.set_consent(request.user, data["consent"])
        return private(me_out(request.user))


class Wishes(APIView):
    @extend_schema(responses=WishesOut, tags=["me"])
    def get(self, request: Request) -> Response:
        """What you said you want or do not want, part by part."""
        return private(wishes_out(store.wishes_of(request.user.pk)))

    @extend_schema(request=WishIn, responses={201: WishesOut}, tags=["me"])
    def post(self, request: Request) -> Response:
        """Say it in a sentence. Your lists follow it from the next request on."""
        data = checked(WishIn, request.data)
        said = begin.say(request.user.pk, data["text"], sign=data.get("sign"))
        return private(wishes_out(said), status=201)

    @extend_schema(operation_id="me_wishes_clear", responses={204: None}, tags=["me"])
    def delete(self, request: Request) -> Response:
        """Take all of them back."""
        store.remove_wishes(request.user.pk)
        return Response(status=204)


class WishDetail(APIView):
    @extend_schema(responses={204: None}, tags=["me"])
    def delete(self, request: Request, uuid) -> Response:
        """Take one of them back."""
        if not store.remove_wishes(request.user.pk, uuid):
            raise NotFound
        return Response(status=204)


class Steering(APIView):
    @extend_schema(responses=SteeringsOut, tags=["me"])
    def get(self, request: Request) -> Response:
        """What you want more of, less of, and none of."""
        steered = steer.steered_by(request.user.pk)
        return private({"results": [steered_out(row) for row in steered]})

    @extend_schema(request=SteeringIn, responses={201: SteeringOut}, tags=["me"])
    def post(self, request: Request) -> Response:
        """Steer by one thing, from the next list on. It replaces what you said of the same."""
        data = checked(SteeringIn, request.data)
        return private(steered_out(steer.steer(request.user.pk, **data)), status=201)


class SteeringDetail(APIView):
    @extend_schema(responses={204: None}, tags=["me"])
    def delete(self, request: Request, uuid) -> Response:
        """Undo: steer by it no longer."""
        if not steer.undo(request.user.pk, uuid):
            raise NotFound
        return Response(status=204)


def wishes_out(wishes: Sequence[Wish]) -> dict:
    return {"results": WishOut(wishes, many=True).data}


def me_out(user) -> dict:
    interests = [
        {
            "words": words_of(interest.words),
            "weight": round(interest.weight, 2),
            "example": interest.words.get("example", ""),
        }
        for interest in store.interests_of(user.pk)
    ]
    return {
        "id": str(user.uuid),
        "email": user.email,
        "name": user.name,
        "created_at": user.created_at,
        "is_guest": user.is_guest,
        **tuning_out(store.tuning_of(user.pk)),
        "consent": store.agrees(user.pk),
        "interests": interests,
    }
