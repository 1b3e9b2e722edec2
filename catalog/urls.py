"""Where the API of facts lies, below /api/v1/."""

from django.urls import path

from catalog.api import accounts, feedback, items, privacy, servers

urlpatterns = [
    path("auth/register/", accounts.Register.as_view(), name="api-register"),
    path("auth/guest/", accounts.Guest.as_view(), name="api-guest"),
    path("auth/login/", accounts.SignIn.as_view(), name="api-login"),
    path("auth/logout/", accounts.SignOut.as_view(), name="api-logout"),
    path("auth/logout-all/", accounts.SignOutEverywhere.as_view(), name="api-logout-all"),
    path("auth/password/", accounts.PasswordChange.as_view(), name="api-password"),
    path("auth/password/reset/", accounts.PasswordReset.as_view(), name="api-password-reset"),
    path(
        "auth/password/reset/confirm/",
        accounts.PasswordResetConfirm.as_view(),
        name="api-password-reset-confirm",
    ),
    path("auth/email/confirm/", accounts.EmailConfirm.as_view(), name="api-email-confirm"),
    path("auth/email/send/", accounts.EmailConfirmAgain.as_view(), name="api-email-send"),
    path("auth/sign-ins/", accounts.SignIns.as_view(), name="api-sign-ins"),
    path("auth/sign-ins/<uuid:uuid>/", accounts.SignInDetail.as_view(), name="api-sign-in"),
    path("categories/", items.Categories.as_view(), name="api-categories"),
    path("categories/<str:slug>/", items.CategoryDetail.as_view(), name="api-category"),
    path("creators/", items.Creators.as_view(), name="api-creators"),
    path("feedback/", feedback.FeedbackList.as_view(), name="api-feedback"),
    path("feedback/<uuid:uuid>/", feedback.FeedbackDetail.as_view(), name="api-feedback-detail"),
    path("server/items/", servers.ItemsUpsert.as_view(), name="api-server-items"),
    path("server/items/hide/", servers.ItemsHide.as_view(), name="api-server-items-hide"),
    path("server/people/", servers.PeopleUpsert.as_view(), name="api-server-people"),
    path("server/people/hide/", servers.PeopleHide.as_view(), name="api-server-people-hide"),
    path("server/people/show/", servers.PeopleShow.as_view(), name="api-server-people-show"),
    path("server/feedback/", servers.FeedbackIngest.as_view(), name="api-server-feedback"),
    path("me/export/", privacy.Export.as_view(), name="api-export"),
    path("me/export/<uuid:uuid>/archive/", privacy.Download.as_view(), name="api-export-archive"),
    path("erasures/<uuid:uuid>/", privacy.Receipt.as_view(), name="api-erasure"),
]
