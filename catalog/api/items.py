"""Items, page by page."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries
from catalog.api import page_of, paged
from catalog.serializers import (
    ItemOut,
    ItemsQuery,
    checked,
    item_out,
)


class Items(APIView):
    @extend_schema(
        operation_id="items_list",
        parameters=[ItemsQuery],
        responses=page_of(ItemOut, "ItemPage"),
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """All items that are shown, newest first."""
        query = checked(ItemsQuery, request.query_params)
        rows = queries.shown_items()
        if "category" in query:
            rows = rows.filter(categories__slug=query["category"])
        if "kind" in query:
            rows = rows.filter(kind=query["kind"])
        return paged(request, rows, item_out, "-created_at", "-id")
