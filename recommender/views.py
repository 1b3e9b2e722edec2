"""The pages. A view reads the request, calls one story or service, and renders what came of it.

Each page works as plain HTML; htmx only replaces a part of it without reloading the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import user_passes_test
from django.contrib.auth.views import LoginView, RedirectURLMixin, redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import FormView
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from catalog import accounts, queries, services
from catalog.forms import NameForm, OpinionForm, SignInForm, SignUpForm, UndoForm, add_refusal
from catalog.guests import merge_guest
from catalog.models import Feedback, Item
from catalog.serializers import category_out, item_detail_out
from catalog.services import Refused
from catalog.sessions import acting, guest_of, is_member
from catalog.text import clean
from catalog.uuid7 import uuid7
from catalog.views import SaysTooMany
from recommender import begin, explain, interests, notice, steer, store
from recommender.forms import InterestForm, SeenForm, StartForm, SteerForm, TuneForm, WishForm
from recommender.models import Steering, Wish
from recommender.ranking.pipeline import NONE
from recommender.ranking.scenario import NEEDS
from recommender.ranking.steered import Steer
from recommender.ranking.tuning import WISHES, Tuning, preset_of
from recommender.recommend import Recommendation, Shown, recommend, similar
from recommender.search import LONGEST, search
from recommender.serializers import (
    facts_out,
    interests_out,
    reason_text,
    scenario_name,
    target_name,
    why_not_out,
    why_out,
)
from recommender.steer import Steered
from recommender.store import HOME, Facts, TopicOfItem

private = cache_control(private=True, no_store=True)

HUES = 24  # colours of categories in the stylesheet
SIMILAR = 12
FEW_LIKES = 3  # below so many, a person is asked what they like
SUGGESTIONS = 12
SUGGESTION_PAGES = 5
HISTORY_PAGE = 50
LAST_PAGE = 200
MOST_CATEGORIES = 60  # that are linked above a list of one


# --- the list ---------------------------------------------------------------------------------


@private
@require_http_methods(["GET", "HEAD", "POST"])
def for_you(request: HttpRequest) -> HttpResponse:
    """The list. A POST sets how it is made, for good; a number in the address, for this once."""
    if request.method == "POST":
        if tuned := TuneForm(request.POST).tuned():
            with acting(request) as person:
                steer.tune(person.pk, **tuned)
        if not request.htmx:
            return redirect(place_address(place_in(request.POST)))
    asked = place_in(request.POST or request.GET)
    cursor = request.GET.get("cursor")
    if cursor:
        try:
            found = recommend(request.user.pk, cursor=cursor)
        except Refused:  # the list was begun too long ago, or by somebody else: a new one
            address = place_address(asked)
            return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    else:
        found, asked = list_at(asked, request.user.pk, **TuneForm(request.GET).tuned())
    address = place_address(asked)
    next_url = address if request.method == "POST" else request.get_full_path()
    context = list_context(found, next_url=next_url)
    context |= places_context(found, asked)
    context["more"] = found.next and reverse("for-you", query=asked | {"cursor": found.next})
    context["focus_list"] = request.htmx.trigger == "refresh"
    context["is_tuned"] = request.method == "POST"
    context["is_preset"] = "preset" in request.POST
    is_part = request.htmx and not request.htmx.history_restore_request
    if is_part and cursor:
        return render(request, "_page.html", context | {"focus_cards": True})
    return render(request, "_list.html" if is_part else "for_you.html", context)


@private
@require_POST
def seen(request: HttpRequest) -> HttpResponse:
    """Note what of a list came into sight: the page tells it by itself."""
    form = SeenForm(request.POST)
    if not request.user.is_authenticated or not form.is_valid():
        return HttpResponseBadRequest()
    try:
        (outcome,) = notice.notice(request.user.pk, [form.told()])
    except Refused as refusal:  # consent was withdrawn while the page stood open
        outcome = refusal
    return HttpResponseBadRequest() if isinstance(outcome, Refused) else HttpResponse(status=204)


def place_in(data) -> dict[str, str]:
    """The scenario that is asked for, with what it needs; nothing for home."""
    asked = {name: data[name] for name in ("scenario", "category", "item") if data.get(name)}
    return asked if asked.get("scenario") != HOME.slug else {}


def place_address(asked: dict[str, str]) -> str:
    return reverse("for-you", query=asked)


def list_at(
    asked: dict[str, str], user_id: int | None, **rules
) -> tuple[Recommendation, dict[str, str]]:
    """The list of a place, and what was asked for: of no category, the first."""
    try:
        item = UUID(asked["item"]) if "item" in asked else None
    except ValueError:
        raise Http404 from None
    try:
        return recommend(user_id, **asked | {"item": item}, **rules), asked
    except Refused as refusal:
        first = store.categories_shown(limit=1)
        if (refusal.code, refusal.field) != ("required", "category") or not first:
            raise Http404 from None
    asked |= {"category": first[0].key}
    return recommend(user_id, **asked, **rules), asked


def places_context(found: Recommendation, asked: dict[str, str]) -> dict:
    """Links to all lists, and where we are."""
    places = [
        {
            "slug": place.slug,
            "name": scenario_name(place),
            "address": place_address({} if place.slug == HOME.slug else {"scenario": place.slug}),
        }
        for place in found.places
        if NEEDS.get(place.kind) != "item" and (place.kind != "because" or found.likes)
    ]
    categories = []
    if found.place.kind == "category":
        categories = [
            {
                "slug": category.key,
                "name": target_name(category),
                "address": place_address(asked | {"category": category.key}),
            }
            for category in store.categories_shown(limit=MOST_CATEGORIES)
        ]
    return {
        "place": {
            "slug": found.place.slug,
            "name": scenario_name(found.place),
            "kind": found.place.kind,
        },
        "places": places if len(places) > 1 else [],
        "categories": categories,
        "category": asked.get("category"),
        "about": found.about,
        "asked": list(asked.items()),
        "address": place_address(asked),
    }


@private
@require_safe
def why(request: HttpRequest, served: UUID, uuid: UUID) -> HttpResponse:
    """Why an item stands in a list: the points of its match and what found it."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    found = explain.why(served, uuid, request.user)
    if found is None:
        raise Http404
    context = {"why": why_out(served, found)}
    return render(request, "_why.html" if request.htmx else "why.html", context)


@private
@require_safe
def why_not(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Where an item fell on its way to one's newest list."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    item = queries.shown_item(uuid)
    if item is None:
        raise Http404
    served = store.newest_list_of(request.user.pk)
    found = served and explain.why_not(served, uuid, request.user)
    context = {
        "item": {"id": str(uuid), "title": item.title},
        "why": found and why_not_out(served, found),
    }
    return render(request, "_why_not.html" if request.htmx else "why_not.html", context)


def list_context(found: Recommendation, *, next_url: str) -> dict:
    report = found.report
    by_date = found.strategy == NONE
    cards = [card_of(row.facts, row, by_date=by_date) for row in found.results]
    for card, row in zip(cards, found.results, strict=True):
        card["steers"] = steers_of_facts(row.facts, found.steering)
    return {
        "cards": cards,
        "served": found.id,
        "next": next_url,
        "agrees": found.agrees,
        "tune": tune_context(found.tuning),
        "is_personal": any(
            row.reason and row.reason.kind in ("wish", "voted", "similar") for row in found.results
        ),
        "is_known": found.likes >= FEW_LIKES,
        "report": {
            "kinds": report["distinct_categories"],
            "size": report["list_size"],
            "largest": percent(report["largest_category_share"]),
            "kept": percent(report["relevance_kept"]),
            "distance": f"{report['vector_distance']:.2f}",
            "steered": found.effect and found.effect.changed,
        },
    }


def tune_context(tuning: Tuning) -> dict:
    """Where the sliders stand, and which preset that is."""
    chosen = settings.DEFAULT_DIVERSITY if tuning.diversity is None else tuning.diversity
    preset = preset_of(tuning)
    return {
        "diversity": f"{chosen:.2f}",
        "presets": [(name, label, name == preset) for name, label in PRESETS_IN_WORDS.items()],
        "about": ABOUT_PRESETS.get(preset, _("A mixture of your own.")),
        "by_date": tuning.chronological,
        "has_wishes": any(getattr(tuning, name) for name in WISHES),
        "wishes": [
            (name, f"{getattr(tuning, name):g}", *words) for name, words in ENDS_OF_WISHES.items()
        ],
    }


PRESETS_IN_WORDS = {
    "balanced": gettext_lazy("Balanced"),
    "discovery": gettext_lazy("Discovery"),
    "niche": gettext_lazy("Niche"),
    "chronological": gettext_lazy("Chronological"),
}
ABOUT_PRESETS = {
    "balanced": gettext_lazy("Your taste, with some variety."),
    "discovery": gettext_lazy("Further from what you know, and more varied."),
    "niche": gettext_lazy("Your taste, in what few know."),
    "chronological": gettext_lazy("Newest first, whoever looks: nothing goes by your taste."),
}
# Name, and the two ends of each slider.
ENDS_OF_WISHES = {
    "novelty": (gettext_lazy("Novelty"), gettext_lazy("familiar"), gettext_lazy("new to me")),
    "recency": (gettext_lazy("Age"), gettext_lazy("older"), gettext_lazy("newer")),
    "popularity": (
        gettext_lazy("Popularity"),
        gettext_lazy("less known"),
        gettext_lazy("well known"),
    ),
}


def percent(share: float) -> int:
    return round(100 * share)


def card_of(
    facts: Facts,
    shown: Shown | None = None,
    opinion: Feedback | None = None,
    *,
    by_date: bool = False,
) -> dict:
    """What the card of one item shows. Match and reason belong to lists that were made for one,
    and a list by date has no match."""
    return {
        "item": facts_out(facts),
        "kinds": [kind_of(c["id"], c["slug"], c["names"]) for c in facts.categories],
        "is_listed": shown is not None,
        "match": None if by_date else shown and percent(shown.relevance),
        "rank": shown and shown.rank,
        "reason": shown and shown.reason and reason_text(shown.reason),
        "similar": [facts_out(facts) for facts in shown.similar] if shown else [],
        **opinion_of(opinion),
    }


def kind_of(category_id: int, slug: str, names: dict) -> dict:
    """A category as the pages show it: its name, and the colour that it has everywhere."""
    return category_out(slug, names) | {"hue": category_id % HUES}


def opinion_of(opinion: Feedback | None) -> dict:
    """The state of the buttons: a fresh id for the next press, or what was said."""
    return {"form_id": uuid7(), "opinion": opinion, "said": opinion and said(opinion)}


def said(opinion: Feedback) -> str:
    if opinion.kind == Feedback.Kind.RATING:
        return _("Rated %(stars)s") % {"stars": f"{opinion.value:g}"}
    return {"like": _("Liked"), "dislike": _("Disliked"), "hide": _("Hidden")}[opinion.kind]


def cards_of(request: HttpRequest, found: Sequence[Facts]) -> list[dict]:
    """Cards with what the person said of each: one statement for all."""
    if not request.user.is_authenticated or not found:
        return [card_of(facts) for facts in found]
    opinions = queries.opinions(request.user, [facts.id for facts in found])
    return [card_of(facts, opinion=opinions.get(facts.id)) for facts in found]


# --- item and search --------------------------------------------------------------------------


@private
@require_safe
def item(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """All that is known of an item, and more like it."""
    row = queries.shown_item(uuid)
    if row is None:
        raise Http404
    near = [shown.facts for shown in similar(row.pk, limit=SIMILAR)]
    topics = [topic for topic in store.topics_of(row.pk) if topic.is_shared]
    opinion = opinion_on(request, uuid)
    context = {
        "steers": steers_of_item(request.user.pk, row, topics),
        "item": item_detail_out(row),
        "kinds": [kind_of(c.pk, c.slug, c.names) for c in row.categories.all()],
        "topics": topics,
        "facts": list(facts_of(row)),
        "cards": cards_of(request, near),
        "next": request.get_full_path(),
        **opinion_of(opinion),
    }
    return render(request, "item.html", context)


def facts_of(row: Item) -> Iterator[tuple[str, str]]:
    """What is known besides title, text and kinds: names and values."""
    if moment := row.published_at:
        # A first of January at midnight is how a mere year is stored.
        is_year = f"{moment:%m-%d %H:%M}" == "01-01 00:00"
        yield _("Published"), str(moment.year) if is_year else date_format(moment)
    if row.language:
        yield _("Language"), language_name(row.language)
    if row.price is not None:
        yield _("Price"), f"{row.price} {row.currency}".strip()
    if row.latitude is not None and row.longitude is not None:
        yield _("Place"), f"{row.latitude:.4f}, {row.longitude:.4f}"
    for name, value in row.attributes.items():
        yield name, in_text(value)


def language_name(code: str) -> str:
    try:
        return get_language_info(code)["name_translated"]
    except KeyError:
        return code


def in_text(value: object) -> str:
    """The value of an attribute."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:g}" if isinstance(value, float) else str(value)


@private
@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    query = clean(request.GET.get("q", ""), LONGEST)
    found = search(query) if query else None
    context = {"query": query, "next": request.get_full_path()}
    if found:
        context |= {
            "cards": cards_of(request, found.items),
            "by_meaning": found.by_meaning,
            "corrected": found.corrected.values(),
        }
    return render(request, "search.html", context)


# --- feedback ---------------------------------------------------------------------------------


@private
@require_POST
def feedback(request: HttpRequest) -> HttpResponse:
    """Like, dislike or hide."""
    form = OpinionForm(request.POST)
    if not form.is_valid():
        return unreadable(request)
    given = form.given()
    try:
        with acting(request) as person:
            row, _is_new = services.record_feedback(person, given)
    except Refused as refusal:
        if refusal.code == "unknown_item":
            raise Http404 from None
        problem = refusal_in_words(refusal)
        if request.htmx:
            return buttons(request, given.item, given.served_id, problem=problem)
        messages.error(request, problem)
        return redirect(next_of(request))
    if request.htmx:
        return buttons(request, given.item, given.served_id, title=row.item.title)
    # A list leaves out what was judged, so the way back is above it.
    messages.success(request, f"{said(row)}: {row.item.title}", extra_tags=str(row.uuid))
    return redirect(next_of(request))


@private
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take one's own feedback back."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    form = UndoForm(request.POST)
    if not form.is_valid():
        return unreadable(request)
    try:
        row = services.retract_feedback(request.user, form.uuid)
    except Refused as refusal:
        if refusal.code == "unknown_feedback":
            raise Http404 from None
        messages.error(request, refusal.message)
        return redirect(next_of(request))
    if request.htmx:
        served = form.cleaned_data["served"]
        return buttons(request, row.item.uuid, served, title=row.item.title)
    messages.success(request, _("Taken back: %(title)s") % {"title": row.item.title})
    return redirect(next_of(request))


def buttons(
    request: HttpRequest,
    item_uuid: UUID,
    served: UUID | None,
    *,
    title: str = "",
    problem: str = "",
) -> HttpResponse:
    """The buttons of one item as they are now, in place of those that were pressed."""
    context = {
        "item": {"id": str(item_uuid), "title": title},
        "served": served,
        "next": next_of(request),
        "title": title,
        "problem": problem,
        "is_swap": True,
        **opinion_of(opinion_on(request, item_uuid)),
    }
    return render(request, "_opinion.html", context)


def opinion_on(request: HttpRequest, item_uuid: UUID) -> Feedback | None:
    """What the one who looks holds of an item; a visitor has said nothing."""
    return queries.opinion_on(request.user, item_uuid) if request.user.is_authenticated else None


def unreadable(request: HttpRequest) -> HttpResponse:
    return render(request, "error.html", {"detail": _("The request cannot be read.")}, status=400)


def next_of(request: HttpRequest) -> str:
    """Where the form came from, if that is a page of this site; else the list."""
    url = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_ours else reverse("for-you")


def to_sign_in(request: HttpRequest) -> HttpResponse:
    response = redirect_to_login(next_of(request))
    return HttpResponseClientRedirect(response.url) if request.htmx else response


# --- steering ---------------------------------------------------------------------------------

MOST_CREATORS = 3  # of an item, that its card shows


def steer_row(kind: str, key: str, name: str, held: Steer | Steered | None) -> dict:
    """One thing to steer by: what it is called, and what is in force."""
    return {
        "kind": kind,
        "key": key,
        "name": name,
        "label": Steering.Kind(kind).label,
        "action": held and held.action,
        "steering": held and held.id,
        "actions": [("more", _("More")), ("less", _("Less")), ("mute", _("None"))],
    }


def steers_of_facts(facts: Facts, steering: Sequence[Steer]) -> list[dict]:
    """What one may steer by below an item of a list."""
    held = {(s.kind, s.target): s for s in steering}
    kinds = [
        (c["id"], c["slug"], category_out(c["slug"], c["names"])["name"]) for c in facts.categories
    ]
    by = [(c["id"], c["uuid"], c["name"]) for c in facts.creators[:MOST_CREATORS]]
    return [
        steer_row(kind, key, name, held.get((kind, number)))
        for kind, rows in (("category", kinds), ("creator", by))
        for number, key, name in rows
    ]


def steers_of_item(user_id: int | None, row: Item, topics: Sequence[TopicOfItem]) -> list[dict]:
    """The same on the page of an item, and by what it is about."""
    held = {(s.kind, s.target.key): s for s in steer.steered_by(user_id) if s.target}
    by = [link.creator for link in row.itemcreator_set.all()[:MOST_CREATORS]]
    named = [
        ("category", c.slug, category_out(c.slug, c.names)["name"]) for c in row.categories.all()
    ]
    named += [("creator", str(creator.uuid), creator.name) for creator in by]
    named += [("topic", topic.slug, topic.name) for topic in topics]
    return [steer_row(*what, held.get(what[:2])) for what in named]


def steers_of_person(user_id: int) -> list[dict]:
    """All that is in force; what left the catalogue can still be undone."""
    return [
        steer_row(s.kind, s.target.key, target_name(s.target), s)
        if s.target
        else steer_row(s.kind, "", _("no longer here"), s)
        for s in steer.steered_by(user_id)
    ]


@private
@require_POST
def steer_by(request: HttpRequest) -> HttpResponse:
    """More, less or none of one thing, or undo; its buttons as they are then."""
    form = SteerForm(request.POST)
    if not form.is_valid():
        return unreadable(request)
    action, kind, key = (form.cleaned_data[name] for name in ("action", "kind", "target"))
    held, problem = None, ""
    if action == "undo":
        if not steer.undo(request.user.pk, form.cleaned_data["steering"]):
            raise Http404
        target = next(iter(store.targets_called(kind, key)), None) if key else None
    else:
        try:
            with acting(request) as person:
                held = steer.steer(person.pk, action=action, kind=kind, target=key)
        except Refused as refusal:
            if refusal.code == "unknown_target":
                raise Http404 from None
            problem = refusal_in_words(refusal)
        target = held.target if held else next(iter(store.targets_called(kind, key)), None)
    name = target_name(target) if target else _("no longer here")
    told = problem or TOLD[action] % {"name": name}
    if not request.htmx:
        (messages.error if problem else messages.success)(request, told)
        return redirect(next_of(request))
    row = steer_row(kind, target.key if target else "", name, held)
    context = {"row": row, "next": next_of(request), "is_swap": True, "told": told}
    return render(request, "_steer.html", context | {"problem": problem})


def refusal_in_words(refusal: Refused) -> str:
    if refusal.code == "no_consent":
        return _("Please agree first, above your list, that what you say is used for it.")
    return refusal.message


TOLD = {
    "more": gettext_lazy("More of %(name)s, from the next list on."),
    "less": gettext_lazy("Less of %(name)s, from the next list on."),
    "mute": gettext_lazy("None of %(name)s, from the next list on."),
    "undo": gettext_lazy("As before, from the next list on: %(name)s."),
}


# --- the beginning ----------------------------------------------------------------------------


@private
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """Agree that what is said is used for one's lists, or withdraw that."""
    agrees = request.POST.get("agrees") == "yes"
    with acting(request) as person:
        services.set_consent(person, agrees)
    told = _("Agreed: your lists follow what you say.") if agrees else _("Withdrawn.")
    messages.success(request, told)
    return redirect(next_of(request))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Where somebody new says a sentence or picks a few items."""
    form = StartForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            with acting(request) as person:
                wishes = begin.begin_with(
                    person, data["text"], form.likes(), agrees=data["consent"]
                )
        except Refused as refusal:
            if refusal.code == "no_consent":
                form.add_error("consent", _("Please agree to this first."))
            else:
                form.add_error(refusal.field or None, refusal.message)
        else:
            if wishes:
                messages.success(request, noted(wishes))
            return redirect("for-you")
    page = page_in(request)
    shown = begin.suggestions(request.user.pk, limit=SUGGESTIONS, page=page)
    picked = set(request.POST.getlist("pick"))
    context = {
        "form": form,
        "form_id": uuid7(),
        "cards": [card_of(facts) | {"is_picked": str(facts.uuid) in picked} for facts in shown],
        "more": page + 1 if len(shown) == SUGGESTIONS and page < SUGGESTION_PAGES else None,
        "focus_first": bool(request.htmx),
        "agrees": store.agrees(request.user.pk),
        "wishes": begin.said_by(request.user.pk),
        "next": reverse("start"),
    }
    return render(request, "_picks.html" if request.htmx else "start.html", context)


def noted(wishes: Sequence[Wish]) -> str:
    """What became of a sentence; honest about what has to wait."""
    if waiting := [wish.text for wish in wishes if wish.embedding is None]:
        return _("Noted. We look for this as soon as the language model answers: %(texts)s") % {
            "texts": ", ".join(waiting)
        }
    if any(wish.is_provisional for wish in wishes):
        return _("Noted. The language model is resting, so this goes by your words at first.")
    return _("Noted: this list follows what you said.")


@private
@require_POST
def remove_wish(request: HttpRequest) -> HttpResponse:
    return change_wish(request, store.remove_wishes)


@private
@require_POST
def choose_interest(request: HttpRequest) -> HttpResponse:
    """Switch an interest of one's own on or off, or remove it."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    form = InterestForm(request.POST)
    if not form.is_valid():
        return unreadable(request)
    try:
        if not interests.choose(
            request.user.pk, form.cleaned_data["interest"], form.cleaned_data["state"]
        ):
            raise Http404
    except Refused as refusal:
        messages.error(request, refusal.message)
    return redirect(f"{reverse('account')}#interests")


@private
@require_POST
def restore_wish(request: HttpRequest) -> HttpResponse:
    return change_wish(request, begin.bring_back)


def change_wish(request: HttpRequest, change: Callable[[int, UUID], object]) -> HttpResponse:
    """Remove or bring back one of one's own wishes; the chips as they are then."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    form = WishForm(request.POST)
    if not form.is_valid():
        return unreadable(request)
    try:
        if not change(request.user.pk, form.cleaned_data["wish"]):
            raise Http404
    except Refused as refusal:
        messages.error(request, refusal.message)
        return HttpResponseClientRefresh() if request.htmx else redirect(next_of(request))
    if not request.htmx:
        return redirect(f"{next_of(request)}#wishes")
    context = {
        "wishes": begin.said_by(request.user.pk),
        "changed": form.cleaned_data["wish"],
        "next": next_of(request),
    }
    return render(request, "_wishes.html", context)


# --- accounts ---------------------------------------------------------------------------------


class SignIn(SaysTooMany, LoginView):
    """Django's own; the key of the session changes, and `next` stays on this site."""

    template_name = "sign_in.html"
    authentication_form = SignInForm

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.redirect_authenticated_user = is_member(request)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        if guest := guest_of(self.request):
            merge_guest(guest, form.get_user())
        return super().form_valid(form)


@method_decorator([private, sensitive_post_parameters("password")], name="dispatch")
class SignUp(SaysTooMany, RedirectURLMixin, FormView):
    """Make an account and sign in."""

    template_name = "sign_up.html"
    form_class = SignUpForm
    next_page = "for-you"
    first_page = "start"  # of a new member who came for the list

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if is_member(request):
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self) -> dict:
        guest = guest_of(self.request)
        return {"consent": bool(guest and store.agrees(guest.pk))}

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        try:
            user = accounts.sign_up(self.request, **form.cleaned_data, guest=guest_of(self.request))
        except Refused as refusal:
            add_refusal(form, refusal)
            return self.form_invalid(form)
        login(self.request, user)
        url = self.get_success_url()
        return redirect(self.first_page if url == reverse(self.next_page) else url)

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)


@private
@user_passes_test(lambda user: user.is_authenticated and not user.is_guest)
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """What is known of the person who looks: settings, interests, history."""
    form = NameForm(request.POST or None, initial={"name": request.user.name})
    if request.method == "POST" and form.is_valid():
        services.rename(request.user, form.cleaned_data["name"])
        if tuned := TuneForm(request.POST).tuned():
            steer.tune(request.user.pk, **tuned)
        messages.success(request, _("Saved."))
        return redirect("account")
    page = page_in(request)
    tuning, agrees = store.set_by(request.user.pk)
    start = (page - 1) * HISTORY_PAGE
    rows = list(queries.live_feedback(request.user)[start : start + HISTORY_PAGE + 1])
    context = {
        "form": form,
        "tune": tune_context(tuning),
        "interests": [
            row | {"share": percent(row["weight"]), "weight": f"{row['weight']:.2f}"}
            for row in interests_out(store.told_interests(request.user.pk))
        ],
        "wishes": begin.said_by(request.user.pk),
        "steers": steers_of_person(request.user.pk),
        "history": rows[:HISTORY_PAGE],
        "newer": page - 1,
        "older": page + 1 if len(rows) > HISTORY_PAGE and page < LAST_PAGE else None,
        "next": request.get_full_path(),
        "agrees": agrees,
    }
    return render(request, "account.html", context)


def page_in(request: HttpRequest) -> int:
    number = request.GET.get("page", "")
    return min(max(int(number), 1), LAST_PAGE) if number.isdecimal() and len(number) < 5 else 1
