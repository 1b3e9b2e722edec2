"""Where the API of facts lies, below /api/v1/."""

from django.urls import path

from catalog import api

urlpatterns = [
    path("auth/register/", api.Register.as_view(), name="api-register"),
    path("auth/guest/", api.Guest.as_view(), name="api-guest"),
    path("auth/login/", api.SignIn.as_view(), name="api-login"),
    path("auth/logout/", api.SignOut.as_view(), name="api-logout"),
    path("auth/logout-all/", api.SignOutEverywhere.as_view(), name="api-logout-all"),
    path("items/", api.Items.as_view(), name="api-items"),
    path("feedback/", api.FeedbackList.as_view(), name="api-feedback"),
    path("feedback/<uuid:uuid>/", api.FeedbackDetail.as_view(), name="api-feedback-detail"),
]
