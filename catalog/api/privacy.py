"""What is kept of oneself: fetch all of it, or have all of it erased."""

from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from catalog import accounts, erasing, exporting
from catalog.api import private
from catalog.models import Archive, Erasure
from catalog.serializers import Strict, checked


class EraseIn(Strict):
    password = serializers.CharField(
        max_length=200,
        trim_whitespace=False,
        required=False,
        help_text="of a member; a guest has none",
    )


class VersionOut(serializers.Serializer):
    name = serializers.CharField()
    trained_at = serializers.DateTimeField()
    in_use = serializers.BooleanField(help_text="at the time of erasing")


class ErasureOut(serializers.Serializer):
    """A receipt: its id is the only key to it, so keep it."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(["erasing", "erased"])
    asked_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(allow_null=True)
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="rows that were erased, by what they were"
    )
    versions = VersionOut(
        many=True,
        help_text="models that were trained while you were here: of items alone, naming nobody;"
        " the next training is without you",
    )


class ArchiveOut(serializers.Serializer):
    state = serializers.ChoiceField(
        ["none", "waiting", "ready", "expired"], help_text="none: nothing was asked for yet"
    )
    asked_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True)
    download = serializers.URLField(allow_null=True, help_text="a zip, for you while signed in")


class Erasable(APIView):
    """Adds DELETE to the address of oneself."""

    @extend_schema(request={"application/json": EraseIn}, responses={202: ErasureOut}, tags=["me"])
    def delete(self, request: Request) -> Response:
        """Erase yourself, for good: your account ends with this answer, your rows go within a
        minute. A member sends the password. Nobody can undo it."""
        password = checked(EraseIn, request.data).get("password", "")
        if request.user.has_usable_password():
            accounts.prove(request.user, request, password, field="password")
        erasure = erasing.erase(request.user.pk)
        response = private(erasure_out(erasure), status=202)
        response["Location"] = reverse(
            "api-erasure", kwargs={"uuid": erasure.uuid}, request=request
        )
        return response


class Receipt(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=ErasureOut, tags=["me"])
    def get(self, request: Request, uuid: UUID) -> Response:
        """What came of an erasure. Whoever has the receipt's id may see it; it names nobody."""
        if (erasure := erasing.receipt(uuid)) is None:
            raise NotFound
        return private(erasure_out(erasure))


class Export(APIView):
    @extend_schema(responses=ArchiveOut, tags=["me"])
    def get(self, request: Request) -> Response:
        """How far the archive is that you asked for last."""
        return private(archive_out(request, exporting.newest(request.user)))

    @extend_schema(request=None, responses={202: ArchiveOut}, tags=["me"])
    def post(self, request: Request) -> Response:
        """Have all that is kept of you put into an archive. It can be fetched for a week."""
        exporting.ask(request.user)
        return private(archive_out(request, exporting.newest(request.user)), status=202)


class Download(APIView):
    @extend_schema(responses={(200, "application/zip"): bytes}, tags=["me"])
    def get(self, request: Request, uuid: UUID) -> StreamingHttpResponse:
        """The archive itself: a zip of JSON."""
        if (archive := exporting.fetched(request.user, uuid)) is None:
            raise NotFound
        return archive_response(archive)


def archive_response(archive: Archive) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        exporting.bytes_of(archive),
        content_type="application/zip",
        headers={
            "Content-Disposition": 'attachment; filename="medley.zip"',
            "Content-Length": archive.size,
            "Cache-Control": "private, no-store",
        },
    )


def erasure_out(erasure: Erasure) -> dict:
    return ErasureOut(
        {
            "id": erasure.uuid,
            "state": "erased" if erasure.erased_at else "erasing",
            "asked_at": erasure.asked_at,
            "erased_at": erasure.erased_at,
            "counts": erasure.counts,
            "versions": erasure.versions,
        }
    ).data


def archive_out(request: Request, archive: Archive | None) -> dict:
    state = exporting.state(archive)
    address = None
    if state == "ready":
        address = reverse("api-export-archive", kwargs={"uuid": archive.uuid}, request=request)
    return ArchiveOut(
        {
            "state": state,
            "asked_at": archive and archive.asked_at,
            "ready_at": archive and archive.ready_at,
            "expires_at": archive and archive.expires_at,
            "bytes": archive.size if state == "ready" else None,
            "download": address,
        }
    ).data
