from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RecommenderConfig(AppConfig):
    name = "recommender"
    verbose_name = _("Recommender")

    def ready(self) -> None:
        from recommender import receivers
        from recommender.store import kept, replicas

        receivers.connect()
        kept.register()
        replicas.prepare()
        post_migrate.connect(list_kinds, sender=self, dispatch_uid="recommender.list_kinds")
        post_migrate.connect(make_months, sender=self, dispatch_uid="recommender.make_months")


def list_kinds(**_: object) -> None:
    from recommender import store

    store.list_kinds()


def make_months(**_: object) -> None:
    from recommender import store

    store.make_partitions()
