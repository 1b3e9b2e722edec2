"""The API of facts: accounts, items, feedback. Translates, calls one service or query."""

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from catalog import guests, queries, services
from catalog.models import User
from catalog.serializers import (
    FeedbackIn,
    FeedbackOut,
    FeedbackQuery,
    FeedbackResultOut,
    ItemOut,
    ItemsQuery,
    RegisterIn,
    SignInIn,
    TokenOut,
    checked,
    item_out,
)
from catalog.services import Given, Refused

MOST_IN_A_BATCH = 100
STATUS = {"conflict": 409, "unknown_item": 404}


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


class ByAddress(AnonRateThrottle):
    """So many accounts, sign-ins and guests a minute from one address."""

    scope = "accounts"

    def get_rate(self) -> str:
        return f"{settings.SIGN_INS_A_MINUTE}/min"


class Public(APIView):
    """For everybody: an expired token is no hindrance to signing in again."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ByAddress,)

    def guest(self) -> User | None:
        """The guest whose token was sent along, if any: what is theirs goes with them."""
        for scheme in api_settings.DEFAULT_AUTHENTICATION_CLASSES:
            try:
                found = scheme().authenticate(self.request)
            except AuthenticationFailed:
                continue
            if found and found[0].is_guest:
                return found[0]
        return None


def new_token(user) -> Response:
    row, token = get_token_model().objects.create(user=user)
    return Response({"token": token, "expires_at": row.expiry}, status=201)


class Register(Public):
    @extend_schema(request=RegisterIn, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Make an account and sign in. A guest's token sent along ends: the guest is the member."""
        with transaction.atomic():
            data = checked(RegisterIn, request.data)
            return new_token(services.register(**data, guest=self.guest()))


class Guest(Public):
    @extend_schema(request=None, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Begin without an account. Give consent in /api/v1/me/, and lists follow what you say."""
        with transaction.atomic():
            return new_token(guests.make_guest())


class SignIn(Public):
    @extend_schema(request=SignInIn, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Sign in; the same answer, in the same time, for a wrong password and no account. What a
        guest whose token is sent along has said becomes the member's."""
        data = checked(SignInIn, request.data)
        user = authenticate(request, username=data["email"].lower(), password=data["password"])
        if user is None:
            raise AuthenticationFailed(_("E-mail or password is not right."))
        with transaction.atomic():
            if guest := self.guest():
                guests.merge_guest(guest, user)
            return new_token(user)

    def handle_exception(self, exc):
        response = super().handle_exception(exc)
        if isinstance(exc, AuthenticationFailed):
            response.status_code = response.data["status"] = 401  # DRF says 403 without a scheme
        return response


class SignOut(APIView):
    @extend_schema(request=None, responses={204: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """End this token."""
        request.auth.delete()
        return Response(status=204)


class SignOutEverywhere(APIView):
    @extend_schema(request=None, responses={204: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """End all tokens of this account."""
        request.user.auth_token_set.all().delete()
        return Response(status=204)


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


class FeedbackList(APIView):
    @extend_schema(
        operation_id="feedback_list",
        parameters=[FeedbackQuery],
        responses=page_of(FeedbackOut, "FeedbackPage"),
        tags=["feedback"],
    )
    def get(self, request: Request) -> Response:
        """One's own live feedback, newest first."""
        query = checked(FeedbackQuery, request.query_params)
        rows = queries.live_feedback(request.user)
        if "kind" in query:
            rows = rows.filter(kind=query["kind"])
        return paged(request, rows, lambda row: FeedbackOut(row).data, "-occurred_at", "-id")

    @extend_schema(
        request={"application/json": FeedbackIn},
        responses={
            201: FeedbackOut,
            200: OpenApiResponse(FeedbackOut, description="it was here already; or a batch"),
            207: FeedbackResultOut(many=True),
        },
        tags=["feedback"],
    )
    def post(self, request: Request) -> Response:
        """Give feedback: one object, or a list of up to 100. It is kept once this answers."""
        if isinstance(request.data, list):
            return self._batch(request)
        row, is_new = services.record_feedback(request.user, given(request.data))
        return Response(FeedbackOut(row).data, status=201 if is_new else 200)

    def _batch(self, request: Request) -> Response:
        if not 1 <= len(request.data) <= MOST_IN_A_BATCH:
            raise ValidationError(_("A batch has 1 to 100 pieces of feedback."))
        results = []
        with transaction.atomic():
            for entry in request.data:
                try:
                    row, is_new = services.record_feedback(request.user, given(entry))
                    results.append({"status": 201 if is_new else 200, "id": row.uuid})
                except Refused as refusal:
                    if refusal.code == "no_account":
                        raise
                    results.append(
                        {
                            "status": STATUS.get(refusal.code, 400),
                            "id": entry.get("id"),
                            "code": refusal.code,
                            "detail": refusal.message,
                        }
                    )
                except ValidationError as error:
                    results.append(
                        {
                            "status": 400,
                            "id": None,
                            "code": "validation",
                            "detail": str(error.detail)[:500],
                        }
                    )
        return Response(results, status=207)


def given(data: object) -> Given:
    if not isinstance(data, dict):
        raise ValidationError(_("A piece of feedback is an object."))
    clean = checked(FeedbackIn, data)
    return Given(
        item=clean["item"],
        kind=clean["kind"],
        value=clean.get("value"),
        text=clean.get("text", ""),
        occurred_at=clean.get("occurred_at"),
        uuid=clean.get("id"),
        served_id=clean.get("served"),
    )


class FeedbackDetail(APIView):
    @extend_schema(responses={200: FeedbackOut}, tags=["feedback"])
    def delete(self, request: Request, uuid) -> Response:
        """Take feedback back. What it had replaced counts again."""
        try:
            row = services.retract_feedback(request.user, uuid)
        except Refused as refusal:
            if refusal.code == "unknown_feedback":
                raise NotFound from None
            raise
        return Response(FeedbackOut(row).data)
