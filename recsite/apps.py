from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class RecsiteConfig(AppConfig):
    name = "recsite"
    default = True

    def ready(self) -> None:
        from recsite import checks

        checks.connect()


class OperatorsConfig(admin_apps.AdminConfig):
    default = False
    default_site = "recsite.operators.OperatorSite"
