"""The operator's view of what was derived, served and is waiting, and what an operator sets."""

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalog.admin import Big, ReadOnly
from recommender import jobs, learn, store
from recommender.models import EmbeddingSpace, Job, KindWeight, Served


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


@admin.register(KindWeight)
class KindWeightAdmin(Big):
    """What each kind of feedback weighs. A change counts from the next request."""

    list_display = ["name", "meaning", "default", "current"]
    fields = ["name", "meaning", "default", "weight"]
    readonly_fields = ["name", "meaning", "default"]
    ordering = ["kind"]
    actions = ["reset"]

    MEANINGS = {
        "view": gettext_lazy("Opened an item."),
        "like": gettext_lazy("Said that they like it."),
        "dislike": gettext_lazy("Said that they do not like it."),
        "rating": gettext_lazy(
            "Gave stars. What they say, from -1 to 1, is read against the person's other ratings"
            " and multiplied by the weight."
        ),
        "save": gettext_lazy("Kept it for later."),
        "share": gettext_lazy("Sent it to somebody."),
        "purchase": gettext_lazy("Bought it."),
        "comment": gettext_lazy(
            "Wrote about it. Whether the words are kind or not, from -1 to 1, is multiplied by the"
            " weight; words that take no side count a little."
        ),
        "dwell": gettext_lazy("Stayed with it for a minute; less counts in proportion."),
        "hide": gettext_lazy("Asked not to see it again."),
    }

    @admin.display(description=gettext_lazy("kind of feedback"), ordering="kind")
    def name(self, obj: KindWeight) -> str:
        return str(obj)

    @admin.display(description=gettext_lazy("what the person did"))
    def meaning(self, obj: KindWeight) -> str:
        return self.MEANINGS[obj.kind]

    @admin.display(description=gettext_lazy("default"))
    def default(self, obj: KindWeight) -> str:
        return f"{obj.default:g}"

    @admin.display(description=gettext_lazy("in force"))
    def current(self, obj: KindWeight) -> str:
        return f"{obj.default if obj.weight is None else obj.weight:g}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # there is one of each kind

    def has_delete_permission(self, request: HttpRequest, obj: KindWeight | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: KindWeight, form, change: bool) -> None:
        learn.weigh_kinds({obj.kind: obj.weight})

    @admin.action(description=gettext_lazy("Back to the default"), permissions=["change"])
    def reset(self, request: HttpRequest, queryset: QuerySet) -> None:
        changed = list(queryset.exclude(weight=None))
        learn.weigh_kinds(dict.fromkeys([row.kind for row in changed]))
        for row in changed:
            self.log_change(request, row, _("Back to the default"))
        text = ngettext(
            "%d weight is the default again.", "%d weights are the default again.", len(changed)
        )
        self.message_user(request, text % len(changed), messages.SUCCESS)
