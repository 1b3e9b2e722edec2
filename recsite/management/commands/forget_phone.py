"""An operator lost the phone with the codes: the next sign-in shows a new secret."""

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Forget the phone of an operator, who sets up another at the next sign-in."

    def add_arguments(self, parser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **options) -> None:
        people = get_user_model()
        try:
            person = people._default_manager.get_by_natural_key(email)
        except people.DoesNotExist:
            raise CommandError(f"nobody has the address {email}") from None
        number, _each = person.totpdevice_set.all().delete()
        person.end_sign_ins()  # whoever found the phone may be signed in with it
        self.stdout.write(f"{number} forgotten")
