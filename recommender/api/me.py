"""Oneself: how lists are made, wishes and steering."""

from collections.abc import Sequence

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import services
from catalog.api import private
from catalog.api.privacy import Erasable
from catalog.serializers import checked
from recommender import begin, interests, steer, store
from recommender.models import Wish
from recommender.serializers import (
    TUNED,
    InterestIn,
    InterestsOut,
    MeIn,
    MeOut,
    SteeringIn,
    SteeringOut,
    SteeringsOut,
    WishesOut,
    WishIn,
    WishOut,
    interests_out,
    steered_out,
    tuning_out,
)


class Me(Erasable):
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


class Interests(APIView):
    @extend_schema(responses=InterestsOut, tags=["me"])
    def get(self, request: Request) -> Response:
        """What you are taken to like, and what of it you switched off or removed."""
        return private({"results": interests_out(store.told_interests(request.user.pk))})


class InterestDetail(APIView):
    @extend_schema(request=InterestIn, responses=InterestsOut, tags=["me"])
    def patch(self, request: Request, uuid) -> Response:
        """Switch one on or off, or remove it. Your next list obeys; all of them are answered."""
        data = checked(InterestIn, request.data)
        if not interests.choose(request.user.pk, uuid, data["state"]):
            raise NotFound
        return private({"results": interests_out(store.told_interests(request.user.pk))})

    @extend_schema(responses={204: None}, tags=["me"])
    def delete(self, request: Request, uuid) -> Response:
        """Remove one. It stays listed as removed, so that it can be switched on again."""
        if not interests.choose(request.user.pk, uuid, interests.REMOVED):
            raise NotFound
        return Response(status=204)


def wishes_out(wishes: Sequence[Wish]) -> dict:
    return {"results": WishOut(wishes, many=True).data}


def me_out(user) -> dict:
    tuning, agrees = store.set_by(user.pk)
    return {
        "id": str(user.uuid),
        "email": user.email,
        "name": user.name,
        "created_at": user.created_at,
        "is_guest": user.is_guest,
        **tuning_out(tuning),
        "consent": agrees,
        "interests": interests_out(store.told_interests(user.pk)),
    }
