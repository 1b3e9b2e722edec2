"""Where the pages of an account lie."""

from django.urls import path

from catalog import views

urlpatterns = [
    path("pictures/<str:name>", views.picture, name="picture"),
    path("account/access/", views.access, name="access"),
    path("account/access/<uuid:uuid>/end/", views.end_sign_in, name="end-sign-in"),
    path("account/access/end/", views.end_everywhere, name="end-everywhere"),
    path("account/confirm/", views.confirm_again, name="confirm-again"),
    path("confirm/<str:code>/", views.confirm_email, name="confirm-email"),
    path("password/forgotten/", views.forgotten_password, name="forgotten-password"),
    path(
        "password/reset/<uuid:uidb64>/<str:token>/",
        views.ResetPassword.as_view(),
        name="reset-password",
    ),
    path("account/export/", views.export, name="export"),
    path("account/export/<uuid:uuid>/", views.download, name="export-archive"),
    path("account/erase/", views.erase, name="erase"),
    path("erased/<uuid:uuid>/", views.erased, name="erased"),
]
