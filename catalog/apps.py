from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = _("Catalogue")

    def ready(self) -> None:
        from catalog import kept
        from catalog.session_store import note_sign_in

        kept.register()
        user_logged_in.connect(
            lambda request, **_: note_sign_in(request),
            weak=False,
            dispatch_uid="catalog.note_sign_in",
        )
