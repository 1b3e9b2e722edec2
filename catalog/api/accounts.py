"""Accounts: registering, signing in and out, guests, passwords, where one is signed in."""

from django.contrib.auth import authenticate
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from catalog import accounts, guests
from catalog.api import private
from catalog.models import User
from catalog.serializers import RegisterIn, SignInIn, Strict, TokenOut, checked
from catalog.services import Refused


class PasswordChangeIn(Strict):
    current = serializers.CharField(max_length=200, trim_whitespace=False)
    new = serializers.CharField(max_length=200, trim_whitespace=False)


class ResetIn(Strict):
    email = serializers.EmailField(max_length=254)


class ResetConfirmIn(Strict):
    """What stands in the address that was mailed: …/password/reset/{person}/{code}/"""

    person = serializers.UUIDField()
    code = serializers.CharField(max_length=100)
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class ConfirmIn(Strict):
    """What stands in the address that was mailed: …/confirm/{code}/"""

    code = serializers.CharField(max_length=200)


class SignInOut(serializers.Serializer):
    """A place where you are signed in."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["token", "session"], help_text="API, or site")
    began_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(help_text="noted once an hour")
    network = serializers.CharField(help_text="the address, its end cut off")
    device = serializers.CharField(help_text="what the client called itself")
    is_this = serializers.BooleanField(help_text="whether this call came from it")


class SignInsOut(serializers.Serializer):
    results = SignInOut(many=True)


class Public(APIView):
    """For everybody: an expired token is no hindrance to signing in again."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

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


def new_token(user: User, request: Request) -> Response:
    row, token = accounts.new_token(user, request)
    return private({"token": token, "expires_at": row.expiry}, status=201)


class Register(Public):
    @extend_schema(request=RegisterIn, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Make an account and sign in. A guest's token sent along ends: the guest is the member.
        A link that confirms the address is mailed."""
        data = checked(RegisterIn, request.data)
        user = accounts.sign_up(request, **data, guest=self.guest())
        return new_token(user, request)


class Guest(Public):
    @extend_schema(request=None, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Begin without an account. Give consent in /api/v1/me/, and lists follow what you say."""
        return new_token(accounts.begin_as_guest(request), request)


class SignIn(Public):
    @extend_schema(request=SignInIn, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Sign in; the same answer, in the same time, for a wrong password and no account. What a
        guest whose token is sent along has said becomes the member's."""
        data = checked(SignInIn, request.data)
        user = authenticate(request, username=data["email"], password=data["password"])
        if user is None:
            raise AuthenticationFailed(_("E-mail or password is not right."))
        with transaction.atomic():
            if guest := self.guest():
                guests.merge_guest(guest, user)
            return new_token(user, request)

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
        """End all tokens of this account, and its sessions on the site."""
        accounts.end_everywhere(request.user)
        return Response(status=204)


class PasswordChange(APIView):
    @extend_schema(request=PasswordChangeIn, responses={201: TokenOut}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Change your password. Every token and session ends, this one too: go on with the new."""
        data = checked(PasswordChangeIn, request.data)
        if request.user.is_guest:
            raise Refused("no_account", _("A guest has no password: make an account first."))
        accounts.change_password(request.user, request, **data)
        return new_token(request.user, request)


class PasswordReset(Public):
    @extend_schema(request=ResetIn, responses={202: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Ask for a new password. If the address has an account, a link is mailed to it; the
        answer is the same if it has none."""
        accounts.ask_for_reset(checked(ResetIn, request.data)["email"], request)
        return Response(status=202)


class PasswordResetConfirm(Public):
    @extend_schema(request=ResetConfirmIn, responses={204: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """A new password by the link that was mailed: once, and for an hour. Every token and
        session ends; sign in with the new password."""
        data = checked(ResetConfirmIn, request.data)
        accounts.reset_password(data["person"], data["code"], data["password"], request)
        return Response(status=204)


class EmailConfirm(Public):
    @extend_schema(request=ConfirmIn, responses={204: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Confirm your address by the link that was mailed when you made your account."""
        accounts.confirm_email(checked(ConfirmIn, request.data)["code"])
        return Response(status=204)


class EmailConfirmAgain(APIView):
    @extend_schema(request=None, responses={202: None}, tags=["accounts"])
    def post(self, request: Request) -> Response:
        """Have the link mailed again, if your address is not confirmed yet."""
        accounts.ask_for_confirmation(request.user)
        return Response(status=202)


class SignIns(APIView):
    @extend_schema(operation_id="sign_ins_list", responses=SignInsOut, tags=["accounts"])
    def get(self, request: Request) -> Response:
        """Where you are signed in, by tokens and on the site, the last used first; at most 100."""
        found = accounts.sign_ins(request.user, request.auth.uuid)
        return private({"results": SignInOut(found, many=True).data})


class SignInDetail(APIView):
    @extend_schema(responses={204: None}, tags=["accounts"])
    def delete(self, request: Request, uuid) -> Response:
        """End one of them."""
        if not accounts.end_sign_in(request.user, uuid):
            raise NotFound
        return Response(status=204)
