"""Tokens of the API: opaque, hashed at rest, found by their digest in one statement.

The Authorization header alone says who asks: no cookie, no parameter.
"""

from django.utils.translation import gettext_lazy as _
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed

from catalog import accounts

LONGEST = 200


class TokenAuthentication(KnoxTokenAuthentication):
    """Knox reads all tokens of a person at each request to delete old ones; this reads one."""

    def authenticate(self, request):
        found = super().authenticate(request)
        if found:
            accounts.note_use(found[1], request)
        return found

    def authenticate_credentials(self, token: bytes):
        try:
            text = token.decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed(_("Invalid token.")) from None
        found = accounts.token_of(hash_token(text[:LONGEST]))
        if found is None:
            raise AuthenticationFailed(_("Invalid token."))
        return found.user, found


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
