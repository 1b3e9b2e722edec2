"""Pages of an account: its password and address, where it is signed in, and what is kept of it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required, user_passes_test
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import accounts, erasing, exporting
from catalog.api.privacy import archive_response, erasure_out
from catalog.forms import (
    ChangePasswordForm,
    EraseForm,
    ForgottenForm,
    NewPasswordForm,
    add_refusal,
    status_of,
)
from catalog.models import User
from catalog.pictures import keep as pictures
from catalog.services import Refused
from catalog.session_store import sign_in_of

private = cache_control(private=True, no_store=True)
members_only = user_passes_test(lambda user: user.is_authenticated and not user.is_guest)


class SaysTooMany:
    """For a view of a form: a spent allowance is told by the status too."""

    def form_invalid(self, form) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = status_of(form)
        return response


@private
@members_only
@sensitive_post_parameters("current", "new")
@require_http_methods(["GET", "HEAD", "POST"])
def access(request: HttpRequest) -> HttpResponse:
    """One's password, and where one is signed in."""
    form = ChangePasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.change_password(request.user, request, **form.cleaned_data)
        except Refused as refusal:
            add_refusal(form, refusal)
        else:
            update_session_auth_hash(request, request.user)  # this session alone goes on
            messages.success(request, _("Your password is changed. You are signed in here alone."))
            return redirect("access")
    context = {
        "form": form,
        "sign_ins": accounts.sign_ins(request.user, sign_in_of(request)),
        "to_confirm": request.user.email and not request.user.email_verified_at,
    }
    return render(request, "access.html", context, status=status_of(form))


@private
@members_only
@require_POST
def end_sign_in(request: HttpRequest, uuid: UUID) -> HttpResponse:
    if not accounts.end_sign_in(request.user, uuid):
        raise Http404
    if uuid == sign_in_of(request):
        request.session.flush()
        return redirect("for-you")
    messages.success(request, _("Signed out there."))
    return redirect("access")


@private
@members_only
@require_POST
def end_everywhere(request: HttpRequest) -> HttpResponse:
    accounts.end_everywhere(request.user)
    request.session.flush()
    return redirect("sign-in")


@private
@members_only
@require_POST
def confirm_again(request: HttpRequest) -> HttpResponse:
    accounts.ask_for_confirmation(request.user)
    messages.success(request, _("A link is on its way to you."))
    return redirect("access")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_email(request: HttpRequest, code: str) -> HttpResponse:
    """A link that is merely opened, as scanners of mail do, confirms nothing; the button does."""
    if request.method != "POST":
        return render(request, "confirm_email.html")
    try:
        accounts.confirm_email(code)
    except Refused as refusal:
        return render(request, "confirm_email.html", {"refused": refusal.message}, status=400)
    messages.success(request, _("Thank you: your address is confirmed."))
    return redirect("for-you")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten_password(request: HttpRequest) -> HttpResponse:
    form, is_sent = ForgottenForm(request.POST or None), False
    if request.method == "POST" and form.is_valid():
        try:
            accounts.ask_for_reset(form.cleaned_data["email"], request)
        except Refused as refusal:
            add_refusal(form, refusal)
        else:
            is_sent = True
    context = {"form": form, "is_sent": is_sent}
    return render(request, "forgotten_password.html", context, status=status_of(form))


@method_decorator(private, name="dispatch")
class ResetPassword(SaysTooMany, PasswordResetConfirmView):
    """Django's own, which takes the code out of the address at once; the service decides."""

    template_name = "reset_password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("sign-in")

    def get_user(self, uidb64: UUID) -> User | None:
        return accounts.person(uidb64)

    def form_valid(self, form: NewPasswordForm) -> HttpResponse:
        code = self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        new = form.cleaned_data["new_password1"]
        try:
            accounts.reset_password(self.user.uuid, code, new, self.request)
        except Refused as refusal:
            add_refusal(form, refusal)
            return self.form_invalid(form)
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, _("Your password is changed. Sign in with it."))
        return redirect(self.success_url)


# --- what is kept of oneself: of members and guests alike ------------------------------------


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


@require_safe
def picture(request: HttpRequest, name: str) -> FileResponse:
    """The picture of an item. It is everybody's and never changes; no cookie is read or set."""
    path = pictures.path_of(name)
    if path is None:
        raise Http404
    return FileResponse(
        path.open("rb"),
        content_type="image/jpeg",
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-site",
            "X-Content-Type-Options": "nosniff",
        },
    )
