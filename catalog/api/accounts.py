"""Accounts: registering, signing in and out, guests."""

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from catalog import guests, services
from catalog.models import User
from catalog.serializers import (
    RegisterIn,
    SignInIn,
    TokenOut,
    checked,
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
