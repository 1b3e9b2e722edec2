"""Forms of the pages about facts: accounts and feedback. They check and clean; services write."""

from uuid import UUID, uuid5

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext_lazy as _

from catalog.models import Feedback, User
from catalog.services import Given, Refused


def as_error(refusal: Refused) -> forms.ValidationError:
    return forms.ValidationError(refusal.message, refusal.code)


def add_refusal(form: forms.Form, refusal: Refused) -> None:
    """Say what a service refused at the field that it is about."""
    form.add_error(refusal.field if refusal.field in form.fields else None, as_error(refusal))


def status_of(form: forms.Form) -> int:
    """Of the answer that shows a form."""
    return 429 if form.has_error(NON_FIELD_ERRORS, "too_many_tries") else 200


class SignInForm(AuthenticationForm):
    """Django's own, with an e-mail address for a name."""

    username = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": _("E-mail or password is not right."),
    }

    def clean(self) -> dict:
        try:
            return super().clean()
        except Refused as refusal:
            raise as_error(refusal) from None


class ChangePasswordForm(forms.Form):
    current = forms.CharField(
        label=_("Your password now"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=200,
        help_text=_("At least 10 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ForgottenForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class NewPasswordForm(SetPasswordForm):
    """Django's own, under our labels."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        first, second = self.fields["new_password1"], self.fields["new_password2"]
        first.label, first.help_text = _("New password"), _("At least 10 characters.")
        second.label, second.help_text = _("The same again"), ""


class CodeForm(forms.Form):
    code = forms.RegexField(
        r"^\s*\d{3}\s?\d{3}\s*$",
        label=_("Code"),
        max_length=10,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        return "".join(self.cleaned_data["code"].split())


class SignUpForm(forms.Form):
    """What an account needs; the service judges the password and finds a taken address."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=100,
        help_text=_("As you like to be called. You may leave it empty."),
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        help_text=_("At least 10 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    consent = forms.BooleanField(
        label=_("Use what I like, dislike and hide to choose what I am shown."),
        required=False,
        help_text=_("It is used for nothing else, and each piece can be taken back."),
    )


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )


class OpinionForm(forms.Form):
    """A press on Like, Dislike or Hide. The page made `id`, so a double click is one feedback."""

    KINDS = (Feedback.Kind.LIKE, Feedback.Kind.DISLIKE, Feedback.Kind.HIDE)

    id = forms.UUIDField()
    item = forms.UUIDField()
    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in KINDS])
    served = forms.UUIDField(required=False)

    def given(self) -> Given:
        data = self.cleaned_data
        return Given(
            item=data["item"],
            kind=data["kind"],
            # The three buttons share one id: another button is other feedback, not a conflict.
            uuid=uuid5(data["id"], data["kind"]),
            served_id=data["served"],
        )


class UndoForm(forms.Form):
    feedback = forms.UUIDField()
    served = forms.UUIDField(required=False)

    @property
    def uuid(self) -> UUID:
        return self.cleaned_data["feedback"]


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
