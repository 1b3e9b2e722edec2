"""All addresses of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from recsite import health

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v1/", include("catalog.urls")),
    path("api/v1/", include("recommender.urls")),
    path("api/schema/", SpectacularJSONAPIView.as_view(permission_classes=[]), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(permission_classes=[]), name="docs"),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("", include("catalog.site_urls")),
    path("", include("recommender.site_urls")),
]
