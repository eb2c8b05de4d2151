"""URLs of the API, the admin, the documentation and the probes."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from rest_framework.routers import APIRootView, DefaultRouter

from changes.views import ChangeViewSet
from customers.views import CustomerViewSet, ObtainToken, RevokeToken
from orders.views import OrderViewSet, StockHistory
from products.views import ProductViewSet
from shopply import health, metrics
from shopply.api import views
from shopply.api.query_params import CheckQueryParamsMixin


class Root(CheckQueryParamsMixin, APIRootView):
    """The root of the API: links to its lists."""

    authentication_classes = permission_classes = ()


router = DefaultRouter(use_regex_path=False)
router.APIRootView = Root
router.include_format_suffixes = False
router.register("products", ProductViewSet)
router.register("orders", OrderViewSet)
router.register("customers", CustomerViewSet)
router.register("changes", ChangeViewSet)

urlpatterns = [
    path("api/", include(router.urls)),  # first, since most requests go there
    path("", RedirectView.as_view(pattern_name="docs")),
    # Browsers request it when they show a response of the API, which has no link to an icon.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("admin/", admin.site.urls),
    path("api/obtain-token/", ObtainToken.as_view(), name="obtain-token"),
    path("api/revoke-token/", RevokeToken.as_view(), name="revoke-token"),
    path("api/schema/", views.SchemaView.as_view(), name="schema"),
    path(
        "api/docs/",
        views.DocsView.as_view(template_name="swagger_ui.html", template_name_js="swagger_ui.js"),
        name="docs",
    ),
    path("api/problems/", views.problem_list, name="problems"),
    path("api/problems/<slug:code>/", views.problem_detail, name="problem"),
    path("api/products/<int:pk>/stock-history/", StockHistory.as_view(), name="stock-history"),
    path("api/<path:path>", views.unknown_path),
]

handler400 = views.handler400
handler403 = views.handler403
handler404 = views.handler404
handler500 = views.handler500
