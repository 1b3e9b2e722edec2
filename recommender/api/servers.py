"""For servers: lists and scores on behalf of people, and what an operator watches."""

from collections.abc import Iterator, Sequence

from django.http import HttpResponse, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import queries
from catalog.api import private
from catalog.api.servers import Scope, ServerView
from catalog.serializers import Strict, checked
from recommender import jobs, shared, store
from recommender.api import filter_checked
from recommender.recommend import recommend, scores
from recommender.serializers import (
    RecommendationOut,
    RecommendationsQuery,
    ShownOut,
    recommendation_out,
)
from recommender.store import replicas

MOST_SCORED = 200
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class PersonQuery(Strict):
    person = serializers.CharField(max_length=200, help_text="as your system knows them")


class ServerRecommendationsQuery(PersonQuery, RecommendationsQuery):
    pass


class ServerShownOut(ShownOut):
    external_id = serializers.CharField(
        allow_null=True, help_text="as your system knows the item; null: it is none of yours"
    )


class ServerRecommendationOut(RecommendationOut):
    results = ServerShownOut(many=True)


class ScoresIn(Strict):
    items = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=MOST_SCORED
    )


class ScoreOut(serializers.Serializer):
    item = serializers.CharField()
    score = serializers.FloatField(
        allow_null=True, help_text="0 to 1; null: there is no such item, or it may not be shown"
    )


class ScoresOut(serializers.Serializer):
    results = ScoreOut(many=True)


class KindOut(serializers.Serializer):
    kind = serializers.CharField()
    waiting = serializers.IntegerField()
    at_work = serializers.IntegerField()
    parked = serializers.IntegerField(help_text="given up; an operator decides")
    oldest_seconds = serializers.IntegerField(help_text="since the oldest of them was asked for")


class JobsOut(serializers.Serializer):
    results = KindOut(many=True)


class PersonView(ServerView):
    def person(self, request: Request) -> tuple[int, QueryDict]:
        """Who it is, and what else was asked."""
        given = request.query_params.copy()
        named = QueryDict(mutable=True)
        named.setlist("person", given.pop("person", []))
        checked(PersonQuery, named)
        if request.auth.person_id is None:
            raise NotFound
        return request.auth.person_id, given


class ServerRecommendations(PersonView):
    scope = Scope.RECOMMEND

    @extend_schema(
        parameters=[ServerRecommendationsQuery], responses=ServerRecommendationOut, tags=["servers"]
    )
    def get(self, request: Request) -> Response:
        """The list for one of your people. Theirs it is: it is kept as if they had asked."""
        person_id, given = self.person(request)
        query = checked(RecommendationsQuery, given)
        fields, with_reasons = query.pop("fields", None), query.pop("reasons")
        with filter_checked():
            found = recommend(person_id, **query)
        answer = recommendation_out(found, fields, with_reasons=with_reasons)
        for row, shown in zip(answer["results"], found.results, strict=True):
            is_theirs = shown.facts.source == request.auth.source
            row["external_id"] = shown.facts.external_id if is_theirs else None
        return private(answer)


class Scores(PersonView):
    scope = Scope.READ_SCORES

    @extend_schema(
        parameters=[PersonQuery],
        request={"application/json": ScoresIn},
        responses=ScoresOut,
        tags=["servers"],
    )
    def post(self, request: Request) -> Response:
        """How relevant items are to one of your people, before a scenario moves anything."""
        person_id, others = self.person(request)
        checked(Strict, others)
        names = checked(ScoresIn, request.data)["items"]
        ids = queries.items_known_as(request.auth.source, names)
        found = scores(person_id, list(ids.values())) if ids else {}
        return private(
            {"results": [{"item": name, "score": found.get(ids.get(name))} for name in names]}
        )


class Jobs(ServerView):
    @extend_schema(responses=JobsOut, tags=["servers"])
    def get(self, request: Request) -> Response:
        """The work that your calls caused: what waits, what is at work, what was given up."""
        checked(Strict, request.query_params)
        return private({"results": jobs.counts_by_kind()})


class Metrics(ServerView):
    scope = Scope.READ_METRICS

    @extend_schema(
        responses={(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR)}, tags=["servers"]
    )
    def get(self, request: Request) -> HttpResponse:
        """Counts, the queue, coverage and what was shared, as Prometheus reads them."""
        checked(Strict, request.query_params)
        lines = "\n".join(
            prometheus(store.sizes(), jobs.counts_by_kind(), shared.counts(), replicas.states())
        )
        return HttpResponse(
            lines + "\n", content_type=PROMETHEUS, headers={"Cache-Control": "private, no-store"}
        )


def prometheus(
    sizes: dict[str, int],
    kinds: list[dict],
    readings: Sequence[tuple[str, str, int]] = (),
    states: Sequence[replicas.State] = (),
) -> Iterator[str]:
    """
    >>> list(prometheus({"people": 3}, []))
    ['# TYPE medley_people gauge', 'medley_people 3']
    >>> list(prometheus({}, [], [("query", "hit", 7)]))[1]
    'medley_shared_total{what="query",outcome="hit"} 7'
    """
    for name, value in sizes.items():
        yield f"# TYPE medley_{name} gauge"
        yield f"medley_{name} {value}"
    for name in ("waiting", "at_work", "parked", "oldest_seconds") if kinds else ():
        yield f"# TYPE medley_jobs_{name} gauge"
        for kind in kinds:
            yield f'medley_jobs_{name}{{kind="{kind["kind"]}"}} {kind[name]}'
    if readings:
        yield "# TYPE medley_shared_total counter"
    for name, outcome, times in readings:
        yield f'medley_shared_total{{what="{name}",outcome="{outcome}"}} {times}'
    for name in ("is_used", "behind_seconds") if states else ():
        yield f"# TYPE medley_replica_{name} gauge"
        for state in states:
            value = getattr(state, name)
            told = "+Inf" if value is None else float(value)
            yield f'medley_replica_{name}{{name="{state.name}"}} {told}'
