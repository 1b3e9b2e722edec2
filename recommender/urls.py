"""Where the API of recommendations lies, below /api/v1/."""

from django.urls import path

from recommender.api import items, me, recommendations, servers

urlpatterns = [
    path("recommendations/", recommendations.Recommendations.as_view(), name="api-recommendations"),
    path("home/", recommendations.Home.as_view(), name="api-home"),
    path(
        "recommendations/<uuid:served>/why/<uuid:item>/",
        recommendations.Why.as_view(),
        name="api-why",
    ),
    path(
        "recommendations/<uuid:served>/why-not/<uuid:item>/",
        recommendations.WhyNot.as_view(),
        name="api-why-not",
    ),
    path("scenarios/", recommendations.Scenarios.as_view(), name="api-scenarios"),
    path("impressions/", recommendations.Impressions.as_view(), name="api-impressions"),
    path("items/", items.Items.as_view(), name="api-items"),
    path("creators/<uuid:uuid>/", items.CreatorDetail.as_view(), name="api-creator"),
    path("items/<uuid:uuid>/", items.ItemDetail.as_view(), name="api-item"),
    path("items/<uuid:uuid>/similar/", items.Similar.as_view(), name="api-similar"),
    path("search/", items.Search.as_view(), name="api-search"),
    path(
        "server/recommendations/",
        servers.ServerRecommendations.as_view(),
        name="api-server-recommendations",
    ),
    path("server/scores/", servers.Scores.as_view(), name="api-server-scores"),
    path("server/jobs/", servers.Jobs.as_view(), name="api-server-jobs"),
    path("server/metrics/", servers.Metrics.as_view(), name="api-server-metrics"),
    path("me/", me.Me.as_view(), name="api-me"),
    path("me/wishes/", me.Wishes.as_view(), name="api-wishes"),
    path("me/wishes/<uuid:uuid>/", me.WishDetail.as_view(), name="api-wish"),
    path("me/interests/", me.Interests.as_view(), name="api-interests"),
    path("me/interests/<uuid:uuid>/", me.InterestDetail.as_view(), name="api-interest"),
    path("me/steering/", me.Steering.as_view(), name="api-steering"),
    path("me/steering/<uuid:uuid>/", me.SteeringDetail.as_view(), name="api-steering-undo"),
]
