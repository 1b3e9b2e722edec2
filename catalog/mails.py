"""The e-mails that people asked for, written and sent by a worker.

A link begins with SITE_URL and never with what a request called this site. Its code is made here,
so that no table and no queue ever holds it.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from catalog import accounts
from catalog.models import Mail, User

LATEST = timedelta(days=1)
log = logging.getLogger(__name__)


def send(mail_ids: Sequence[int]) -> int:
    """How many went out. What was asked for an address that nobody has goes nowhere, nor what is
    a day late.

    Raises OSError if the server of outgoing mail does not take any
    """
    sent = 0
    for mail, person in accounts.mails(mail_ids):
        if person is not None and timezone.now() - mail.asked_at < LATEST:
            with translation.override(mail.language):
                subject, text = LETTERS[mail.kind](person)
            try:
                sent += send_mail(subject, text, None, [person.email])
            except SMTPRecipientsRefused:
                log.warning("an address was refused: nothing was sent to it")
        accounts.drop_mail(mail)
    return sent


def reset_letter(person: User) -> tuple[str, str]:
    address = reverse("reset-password", args=[person.uuid, accounts.reset_code(person)])
    return _("A new password"), "\n\n".join(
        [
            _("Somebody asked for a new password for your account. Choose one here:"),
            settings.SITE_URL + address,
            _("The link is good for an hour, and once. Was it not you? Then do nothing."),
        ]
    )


def confirmation_letter(person: User) -> tuple[str, str]:
    address = reverse("confirm-email", args=[accounts.confirmation_code(person)])
    return _("Is this your address?"), "\n\n".join(
        [
            _("An account was made with this e-mail address. Confirm here that it is yours:"),
            settings.SITE_URL + address,
            _("The link is good for three days. Was it not you? Then do nothing."),
        ]
    )


LETTERS = {Mail.Kind.RESET: reset_letter, Mail.Kind.CONFIRM: confirmation_letter}
