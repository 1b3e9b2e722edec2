"""Forms of the pages about what the recommender is told. They check and clean; stories write."""

from uuid import UUID, uuid5

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from catalog.services import Given
from recommender import interests
from recommender.begin import LONGEST
from recommender.models import Steering
from recommender.notice import Told
from recommender.ranking.tuning import PRESETS, WISHES

MOST_PICKS = 60  # what the pages of suggestions have together


class Picks(forms.Field):
    """Public ids of items, from checkboxes of one name."""

    widget = forms.SelectMultiple

    def to_python(self, value: list[str] | None) -> list[UUID]:
        try:
            return [UUID(item) for item in value or []][:MOST_PICKS]
        except ValueError:
            raise forms.ValidationError(_("The request cannot be read.")) from None


class StartForm(forms.Form):
    """A sentence, or picks, or both. The page made `id`, so that sending twice is saying once."""

    id = forms.UUIDField()
    text = forms.CharField(
        label=_("Say it in a sentence"),
        required=False,
        max_length=LONGEST,
        help_text=_("What you want and what you do not, in English or Chinese."),
        widget=forms.TextInput(
            attrs={
                "placeholder": _("slow science fiction, nothing with superheroes"),
                "autocomplete": "off",
            }
        ),
    )
    pick = Picks(required=False)
    consent = forms.BooleanField(
        label=_("Use what I say, like, dislike and hide to choose what I am shown."),
        required=False,
        help_text=_("It is used for nothing else, and each piece can be taken back."),
    )

    def clean(self) -> dict:
        data = super().clean()
        if not self.errors and not data["text"] and not data["pick"]:
            raise forms.ValidationError(_("Say a sentence, or pick something that you like."))
        return data

    def likes(self) -> list[Given]:
        data = self.cleaned_data
        return [
            Given(item=item, kind="like", uuid=uuid5(data["id"], str(item)))
            for item in data["pick"]
        ]


class WishForm(forms.Form):
    wish = forms.UUIDField()


class InterestForm(forms.Form):
    interest = forms.UUIDField()
    state = forms.ChoiceField(choices=[(state, state) for state in interests.STATES])


class SteerForm(forms.Form):
    """More, less or none of something; or undo, by the id of what is in force."""

    action = forms.ChoiceField(choices=[*Steering.Action.choices, ("undo", "")])
    kind = forms.ChoiceField(choices=Steering.Kind.choices)
    target = forms.CharField(max_length=200, required=False)
    steering = forms.UUIDField(required=False)

    def clean(self) -> dict:
        data = super().clean()
        named = "steering" if data.get("action") == "undo" else "target"
        if not self.errors and not data.get(named):
            raise forms.ValidationError("")
        return data


class TuneForm(forms.Form):
    """How lists are made: a preset that was pressed, or where sliders stand that were moved."""

    preset = forms.ChoiceField(choices=[(name, "") for name in PRESETS], required=False)
    diversity = forms.FloatField(min_value=0, max_value=1, required=False)
    novelty, recency, popularity = (
        forms.FloatField(min_value=-1, max_value=1, required=False) for _wish in WISHES
    )

    def tuned(self) -> dict:
        """What can be used of it: a page is no place to argue about a number.

        A preset comes with the sliders where they stood, and goes before them.
        """
        self.is_valid()
        data = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        if "preset" in data:
            return {"preset": data["preset"]}
        if data.get("diversity") == settings.DEFAULT_DIVERSITY:
            data["diversity"] = None
        return data


class SeenForm(forms.Form):
    """Ranks of one list that came into sight, as 1,2,5."""

    list = forms.UUIDField()
    positions = forms.RegexField(r"^[1-9][0-9]{0,2}(,[1-9][0-9]{0,2}){0,99}$")

    def told(self) -> Told:
        data = self.cleaned_data
        return Told(data["list"], [int(position) for position in data["positions"].split(",")])
