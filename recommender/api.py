"""The API of recommendations. Translates, calls one story."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries, services
from catalog.serializers import checked
from recommender import store
from recommender.recommend import recommend, similar
from recommender.search import search
from recommender.serializers import (
    MeIn,
    MeOut,
    RecommendationOut,
    RecommendationsQuery,
    SearchOut,
    SearchQuery,
    SimilarOut,
    SimilarQuery,
    facts_out,
    recommendation_out,
    shown_out,
    words_of,
)


def private(data: dict) -> Response:
    """An answer for one person, which no cache on the way may keep."""
    return Response(data, headers={"Cache-Control": "private, no-store"})


class Recommendations(APIView):
    @extend_schema(
        parameters=[RecommendationsQuery], responses=RecommendationOut, tags=["recommendations"]
    )
    def get(self, request: Request) -> Response:
        """The list for the person who asks, by the newest feedback, as diverse as asked for."""
        query = checked(RecommendationsQuery, request.query_params)
        return private(recommendation_out(recommend(request.user.pk, **query)))


class Similar(APIView):
    @extend_schema(parameters=[SimilarQuery], responses=SimilarOut, tags=["items"])
    def get(self, request: Request, uuid) -> Response:
        """Items like one item, best first."""
        query = checked(SimilarQuery, request.query_params)
        item = queries.shown_item(uuid)
        if item is None:
            raise NotFound
        return Response({"results": [shown_out(row) for row in similar(item.pk, **query)]})


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
        """Change name or diversity."""
        data = checked(MeIn, request.data)
        if "name" in data:
            services.rename(request.user, data["name"])
        if "diversity" in data:
            store.put_preference(request.user.pk, diversity=data["diversity"])
        return private(me_out(request.user))


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
        "diversity": store.diversity_of(user.pk),
        "interests": interests,
    }
