"""The operator's view of what was derived, served and is waiting. Only parked jobs are touched."""

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalog.admin import ReadOnly
from recommender import jobs, store
from recommender.models import EmbeddingSpace, Job, Served


@admin.register(EmbeddingSpace)
class SpaceAdmin(ReadOnly):
    """How full each space is, and whether its index is whole."""

    list_display = ["name", "status", "model", "dimension", "full", "index", "created_at"]
    list_filter = ["status"]
    list_per_page = 10  # two statements a row
    exclude = ["mean_item", "mean_query"]
    readonly_fields = ["full", "index"]
    ordering = ["-id"]

    @admin.display(description=gettext_lazy("items with a vector"))
    def full(self, obj: EmbeddingSpace) -> str:
        have, all_items = store.fill(obj)
        share = 100 * have / all_items if all_items else 0
        return _("%(have)d of %(all)d (%(share)d %%)") % {
            "have": have,
            "all": all_items,
            "share": int(share),  # never 100 before it is full
        }

    @admin.display(description=gettext_lazy("index"))
    def index(self, obj: EmbeddingSpace) -> str:
        return {"valid": _("valid"), "invalid": _("invalid"), "missing": _("missing")}[
            store.index_state(obj)
        ]


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [
            ("waiting", _("waiting")),
            ("at_work", _("at work")),
            ("parked", _("parked")),
            ("done", _("done")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        is_open = queryset.filter(done_at=None, parked_at=None)
        return {
            "waiting": is_open.filter(Q(leased_until=None) | Q(leased_until__lte=Now())),
            "at_work": is_open.filter(leased_until__gt=Now()),
            "parked": queryset.exclude(parked_at=None),
            "done": queryset.exclude(done_at=None),
        }.get(self.value())


@admin.register(Job)
class JobAdmin(ReadOnly):
    """Work that waits, goes on or was given up with its error."""

    list_display = ["__str__", "state", "problem", "attempts", "requested_at", "due_at"]
    list_filter = [StateFilter, "kind"]
    search_fields = ["=key", "error"]
    ordering = ["-requested_at", "-id"]
    actions = ["retry"]

    @admin.display(description=gettext_lazy("state"))
    def state(self, obj: Job) -> str:
        if obj.parked_at:
            return _("parked")
        if obj.done_at:
            return _("done")
        return _("at work") if obj.leased_until and obj.leased_until > obj.now else _("waiting")

    @admin.display(description=gettext_lazy("error"))
    def problem(self, obj: Job) -> str:
        return obj.error.strip().rsplit("\n", 1)[-1][:200]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(now=Now())

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None):
        counts = jobs.counts()
        subtitle = _(
            "%(waiting)d wait, %(at_work)d at work, %(parked)d parked;"
            " the oldest open one is %(oldest_seconds)d s old"
        )
        return super().changelist_view(
            request, {"subtitle": subtitle % counts, **(extra_context or {})}
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommender.change_job")

    @admin.action(description=gettext_lazy("Try parked jobs again"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet) -> None:
        retried = jobs.retry(list(queryset.values_list("pk", flat=True)))
        text = ngettext("%d job is due again.", "%d jobs are due again.", retried)
        self.message_user(request, text % retried, messages.SUCCESS)


@admin.register(Served)
class ServedAdmin(ReadOnly):
    """Lists as they were shown: what an operator is asked about."""

    list_display = ["id", "user", "scenario", "length", "diversity", "served_at"]
    list_select_related = ["user"]
    list_filter = ["scenario"]
    search_fields = ["=id", "=user__email"]
    ordering = ["-id"]  # a UUIDv7 sorts by time
    fields = ["id", "user", "scenario", "served_at", "settings", "report", "items"]
    readonly_fields = ["items"]

    @admin.display(description=gettext_lazy("items"))
    def length(self, obj: Served) -> int:
        return len(obj.item_ids)

    @admin.display(description=gettext_lazy("diversity"))
    def diversity(self, obj: Served) -> str:
        return str(obj.settings.get("diversity", ""))

    @admin.display(description=gettext_lazy("items in order"))
    def items(self, obj: Served) -> str:
        facts = store.facts(obj.item_ids)
        rows = [
            (place, facts[item].title if item in facts else item, round(relevance, 2))
            for place, (item, relevance) in enumerate(
                zip(obj.item_ids, obj.relevance, strict=True), start=1
            )
        ]
        return format_html_join("", "<div>{}. {} ({})</div>", rows)
