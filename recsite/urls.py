"""All addresses of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from recsite import health, operators

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v1/", include("catalog.urls")),
    path("api/v1/", include("recommender.urls")),
    path("api/schema/", SpectacularJSONAPIView.as_view(permission_classes=[]), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(permission_classes=[]), name="docs"),
    path("two-factor/", operators.two_factor, name="two-factor"),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("", include("catalog.site_urls")),
    path("", include("recommender.site_urls")),
]
