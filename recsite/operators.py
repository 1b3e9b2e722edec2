"""The door of the admin: the site's own sign-in, and for operators a code from their phone.

There is one way to sign in, so its limits are those of the admin too. Whoever signed in on the
site is not let in here before the code either.
"""

import segno
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods
from django_otp import login as note_code
from django_otp.plugins.otp_totp.models import TOTPDevice

from catalog import limits
from catalog.addresses import client_address
from catalog.forms import CodeForm, add_refusal, status_of
from catalog.models import User
from catalog.services import Refused


def is_let_in(request: HttpRequest) -> bool:
    """Whether the code was given, where one is wanted."""
    verified = getattr(request.user, "is_verified", None)
    return not settings.STAFF_TWO_FACTOR or bool(verified and verified())


class OperatorSite(AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and is_let_in(request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        """To where whoever asks has to go first."""
        wanted = {"next": next_of(request)}
        if not request.user.is_authenticated or request.user.is_guest:
            return redirect(reverse("sign-in", query=wanted))
        if not super().has_permission(request):
            raise PermissionDenied
        if not is_let_in(request):
            return redirect(reverse("two-factor", query=wanted))
        return redirect(wanted["next"])

    def password_change(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        return redirect("access")


@cache_control(private=True, no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
def two_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the code. Whoever has no phone noted yet is shown the secret, once it is confirmed
    never again."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not request.user.is_staff:
        raise PermissionDenied
    device = device_of(request.user)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            check_code(request, device, form.cleaned_data["code"])
        except Refused as refusal:
            add_refusal(form, refusal)
        else:
            return redirect(next_of(request))
    context = {"form": form, "next": next_of(request)}
    if not device.confirmed:
        picture = segno.make(device.config_url, micro=False).svg_inline(omitsize=True, light="#fff")
        context |= {"picture": mark_safe(picture), "secret": secret_of(device)}
    return render(request, "two_factor.html", context, status=status_of(form))


def device_of(person: User) -> TOTPDevice:
    """The phone that was confirmed, else the one that is to be."""
    confirmed = person.totpdevice_set.filter(confirmed=True).first()
    return confirmed or person.totpdevice_set.get_or_create(confirmed=False)[0]


def check_code(request: HttpRequest, device: TOTPDevice, code: str) -> None:
    """Note in the session that the code was right; the session goes on under another key.

    Raises Refused if it is not, or was used before; TooMany
    """
    address = client_address(request)
    spent = limits.spend(
        (limits.tries_from_one(), address), (limits.CODES, f"{request.user.pk} {address}")
    )
    with transaction.atomic():
        # Two that come at once with one code: the second finds it used.
        device = request.user.totpdevice_set.select_for_update().get(pk=device.pk)
        is_right = device.verify_token(code)
        if is_right and not device.confirmed:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
    if not is_right:
        raise Refused("wrong_code", _("This code is not right, or was used already."), "code")
    limits.give_back(spent)
    note_code(request, device)
    request.session.cycle_key()


def secret_of(device: TOTPDevice) -> str:
    """What is typed where no picture can be taken, in groups of four letters."""
    text = device.config_url.partition("secret=")[2].partition("&")[0]
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def next_of(request: HttpRequest) -> str:
    """Where somebody wanted to go, on this site alone; else the admin."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")
