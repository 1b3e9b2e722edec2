"""One item, items like it, and the search."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries
from catalog.serializers import checked, item_detail_out
from recommender import store
from recommender.api import filter_checked
from recommender.recommend import similar
from recommender.search import search
from recommender.serializers import (
    ItemWithTopicsOut,
    SearchOut,
    SearchQuery,
    SimilarOut,
    SimilarQuery,
    facts_out,
    shown_out,
)


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
