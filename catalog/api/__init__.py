"""The API of facts. Each module translates, calls one service or query; here is what they share."""

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

MOST_IN_A_BATCH = 100


class Pages(CursorPagination):
    """Pages by cursor: stable while rows are added, and no page is ever far."""

    page_size_query_param = "limit"
    max_page_size = 100
    page_size = 20

    def __init__(self, *ordering: str) -> None:
        self.ordering = ordering

    def get_schema_operation_parameters(self, view) -> list:
        return []  # the query serializer describes them


def paged(request: Request, rows, render, *ordering: str) -> Response:
    pages = Pages(*ordering)
    page = pages.paginate_queryset(rows, request)
    return Response(
        {
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "results": [render(row) for row in page],
        }
    )


def page_of(serializer, name: str):
    """The schema of a page of something."""
    return inline_serializer(
        name,
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": serializer(many=True),
        },
    )


def private(data: object, *, status: int = 200) -> Response:
    """An answer for one person, which no cache on the way may keep."""
    return Response(data, status=status, headers={"Cache-Control": "private, no-store"})
