"""Tokens of the API: opaque, hashed at rest, found by their digest in one statement."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed

LONGEST = 200


class TokenAuthentication(KnoxTokenAuthentication):
    """Knox reads all tokens of a person at each request to delete old ones; this reads one."""

    def authenticate_credentials(self, token: bytes):
        try:
            text = token.decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed(_("Invalid token.")) from None
        found = (
            get_token_model()
            .objects.filter(digest=hash_token(text[:LONGEST]), expiry__gt=timezone.now())
            .select_related("user")
            .first()
        )
        if found is None or found.user.erased_at is not None:
            raise AuthenticationFailed(_("Invalid token."))
        if found.expiry - timezone.now() < timedelta(days=29):
            self.renew_token(found)
        return self.validate_user(found)


def _describe_for_schema() -> None:
    """Tell the OpenAPI schema how to send the token; the class registers itself."""
    from drf_spectacular.extensions import OpenApiAuthenticationExtension

    class TokenScheme(OpenApiAuthenticationExtension):
        target_class = "recsite.authentication.TokenAuthentication"
        name = "token"

        def get_security_definition(self, auto_schema) -> dict:
            return {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Token ` and the token that signing in gave.",
            }


_describe_for_schema()
