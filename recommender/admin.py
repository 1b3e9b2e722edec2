"""The operator's view of what was derived, served and is waiting, and what an operator sets."""

import contextlib
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.forms.models import construct_instance
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from catalog import services
from catalog.admin import MOST, Big, ItemAdmin, ReadOnly
from catalog.models import Category, Item, User
from recommender import jobs, learn, scenarios, store, train
from recommender.diversity import STRATEGIES
from recommender.evaluation.curve import Frame, lines
from recommender.evaluation.picture import Spot, picture
from recommender.filtering.expression import FilterError
from recommender.filtering.fields import fields_with
from recommender.models import (
    Calibration,
    EmbeddingSpace,
    ItemTopic,
    Job,
    KindWeight,
    ModelVersion,
    Scenario,
    ScenarioPin,
    Served,
    Topic,
)
from recommender.ranking.explain import out_of_100
from recommender.recommend import recommend
from recommender.serializers import facts_out, filter_fault, reason_text, scenario_name
from recommender.understanding.topics import language_of, slug_of


@admin.register(EmbeddingSpace)
class SpaceAdmin(ReadOnly):
    """How full each space is, and whether its index is whole."""

    list_display = ["name", "status", "model", "dimension", "full", "index", "activated_at"]
    list_filter = ["status"]
    list_per_page = 10  # two statements a row
    exclude = ["mean_item", "mean_query", "probe"]
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
        return {
            "valid": _("valid"),
            "building": _("being built"),
            "invalid": _("invalid"),
            "missing": _("missing"),
        }[store.index_state(obj)]


class ItemTopicForm(forms.ModelForm):
    """What is saved here is an editor's word: it stays when the item is read again."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "topic" in self.fields:
            self.fields["topic"].disabled = True  # else the machine would find the old one again

    def save(self, commit: bool = True) -> ItemTopic:
        self.instance.source = ItemTopic.Source.EDITOR
        return super().save(commit)


class TopicsInline(admin.TabularInline):
    model = ItemTopic
    form = ItemTopicForm
    fields = ["topic", "weight", "is_removed", "source"]
    readonly_fields = ["source"]
    autocomplete_fields = ["topic"]
    ordering = ["is_removed", "-weight"]
    extra = 0

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False  # it would come back; a removed one stays away


admin.site.unregister(Item)


@admin.register(Item)
class ItemWithTopicsAdmin(ItemAdmin):
    inlines = [*ItemAdmin.inlines, TopicsInline]


class TopicForm(forms.ModelForm):
    def clean(self) -> dict:
        """A new topic gets the slug that its name would have in a text, so that both are one."""
        data = super().clean()
        if self.instance.pk is None and data.get("name"):
            self.instance.slug = slug_of(data["name"])
            if not self.instance.slug:
                raise forms.ValidationError(_("A topic has a letter or a number."))
            if store.topic_exists(self.instance.slug):
                raise forms.ValidationError(_("This topic is there already."))
            self.instance.language = data.get("language") or language_of(data["name"])
            data["language"] = self.instance.language
        return data


@admin.register(Topic)
class TopicAdmin(Big):
    """Words that items are about. Another name, or a hidden topic, counts for all its items."""

    form = TopicForm
    list_display = ["name", "slug", "language", "is_shared", "is_hidden"]
    list_filter = ["is_shared", "is_hidden"]
    search_fields = ["name"]
    fields = ["name", "language", "is_hidden", "slug", "is_shared"]
    readonly_fields = ["slug", "is_shared"]
    ordering = ["-id"]

    def has_delete_permission(self, request: HttpRequest, obj: Topic | None = None) -> bool:
        return False  # the next text that has it would bring it back: it is hidden instead

    def save_model(self, request: HttpRequest, obj: Topic, form, change: bool) -> None:
        """Its items are found by its name, so it is a part of their words."""
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            services.announce_items(list(obj.items.values_list("item_id", flat=True)[:MOST]))


@admin.register(ModelVersion)
class VersionAdmin(ReadOnly):
    """What was learned from feedback, how it was judged, and which of it is in use."""

    list_display = ["name", "status", "created_at", "events", "people", "verdict"]
    list_filter = ["status"]
    search_fields = ["name"]
    ordering = ["-id"]
    actions = ["activate"]
    fields = [
        *("name", "status", "created_at", "activated_at", "verdict", "measures"),
        *("events", "people", "items", "until", "seed", "seconds", "data_digest", "digest"),
    ]
    readonly_fields = ["created_at", "verdict", "measures"]

    class Media:
        css = {"all": ["operator.css"]}

    @admin.display(description=gettext_lazy("verdict"), ordering="has_passed")
    def verdict(self, obj: ModelVersion) -> str:
        if "difference" not in obj.metrics:
            return _("nobody could be judged")
        mean, low, high = obj.metrics["difference"]
        text = {
            (True, "active"): _("passed: %(difference)s beside the version in use"),
            (True, "popularity"): _("passed: %(difference)s beside popularity"),
            (False, "active"): _("did not pass: %(difference)s beside the version in use"),
            (False, "popularity"): _("did not pass: %(difference)s beside popularity"),
        }[obj.has_passed, obj.metrics["against"]]
        return text % {"difference": f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"}

    @admin.display(description=gettext_lazy("comparison"))
    def measures(self, obj: ModelVersion) -> str:
        labels = {
            "ndcg": _("this version"),
            "ndcg_of_active": _("the version that was in use"),
            "ndcg_of_popularity": _("popularity"),
            "difference": _("difference"),
            "ndcg_of_new_items": _("this version, among new items"),
        }
        measures = [
            (label, *(f"{number:.4f}" for number in obj.metrics[name]))
            for name, label in labels.items()
            if name in obj.metrics
        ]
        return render_to_string(
            "admin/recommender/modelversion/metrics.html",
            {"measures": measures, "lengths": obj.metrics.get("by_length", [])},
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("tensors")

    def get_urls(self) -> list:
        back = self.admin_site.admin_view(require_POST(self.back))
        return [path("back/", back, name="recommender_modelversion_back"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None):
        versions = store.versions()
        may = self.has_serve_permission(request)
        former = store.former_version() if may else None
        context = {"curve": curve_of(versions[:MOST_IN_CURVE]), "former": former}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def has_serve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommender.change_modelversion")

    @admin.action(description=gettext_lazy("Activate"), permissions=["serve"])
    def activate(self, request: HttpRequest, queryset: QuerySet) -> None:
        if len(queryset) != 1:
            self.message_user(request, _("Select one version to activate."), messages.ERROR)
            return
        [version] = queryset
        try:
            train.activate(version)
        except train.Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return
        self.log_change(request, version, _("Activated"))
        text = _("%(name)s is in use from the next request on.") % {"name": version}
        self.message_user(request, text, messages.SUCCESS)

    def back(self, request: HttpRequest) -> HttpResponse:
        if not self.has_serve_permission(request):
            raise PermissionDenied
        try:
            version = train.go_back()
        except train.Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.log_change(request, version, _("Gone back to"))
            text = _("%(name)s is in use again.") % {"name": version}
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recommender_modelversion_changelist"))


SPREAD_DAYS = 7  # whose lists are looked at, as often as the page is opened
MOST_IN_CURVE = 30
MOST_NAMES = 10  # under a curve, so that they do not run into each other
WIDTH, HEIGHT = 480, 200


def curve_of(versions: list[ModelVersion]) -> dict | None:
    """What the template draws: NDCG@10 of versions (the newest first) that could be judged."""
    judged = [version for version in reversed(versions) if "ndcg" in version.metrics]
    if not judged:
        return None
    frame = Frame(left=48, right=WIDTH - 12, top=16, bottom=HEIGHT - 30)
    grid = lines([version.metrics["ndcg"][2] for version in judged])
    marks, points, popular = [], [], []
    for number, (x, version) in enumerate(zip(frame.across(len(judged)), judged, strict=True)):
        mean, low, high = version.metrics["ndcg"]
        popularity = version.metrics["ndcg_of_popularity"][0]
        y = frame.up(mean, grid[-1])
        points.append(f"{x},{y}")
        popular.append(f"{x},{frame.up(min(popularity, grid[-1]), grid[-1])}")
        text = _("%(name)s of %(day)s: %(mean)s [%(low)s, %(high)s], popularity %(popularity)s")
        numbers = {"mean": mean, "low": low, "high": high, "popularity": popularity}
        marks.append(
            {
                # Text, so that no language puts a comma where SVG wants a point.
                "x": str(x),
                "y": str(y),
                "low": str(frame.up(low, grid[-1])),
                "high": str(frame.up(high, grid[-1])),
                "is_active": version.status == ModelVersion.Status.ACTIVE,
                "label": version.name if _is_named(number, len(judged)) else "",
                "text": text
                % {
                    "name": version.name,
                    "day": date_format(version.created_at, "SHORT_DATE_FORMAT"),
                    **{name: f"{value:.4f}" for name, value in numbers.items()},
                },
            }
        )
    return {
        "marks": marks,
        "points": " ".join(points),
        "popularity": " ".join(popular),
        "lines": [{"y": str(frame.up(v, grid[-1])), "text": f"{v:g}"} for v in grid],
        "width": str(WIDTH),
        "height": str(HEIGHT),
        **{side: str(getattr(frame, side)) for side in ("left", "right", "bottom")},
    }


def _is_named(number: int, of: int) -> bool:
    """Every so many, counted from the newest, which always has its name."""
    return (of - 1 - number) % -(-of // MOST_NAMES) == 0


@admin.register(Calibration)
class CalibrationAdmin(ReadOnly):
    """What diversity costs here; made by calibrate, once a week."""

    list_display = ["scenario", "made_at", "strategy", "turned_up", "budget", "people"]
    list_filter = ["scenario", "strategy"]
    ordering = ["-made_at", "-id"]
    exclude = ["curves", "strength", "seconds"]
    readonly_fields = ["turned_up", "made_at", "pictures"]

    @admin.display(description=gettext_lazy("strength"), ordering="strength")
    def turned_up(self, obj: Calibration) -> str:
        return f"{obj.strength:.2f}"

    @admin.display(description=gettext_lazy("relevance against diversity"))
    def pictures(self, obj: Calibration) -> str:
        points = obj.curves.get("points", [])
        plain = [point for point in points if point["strategy"] == "none"]
        figures = []
        for measure, label in (
            ("vector_distance", _("distance of vectors")),
            ("category_distance", _("distance of categories")),
            ("alpha_ndcg", "alpha-NDCG@10"),
            ("miscalibration", _("miscalibration")),
        ):
            spots: dict[str, list[Spot]] = {}
            for point in points:
                if point["strategy"] != "none":
                    line = spots.setdefault(point["strategy"], [_spot(plain[0], measure)])
                    line.append(_spot(point, measure))
            title = _("NDCG kept against %(measure)s, with intervals of 95 %%")
            svg = picture(spots, title=title % {"measure": label}, across=_("NDCG kept"), up=label)
            figures.append((mark_safe(svg),))  # made of numbers and names that it escapes
        return format_html_join("", '<figure class="curve">{}</figure>', figures)


def _spot(point: dict, measure: str) -> Spot:
    kept, low, high = point["kept"]
    text = f"{point['strategy']} {point['strength']:g}: {kept:.3f} [{low:.3f}, {high:.3f}],"
    return Spot(kept, point[measure], low, high, f"{text} {point[measure]:.3f}")


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
    fields = ["id", "user", "scenario", "served_at", "settings", "report", "propensity", "items"]
    readonly_fields = ["items"]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None):
        spread = store.spread(SPREAD_DAYS)
        subtitle = _(
            "In %(days)d days %(coverage)d %% of the items were shown (Gini %(gini)s); of the lists"
            " of %(people)d people, two have %(in_common)d %% in common"
        ) % {
            "days": SPREAD_DAYS,
            "coverage": round(100 * spread.coverage),
            "gini": f"{spread.gini:.2f}",
            "people": spread.people,
            "in_common": round(100 * spread.in_common),
        }
        return super().changelist_view(request, {"subtitle": subtitle, **(extra_context or {})})

    @admin.display(description=gettext_lazy("items"))
    def length(self, obj: Served) -> int:
        return len(obj.item_ids)

    @admin.display(description=gettext_lazy("diversity"))
    def diversity(self, obj: Served) -> str:
        return str(obj.settings.get("diversity", ""))

    @admin.display(description=gettext_lazy("items in order"))
    def items(self, obj: Served) -> str:
        """Each leads to why it was shown, if that was kept."""
        facts = store.facts(obj.item_ids)
        rows = []
        for place, (item, relevance) in enumerate(
            zip(obj.item_ids, obj.relevance, strict=True), start=1
        ):
            name = facts[item].title if item in facts else item
            if item in facts and obj.explanation is not None:
                url = reverse("why", args=[obj.pk, facts[item].uuid])
                name = format_html('<a href="{}">{}</a>', url, name)
            rows.append((place, name, round(relevance, 2)))
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


# --- scenarios --------------------------------------------------------------------------------


class ScenarioForm(forms.ModelForm):
    strategy = forms.ChoiceField(
        label=gettext_lazy("strategy"),
        required=False,
        choices=[("", "—"), *((name, name) for name in STRATEGIES)],
    )

    def clean(self) -> dict:
        data = super().clean()
        for name, nothing in (("names", {}), ("sources", {}), ("boosts", [])):
            data[name] = nothing if data.get(name) is None else data[name]
        if not self.errors:
            row = construct_instance(self, Scenario())
            for fault in scenarios.faults_of(row, fields_with(store.declared())):
                is_filter = isinstance(fault.what, FilterError)
                self.add_error(fault.field, filter_fault(fault.what) if is_filter else fault.what)
        return data


class PinFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        if not any(self.errors) and (faults := scenarios.faults_of_pins(self.pins())):
            raise forms.ValidationError([fault.what for fault in faults])

    def pins(self) -> list[ScenarioPin]:
        """Those that are to be, saved or not."""
        return [
            form.instance
            for form in self.forms
            if form.instance.item_id and not form.cleaned_data.get("DELETE")
        ]


class PinsInline(admin.TabularInline):
    model = ScenarioPin
    formset = PinFormSet
    autocomplete_fields = ["item"]
    ordering = ["place"]
    extra = 0


class PreviewForm(forms.Form):
    """Whose list to make, and of what."""

    prefix = "preview"
    person = forms.CharField(
        label=gettext_lazy("Person"),
        required=False,
        help_text=gettext_lazy("e-mail or public id; empty: somebody we do not know"),
    )
    category = forms.ModelChoiceField(
        Category.objects.order_by("slug"),
        label=gettext_lazy("Category"),
        required=False,
        to_field_name="slug",
    )
    item = forms.UUIDField(
        label=gettext_lazy("Item"), required=False, help_text=gettext_lazy("public id")
    )

    def clean_person(self) -> int | None:
        """Primary key."""
        said = self.cleaned_data["person"].strip()
        if not said:
            return None
        try:
            who = {"uuid": UUID(said)}
        except ValueError:
            who = {"email": said.lower()}
        if (key := User.objects.filter(**who).values_list("pk", flat=True).first()) is None:
            raise forms.ValidationError(_("There is no such person."))
        return key


@admin.register(Scenario)
class ScenarioAdmin(Big):
    """Where lists are shown, by which rules. What is saved counts from the next request."""

    form = ScenarioForm
    inlines = [PinsInline]
    list_display = ["slug", "shown_name", "kind", "position", "is_active"]
    list_editable = ["position", "is_active"]
    list_filter = ["kind", "is_active"]
    ordering = ["position", "id"]
    fieldsets = [
        (None, {"fields": ["slug", "names", "kind", ("position", "is_active")]}),
        (
            gettext_lazy("Candidates"),
            {"fields": ["sources", "filter", "again_after_days", "exploration", "rotation"]},
        ),
        (gettext_lazy("Relevance"), {"fields": ["half_life_days", "boosts"]}),
        (
            gettext_lazy("Variety"),
            {
                "fields": [
                    ("diversity", "budget", "strategy"),
                    ("min_categories", "max_per_category", "max_per_creator", "max_similarity"),
                ]
            },
        ),
    ]

    class Media:
        css = {"all": ["operator.css"]}

    @admin.display(description=gettext_lazy("name"))
    def shown_name(self, obj: Scenario) -> str:
        return scenario_name(store.Place(obj.slug, obj.names, obj.kind))

    def get_urls(self) -> list:
        preview = self.admin_site.admin_view(require_POST(self.preview))
        name = "recommender_scenario_preview"
        return [
            path("preview/", preview, name=name),
            path("<int:pk>/preview/", preview, name=name),
            *super().get_urls(),
        ]

    def has_preview_permission(self, request: HttpRequest) -> bool:
        """A list tells of its person."""
        return self.has_view_permission(request) and request.user.has_perm(
            "recommender.view_served"
        )

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        context = {}
        if self.has_preview_permission(request):
            args = [object_id] if object_id else []
            context = {
                "preview_url": reverse("admin:recommender_scenario_preview", args=args),
                "preview": PreviewForm(),
            }
        return super().changeform_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    def preview(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """The list that a person would get by what is written in the form; nothing is kept."""
        if not self.has_preview_permission(request):
            raise PermissionDenied
        saved = self.get_object(request, str(pk)) if pk else None
        if pk and saved is None:
            raise Http404
        form = self.get_form(request, saved, change=pk is not None)(request.POST, instance=saved)
        formsets = [  # none, for who may not see pins
            formset(request.POST, instance=form.instance, prefix=formset.get_default_prefix())
            for formset, _inline in self.get_formsets_with_inlines(request, saved)
        ]
        who = PreviewForm(request.POST)
        context = self.admin_site.each_context(request) | {
            "title": _("Preview: %(slug)s") % {"slug": request.POST.get("slug", "")},
            "opts": self.opts,
            "original": saved,
        }
        if all(shown.is_valid() for shown in (form, who, *formsets)):
            pins = [pin for formset in formsets for pin in formset.pins()]
            context |= self.list_of(form.instance, pins, who.cleaned_data)
        else:
            in_pins = [row for formset in formsets for row in formset.forms]
            context["problems"] = problems_of(form, who, *in_pins)
            context["problems"] += [text for f in formsets for text in f.non_form_errors()]
        return TemplateResponse(request, "admin/recommender/scenario/preview.html", context)

    def list_of(self, row: Scenario, pins: list[ScenarioPin], who: dict) -> dict:
        """What the template draws: the list, and where each of it stands as it is saved."""
        unsaved = store.scenario_of(vars(row), store.pins_now(pins))
        category = who["category"] and who["category"].slug
        # One seed for both, or chance would move what the change did not.
        asked = {"category": category, "item": who["item"], "keep": False, "seed": 0}
        try:
            made = recommend(who["person"], scenario=unsaved, **asked)
        except services.Refused as refusal:
            return {"problems": [refusal.message]}
        before = None
        if row.pk and (saved := store.scenario_called(Scenario.objects.get(pk=row.pk).slug)):
            with contextlib.suppress(services.Refused):
                by_saved = recommend(who["person"], scenario=saved, **asked)
                before = {shown.facts.uuid: shown.rank for shown in by_saved.results}
        return {
            "rows": [
                {
                    "rank": shown.rank,
                    "before": before and before.get(shown.facts.uuid),
                    "item": facts_out(shown.facts),
                    "address": reverse("admin:catalog_item_change", args=[shown.facts.id]),
                    "match": out_of_100(shown.relevance),
                    "reason": shown.reason and reason_text(shown.reason),
                }
                for shown in made.results
            ],
            "is_compared": before is not None,
            "about": made.about,
            "report": made.report,
            "strategy": made.strategy,
            "diversity": made.diversity,
        }


def problems_of(*shown: forms.Form) -> list[str]:
    """What is wrong with fields, each by its label."""
    return [
        f"{form.fields[name].label}: {text}" if name in form.fields else text
        for form in shown
        for name, texts in form.errors.items()
        for text in texts
    ]
