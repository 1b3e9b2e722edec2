"""The pages of what is kept of oneself: fetch it, or have it erased. Members and guests alike."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from catalog import accounts, erasing, exporting
from catalog.api.privacy import archive_response, erasure_out
from catalog.forms import add_refusal, status_of
from catalog.models import User
from catalog.services import Refused

private = cache_control(private=True, no_store=True)


class EraseForm(forms.Form):
    """A password, of somebody who has one, and a plain yes."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    sure = forms.BooleanField(label=_("I know that nobody can bring it back."))

    def __init__(self, user: User, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not user.has_usable_password():
            del self.fields["password"]


@private
@login_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest) -> HttpResponse:
    """Ask plainly, then erase; the answer is the receipt."""
    form = EraseForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if "password" in form.fields:
                password = form.cleaned_data["password"]
                accounts.prove(request.user, request, password, field="password")
        except Refused as refusal:
            add_refusal(form, refusal)
        else:
            erasure = erasing.erase(request.user.pk)
            logout(request)  # the session goes too
            return redirect("erased", uuid=erasure.uuid)
    return render(request, "erase.html", {"form": form}, status=status_of(form))


@private
@require_safe
def erased(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The receipt."""
    if (erasure := erasing.receipt(uuid)) is None:
        raise Http404
    context = {
        "receipt": erasure_out(erasure),
        "erasure": erasure,
        "rows": sum(erasure.counts.values()),
    }
    return render(request, "_receipt.html" if request.htmx else "erased.html", context)


@private
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Ask for an archive, or see how far it is; with htmx that part of the page alone."""
    if request.method == "POST":
        exporting.ask(request.user)
        if not request.htmx:
            messages.success(request, _("Your archive is being made."))
    if request.method == "POST" and not request.htmx:
        return redirect("export")
    archive = exporting.newest(request.user)
    context = {"archive": archive, "archive_state": exporting.state(archive)}
    return render(request, "_export.html" if request.htmx else "export.html", context)


@private
@login_required
@require_safe
def download(request: HttpRequest, uuid: UUID) -> StreamingHttpResponse:
    if (archive := exporting.fetched(request.user, uuid)) is None:
        raise Http404
    return archive_response(archive)
