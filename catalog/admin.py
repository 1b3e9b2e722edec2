"""The operator's view of facts: items are edited, all else is mostly read.

Lists stay quick in a big catalogue: counted up to a limit, searched through indexes, and every
row's neighbours read at once. Writes go through the services, so that they are announced.
"""

import csv
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_totp.models import TOTPDevice

from catalog import erasing, exporting, server_keys, services
from catalog.models import (
    Attribute,
    Category,
    Consent,
    Creator,
    Erasure,
    Feedback,
    Item,
    ItemCreator,
    ServerKey,
    User,
)

admin.site.site_header = admin.site.site_title = "Medley"
admin.site.index_title = _("Operation")

MOST = 10_000  # rows a list pages through; beyond, search and filters lead there
EXPORTED = (
    "uuid",
    "user__uuid",
    "item__uuid",
    "item__title",
    "kind",
    "value",
    "text",
    "occurred_at",
)
FOUND = 1_000  # items or people that a search for their feedback looks at


class ShortPaginator(Paginator):
    """Counts no further than MOST: an exact count of a big table takes seconds."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:MOST].count()


class Big(admin.ModelAdmin):
    """For tables of any size."""

    paginator = ShortPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    actions = None


class ReadOnly(Big):
    """For what is history or was derived: seen, not touched."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False


# --- items ------------------------------------------------------------------------------------


class ItemForm(forms.ModelForm):
    def clean_attributes(self) -> dict:
        try:
            return services.check_attributes(self.cleaned_data["attributes"] or {})
        except services.Refused as refusal:
            raise forms.ValidationError(refusal.message, refusal.code) from None


class CreatorsInline(admin.TabularInline):
    model = ItemCreator
    autocomplete_fields = ["creator"]
    extra = 0
    verbose_name = _("creator")
    verbose_name_plural = _("creators")


class ShownFilter(admin.SimpleListFilter):
    title = _("in lists")
    parameter_name = "shown"

    def lookups(self, request, model_admin):
        return [
            ("yes", _("shown")),
            ("no", _("not available now")),
            ("removed", _("removed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        return {
            "yes": queryset.filter(is_available=True, removed_at=None),
            "no": queryset.filter(is_available=False, removed_at=None),
            "removed": queryset.exclude(removed_at=None),
        }.get(self.value())


@admin.register(Item)
class ItemAdmin(Big):
    """Saved here, an item is embedded again seconds later if its text has changed."""

    form = ItemForm
    list_display = ["title", "kind", "published_at", "is_available", "removed_at", "updated_at"]
    list_filter = [ShownFilter, "kind"]
    search_fields = ["title"]
    search_help_text = _("Part of a title")
    ordering = ["-id"]
    actions = ["remove"]
    inlines = [CreatorsInline]
    autocomplete_fields = ["categories"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = [
        "uuid",
        "source",
        "external_id",
        "removed_at",
        "created_at",
        "updated_at",
    ]
    fieldsets = [
        (None, {"fields": ["title", "description", "categories", "is_available", "removed_at"]}),
        (
            _("More"),
            {
                "fields": [
                    "kind",
                    "language",
                    "published_at",
                    "url",
                    "image_url",
                    ("price", "currency"),
                    ("latitude", "longitude"),
                    "attributes",
                ]
            },
        ),
        (
            _("Identity"),
            {"fields": ["uuid", "source", "external_id", "created_at", "updated_at"]},
        ),
    ]

    def save_model(self, request: HttpRequest, obj: Item, form, change: bool) -> None:
        """The admin writes categories and creators after this, in the same transaction."""
        services.save_item(obj)

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False  # lists, feedback and evaluations name it

    @admin.action(description=_("Remove from all lists"), permissions=["change"])
    def remove(self, request: HttpRequest, queryset: QuerySet) -> None:
        removed = services.remove_items(list(queryset.values_list("pk", flat=True)))
        text = ngettext("%d item was removed.", "%d items were removed.", removed)
        self.message_user(request, text % removed, messages.SUCCESS)


class KeptWhileUsed(Big):
    """Deleted only while no item has it, so a deletion changes no item."""

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return (
            obj is not None
            and super().has_delete_permission(request, obj)
            and not obj.items.exists()
        )

    def save_model(self, request: HttpRequest, obj, form, change: bool) -> None:
        """A new name is part of the text of each item; of more than MOST the sweep hears."""
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            services.announce_items(list(obj.items.values_list("pk", flat=True)[:MOST]))


@admin.register(Category)
class CategoryAdmin(KeptWhileUsed):
    list_display = ["slug", "names", "parent"]
    list_select_related = ["parent"]
    search_fields = ["slug", "names__en", "names__zh"]
    autocomplete_fields = ["parent"]
    ordering = ["slug"]


@admin.register(Creator)
class CreatorAdmin(KeptWhileUsed):
    list_display = ["name", "source", "external_id"]
    search_fields = ["name"]
    ordering = ["-id"]


@admin.register(Attribute)
class AttributeAdmin(Big):
    """Declared once: items carry values under this name and of this type."""

    list_display = ["name", "type"]
    search_fields = ["name"]
    ordering = ["name"]

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False


# --- people -----------------------------------------------------------------------------------


class NewPersonForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = True


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Rights are given by superusers alone, or an operator could make one of himself."""

    paginator = ShortPaginator
    show_full_result_count = False
    list_per_page = list_max_show_all = 50
    actions = ["erase"]
    add_form = NewPersonForm
    list_display = ["__str__", "email", "kind", "is_staff", "is_active", "created_at"]
    list_filter = ["kind", "is_staff", "is_active"]
    search_fields = ["email", "name", "=external_id"]
    ordering = ["-id"]
    readonly_fields = [
        "kind",
        "uuid",
        "source",
        "external_id",
        "created_at",
        "last_login",
        "merged_into",
        "erased_at",
    ]
    fieldsets = [
        (None, {"fields": ["email", "name", "password", "is_active"]}),
        (
            _("Rights"),
            {"fields": ["is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        (
            _("Identity"),
            {
                "fields": [
                    "kind",
                    "uuid",
                    "source",
                    "external_id",
                    "created_at",
                    "last_login",
                    "merged_into",
                    "erased_at",
                ]
            },
        ),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "name", "usable_password", "password1", "password2"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj=None) -> list[str]:
        rights = ["is_staff", "is_superuser", "groups", "user_permissions"]
        return [*self.readonly_fields, *([] if request.user.is_superuser else rights)]

    def save_model(self, request: HttpRequest, obj: User, form, change: bool) -> None:
        if "email" in form.changed_data:
            obj.email_verified_at = None  # nobody has confirmed the new one
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False  # people are erased, with all that is theirs

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.delete_user")

    @admin.action(description=_("Erase with all that is theirs"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Ask first: nobody can undo it."""
        people = queryset.filter(erased_at=None).exclude(pk=request.user.pk)
        if not request.user.is_superuser:
            people = people.filter(is_superuser=False)
        if "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {"people": people}
            return TemplateResponse(request, "admin/catalog/user/erase.html", context)
        for person in (erased := list(people)):
            erasing.erase(person.pk, by=Erasure.By.OPERATOR)
            person.refresh_from_db()
            self.log_change(request, person, "")
        text = ngettext("%d person was erased.", "%d people were erased.", len(erased))
        self.message_user(request, text % len(erased), messages.SUCCESS)
        return None


admin.site.unregister(TOTPDevice)  # the library's own pages show the secret


@admin.register(TOTPDevice)
class PhoneAdmin(ReadOnly):
    """The phones that make the codes of operators. A lost one is deleted, by a superuser."""

    list_display = ["user", "confirmed", "created_at", "last_used_at"]
    list_select_related = ["user"]
    fields = ["user", "confirmed", "created_at", "last_used_at"]
    ordering = ["-id"]

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.is_superuser


@admin.register(Consent)
class ConsentAdmin(ReadOnly):
    list_display = ["user", "purpose", "version", "given_at", "withdrawn_at"]
    list_select_related = ["user"]
    list_filter = ["purpose"]
    search_fields = ["=user__email"]
    ordering = ["-id"]


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly):
    list_display = ["kind", "value", "user", "item", "occurred_at", "state"]
    list_select_related = ["user", "item"]
    list_filter = ["kind"]
    search_fields = ["uuid"]  # shows the box; get_search_results reads it
    search_help_text = _("An e-mail address, part of a title, or a public id")
    ordering = ["-id"]
    exclude = ["digest"]
    actions = ["export"]

    @admin.action(description=_("Export as CSV, which is noted"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        """People by their public ids alone. Who took how many rows is in the history."""
        answer = HttpResponse(
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="feedback.csv"'},
        )
        rows = list(queryset.values_list(*EXPORTED)[:MOST])
        writer = csv.writer(answer)
        writer.writerow(EXPORTED)
        writer.writerows(map(exporting.as_cell, row) for row in rows)
        LogEntry.objects.create(
            user=request.user,
            content_type=ContentType.objects.get_for_model(Feedback),
            action_flag=CHANGE,
            change_message=f"exported {len(rows)} rows as CSV",
        )
        return answer

    @admin.display(description=_("state"))
    def state(self, obj: Feedback) -> str:
        if obj.retracted_at:
            return _("retracted")
        return _("superseded") if obj.superseded_at else _("live")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        """Whose or which it is, looked up first: a join would read all feedback there is."""
        term = search_term.strip()
        if not term:
            return queryset, False
        people, items = User.objects.filter(email=term.lower()), Item.objects.none()
        try:
            uuid = UUID(term)
        except ValueError:
            items = Item.objects.filter(title__icontains=term)
            found = Q()
        else:
            people = User.objects.filter(uuid=uuid)
            items = Item.objects.filter(uuid=uuid)
            found = Q(uuid=uuid)
        found |= Q(user__in=list(people.values_list("pk", flat=True)[:FOUND]))
        found |= Q(item__in=list(items.values_list("pk", flat=True)[:FOUND]))
        return queryset.filter(found), False


# --- servers ------------------------------------------------------------------------------------


def default_expiry():
    return timezone.now() + server_keys.LIFETIME


class ServerKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=ServerKey.Scope, widget=forms.CheckboxSelectMultiple, label=_("what it may do")
    )


@admin.register(ServerKey)
class ServerKeyAdmin(Big):
    """A key is shown once, when it is made. It is disabled or runs out, and its row stays."""

    form = ServerKeyForm
    list_display = ["name", "prefix", "source", "is_active", "expires_at", "last_used_at"]
    list_filter = ["is_active", "source"]
    search_fields = ["name", "prefix"]
    ordering = ["-id"]
    fields = ["name", "source", "scopes", "expires_at", "is_active"]
    kept = ["prefix", "created_at", "last_used_at"]

    def get_fields(self, request: HttpRequest, obj=None) -> list[str]:
        return [*self.fields, *(self.kept if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj=None) -> list[str]:
        return ["source", *self.kept] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict:
        return {"expires_at": default_expiry()} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: ServerKey, form, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "scopes", "expires_at", "is_active"])
        else:
            obj.key = server_keys.issue(obj)

    def response_add(self, request: HttpRequest, obj: ServerKey, post_url_continue=None):
        """The one page that shows the key; no message, which a cookie would carry on."""
        context = self.admin_site.each_context(request) | {
            "title": _("Key of “%s”") % obj,
            "opts": self.opts,
            "key": obj.key,
        }
        return TemplateResponse(
            request, "admin/server_key.html", context, headers={"Cache-Control": "no-store"}
        )

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False
