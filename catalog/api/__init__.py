"""The API of facts. Each module translates, calls one service or query; here is what they share."""

from django.core.exceptions import ValidationError as Invalid
from django.db import DataError
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
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
    try:
        page = pages.paginate_queryset(rows, request)
    except (NotFound, Invalid, ValueError, DataError):  # whatever somebody writes into a cursor
        raise no_cursor() from None
    return Response(
        {
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "results": [render(row) for row in page],
        }
    )


def no_cursor() -> ValidationError:
    text = _("Give the cursor of a page as it came, or none to begin anew.")
    return ValidationError({"cursor": ErrorDetail(text, "unknown_cursor")})


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


def revalidated(data: object) -> Response:
    """An answer that whoever asked may keep, and asks about again: see `conditional`."""
    return Response(data, headers={"Cache-Control": "private, no-cache"})


# A view whose answers have an ETag, and are left away (304) when nothing changed.
conditional = method_decorator(conditional_page, name="dispatch")


def or_unchanged(schema) -> dict:
    """The answers of such a view."""
    text = "Nothing changed since the answer whose ETag `If-None-Match` named."
    return {200: schema, 304: OpenApiResponse(description=text)}
