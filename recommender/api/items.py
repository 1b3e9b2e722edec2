"""Items: page by page, one in full, what is like one, what a creator made; and the search.

What anybody sees alike has an ETag.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from catalog import queries
from catalog.api import conditional, no_cursor, or_unchanged, page_of, revalidated
from catalog.api.items import CreatorOut, creator_out
from catalog.serializers import Flag, ItemDetailOut, PageQuery, Strict, category_out, checked
from recommender import store
from recommender.api import filter_checked
from recommender.filtering.ranges import ranges
from recommender.recommend import similar
from recommender.search import DEEP, Found, search
from recommender.serializers import (
    FilterField,
    NamesField,
    PartOfItemOut,
    SimilarOut,
    SimilarQuery,
    TopicOut,
    facts_out,
    fields_field,
    shown_out,
)
from recommender.store import Full
from recommender.understanding.highlights import pieces

NEWEST, OLDEST = "newest", "oldest"
SNIPPET = 200  # characters of a description around the first hit
OF_A_CREATOR = 20  # items told with a creator


class ItemsQuery(PageQuery):
    category = serializers.CharField(required=False, max_length=100, help_text="slug")
    kind = serializers.CharField(required=False, max_length=30)
    creator = serializers.UUIDField(required=False, help_text="id of a creator")
    filter = FilterField()
    fields = fields_field()
    ordering = serializers.ChoiceField(
        choices=(NEWEST, OLDEST), default=NEWEST, help_text="by when they came to this site"
    )


class ItemWithTopicsOut(ItemDetailOut):
    """An item with all that is known of it."""

    topics = TopicOut(many=True, help_text="what it is about, in the words of its text")


class CreatorDetailOut(CreatorOut):
    items = PartOfItemOut(many=True, help_text="the newest of theirs")
    more = serializers.URLField(help_text="all of them, page by page")


class SearchQuery(Strict):
    q = serializers.CharField(max_length=500, help_text="words in any language")
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)
    cursor = serializers.CharField(required=False, max_length=100, help_text="as `next` has it")
    filter = FilterField()
    fields = fields_field()
    facets = NamesField(
        store.FACETS,
        help_text="what to count in the best 400 results: " + ", ".join(store.FACETS),
    )
    highlights = Flag(
        default=False, help_text="mark the words that were found in title and description"
    )


class PieceOut(serializers.Serializer):
    """A piece of a text as it is: escape it as any other text."""

    text = serializers.CharField(trim_whitespace=False)
    is_hit = serializers.BooleanField()


class HighlightsOut(serializers.Serializer):
    title = PieceOut(many=True)
    description = PieceOut(many=True, help_text="200 characters of it around the first hit")


class SearchedOut(PartOfItemOut):
    highlights = HighlightsOut(required=False)


class FacetValueOut(serializers.Serializer):
    value = serializers.CharField(help_text="of a price: from, and up to but without")
    name = serializers.CharField(help_text="in the language of the request")
    count = serializers.IntegerField()
    filter = serializers.CharField(help_text="give it as `filter` to see these alone")


class FacetOut(serializers.Serializer):
    field = serializers.ChoiceField(choices=store.FACETS)
    values = FacetValueOut(many=True)


class SearchOut(serializers.Serializer):
    results = SearchedOut(many=True)
    next = serializers.URLField(allow_null=True)
    by_meaning = serializers.BooleanField(help_text="false: the encoder did not answer in time")
    corrected = serializers.DictField(
        child=serializers.CharField(), help_text="word of the query → what was looked for instead"
    )
    facets = FacetOut(many=True)


# --- lists --------------------------------------------------------------------------------------


@conditional
class Items(APIView):
    @extend_schema(
        operation_id="items_list",
        parameters=[ItemsQuery],
        responses=or_unchanged(page_of(PartOfItemOut, "ItemPage")),
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """All items that are shown, newest first. Pages are stable while items are added."""
        query = checked(ItemsQuery, request.query_params)
        with filter_checked():
            only = store.all_of(
                [
                    store.condition_in(query["filter"]) if "filter" in query else None,
                    store.in_category(query["category"]) if "category" in query else None,
                    store.of_kind(query["kind"]) if "kind" in query else None,
                    store.by_creator(query["creator"]) if "creator" in query else None,
                ]
            )
        back, after = place_in(query["cursor"]) if "cursor" in query else (False, None)
        limit = query["limit"]
        rows = store.items_shown(
            only,
            after=after,
            ascending=(query["ordering"] == OLDEST) != back,
            limit=limit + 1,
        )
        is_more, rows = len(rows) > limit, rows[:limit]
        if back:
            rows.reverse()
        here = request.build_absolute_uri()
        has_next = rows and (back or is_more)
        has_previous = rows and (is_more if back else after is not None)
        return revalidated(
            {
                "next": _link(here, False, rows[-1].uuid) if has_next else None,
                "previous": _link(here, True, rows[0].uuid) if has_previous else None,
                "results": [facts_out(facts, query.get("fields")) for facts in rows],
            }
        )


def _link(here: str, back: bool, uuid: UUID) -> str:
    return replace_query_param(here, "cursor", cursor_of(bytes([back]) + uuid.bytes))


def cursor_of(place: bytes) -> str:
    return urlsafe_b64encode(place).decode().rstrip("=")


def bytes_in(cursor: str) -> bytes:
    """What cursor_of() was given; of what it did not make, anything."""
    try:
        return urlsafe_b64decode(cursor.encode("ascii", "replace") + b"==")
    except ValueError:
        return b""


def place_in(cursor: str) -> tuple[bool, UUID]:
    """Whether to go back, and from which item; 400 for what is no cursor of a list of items."""
    place = bytes_in(cursor)
    if len(place) != 17 or place[0] > 1:
        raise no_cursor()
    return bool(place[0]), UUID(bytes=place[1:])


@conditional
class CreatorDetail(APIView):
    @extend_schema(responses=or_unchanged(CreatorDetailOut), tags=["items"])
    def get(self, request: Request, uuid: UUID) -> Response:
        """Somebody who made items, with the newest of them."""
        creator = queries.creator_called(uuid)
        if creator is None:
            raise NotFound
        newest = store.items_shown(store.by_creator(uuid), limit=OF_A_CREATOR)
        more = request.build_absolute_uri(f"/api/v1/items/?creator={creator.uuid}")
        return revalidated(
            creator_out(creator) | {"items": [facts_out(facts) for facts in newest], "more": more}
        )


# --- one item -----------------------------------------------------------------------------------


@conditional
class ItemDetail(APIView):
    @extend_schema(responses=or_unchanged(ItemWithTopicsOut), tags=["items"])
    def get(self, request: Request, uuid: UUID) -> Response:
        """One item with all that is known of it."""
        item = store.item_in_full(uuid)
        if item is None:
            raise NotFound
        return revalidated(full_out(item))


def full_out(item: Full) -> dict:
    return facts_out(item.facts) | {
        "language": item.language,
        "price": None if item.price is None else str(item.price),
        "currency": item.currency,
        "latitude": item.latitude,
        "longitude": item.longitude,
        "attributes": item.attributes,
        "topics": [asdict(topic) for topic in item.topics],
    }


@conditional
class Similar(APIView):
    @extend_schema(parameters=[SimilarQuery], responses=or_unchanged(SimilarOut), tags=["items"])
    def get(self, request: Request, uuid: UUID) -> Response:
        """Items like one item, best first."""
        query = checked(SimilarQuery, request.query_params)
        item = store.shown_id(uuid)
        if item is None:
            raise NotFound
        fields = query.pop("fields", None)
        with filter_checked():
            found = similar(item, **query)
        return revalidated({"results": [shown_out(row, fields) for row in found]})


# --- search -------------------------------------------------------------------------------------


class Search(APIView):
    @extend_schema(parameters=[SearchQuery], responses=SearchOut, tags=["search"])
    def get(self, request: Request) -> Response:
        """Items by words and by meaning, together; with what to narrow them by."""
        query = checked(SearchQuery, request.query_params)
        offset = offset_in(query["cursor"]) if "cursor" in query else 0
        with filter_checked():
            found = search(
                query["q"],
                limit=query["limit"],
                offset=offset,
                filter=query.get("filter"),
                facets=query.get("facets", ()),
            )
        here = remove_query_param(request.build_absolute_uri(), "cursor")
        after = cursor_of(b"s%d" % (offset + query["limit"]))
        return Response(
            {
                "results": searched_out(found, query.get("fields"), marked=query["highlights"]),
                "next": replace_query_param(here, "cursor", after) if found.has_more else None,
                "by_meaning": found.by_meaning,
                "corrected": found.corrected,
                "facets": facets_out(found.facets) if found.facets else [],
            }
        )


def offset_in(cursor: str) -> int:
    place = bytes_in(cursor)
    number = place[1:].decode("ascii", "replace")
    if place[:1] != b"s" or not number.isdecimal() or len(number) > 4 or int(number) > 2 * DEEP:
        raise no_cursor()
    return int(number)


def searched_out(found: Found, fields: tuple[str, ...] | None, *, marked: bool) -> list[dict]:
    rows = [facts_out(facts, fields) for facts in found.items]
    if marked:
        for row, facts in zip(rows, found.items, strict=True):
            row["highlights"] = {
                "title": pieces_out(facts.title, found.terms),
                "description": pieces_out(facts.description, found.terms, longest=SNIPPET),
            }
    return rows


def pieces_out(text: str, terms: list[str], *, longest: int | None = None) -> list[dict]:
    return [asdict(piece) for piece in pieces(text, terms, longest=longest)]


def facets_out(facets: store.Facets) -> list[dict]:
    counted = [
        {
            "field": field,
            "values": [
                {
                    "value": row.value,
                    "name": category_out(row.value, row.names)["name"],
                    "count": row.count,
                    "filter": f"{field} = {quoted(row.value)}",
                }
                for row in rows
            ],
        }
        for field, rows in facets.values.items()
    ]
    if facets.prices is not None:
        counted.append(
            {"field": "price", "values": [price_out(row) for row in ranges(facets.prices)]}
        )
    return counted


def price_out(row) -> dict:
    low, high = f"{row.low:f}", None if row.high is None else f"{row.high:f}"
    return {
        "value": f"{low}-{high or ''}",
        "name": f"{low}–{high}" if high else _("%(low)s and more") % {"low": low},
        "count": row.count,
        "filter": f"price >= {low}" + (f" and price < {high}" if high else ""),
    }


def quoted(text: str) -> str:
    """As a filter writes a text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
