"""Where the pages lie, at the root of the site."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from recommender import views

urlpatterns = [
    path("", views.for_you, name="for-you"),
    path("items/<uuid:uuid>/", views.item, name="item"),
    path("why/<uuid:served>/<uuid:uuid>/", views.why, name="why"),
    path("why-not/<uuid:uuid>/", views.why_not, name="why-not"),
    path("search/", views.search_page, name="search"),
    path("consent/", views.consent, name="consent"),
    path("seen/", views.seen, name="seen"),
    path("start/", views.start, name="start"),
    path("wishes/remove/", views.remove_wish, name="remove-wish"),
    path("wishes/undo/", views.restore_wish, name="restore-wish"),
    path("interests/", views.choose_interest, name="interest"),
    path("steering/", views.steer_by, name="steer"),
    path("feedback/", views.feedback, name="feedback"),
    path("feedback/undo/", views.undo, name="undo"),
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-up/", views.SignUp.as_view(), name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/", views.account, name="account"),
    path("language/", set_language, name="set_language"),
]
