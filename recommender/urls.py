"""Where the API of recommendations lies, below /api/v1/."""

from django.urls import path

from recommender import api

urlpatterns = [
    path("recommendations/", api.Recommendations.as_view(), name="api-recommendations"),
    path("recommendations/<uuid:served>/why/<uuid:item>/", api.Why.as_view(), name="api-why"),
    path(
        "recommendations/<uuid:served>/why-not/<uuid:item>/",
        api.WhyNot.as_view(),
        name="api-why-not",
    ),
    path("scenarios/", api.Scenarios.as_view(), name="api-scenarios"),
    path("impressions/", api.Impressions.as_view(), name="api-impressions"),
    path("items/<uuid:uuid>/", api.ItemDetail.as_view(), name="api-item"),
    path("items/<uuid:uuid>/similar/", api.Similar.as_view(), name="api-similar"),
    path("search/", api.Search.as_view(), name="api-search"),
    path("me/", api.Me.as_view(), name="api-me"),
    path("me/wishes/", api.Wishes.as_view(), name="api-wishes"),
    path("me/wishes/<uuid:uuid>/", api.WishDetail.as_view(), name="api-wish"),
    path("me/steering/", api.Steering.as_view(), name="api-steering"),
    path("me/steering/<uuid:uuid>/", api.SteeringDetail.as_view(), name="api-steering-undo"),
]
