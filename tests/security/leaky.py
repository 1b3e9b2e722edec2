"""Addresses that do wrong on purpose, so that the harness proves it can see it. Of tests alone."""

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from catalog.models import Feedback, User


def tells(request, uuid):
    return JsonResponse({"name": get_object_or_404(User, uuid=uuid).name})


def whispers(request, uuid):
    """Refuses, and yet says whose it was."""
    return JsonResponse({"owner": get_object_or_404(Feedback, uuid=uuid).user.name}, status=404)


def changes(request, uuid):
    Feedback.objects.filter(uuid=uuid).update(text="mine now")
    raise Http404


def breaks(request, uuid):
    raise RuntimeError("an error is no refusal")


def differs(request, uuid):
    get_object_or_404(Feedback, uuid=uuid)
    return HttpResponse(status=403)


def opens(request):
    return HttpResponse("for operators alone")


urlpatterns = [
    path("tells/<uuid:uuid>/", tells),
    path("whispers/<uuid:uuid>/", whispers),
    path("changes/<uuid:uuid>/", changes),
    path("breaks/<uuid:uuid>/", breaks),
    path("differs/<uuid:uuid>/", differs),
    path("opens/", opens),
]
