"""Where the API of facts lies, below /api/v1/."""

from django.urls import path

from catalog.api import accounts, feedback, items

urlpatterns = [
    path("auth/register/", accounts.Register.as_view(), name="api-register"),
    path("auth/guest/", accounts.Guest.as_view(), name="api-guest"),
    path("auth/login/", accounts.SignIn.as_view(), name="api-login"),
    path("auth/logout/", accounts.SignOut.as_view(), name="api-logout"),
    path("auth/logout-all/", accounts.SignOutEverywhere.as_view(), name="api-logout-all"),
    path("items/", items.Items.as_view(), name="api-items"),
    path("feedback/", feedback.FeedbackList.as_view(), name="api-feedback"),
    path("feedback/<uuid:uuid>/", feedback.FeedbackDetail.as_view(), name="api-feedback-detail"),
]
