"""URLs of the API, the admin, the documentation and the probes."""

from typing import ClassVar

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordResetDoneView
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from rest_framework.routers import APIRootView, DefaultRouter

from changes.views import ChangeViewSet
from customers import password_reset_pages
from customers.email_confirmation import confirmation_page
from customers.password_reset import PasswordReset, PasswordResetConfirm
from customers.views import CustomerViewSet, ObtainToken, RevokeToken
from orders.views import OrderViewSet, StockHistory
from products.category_views import CategoryViewSet
from products.image_views import ProductImageViewSet
from products.media import serve_picture
from products.pictures import NAME
from products.views import ProductViewSet
from shopply import health, metrics
from shopply.api import views
from shopply.api.query_params import CheckRequestMixin


class Root(CheckRequestMixin, APIRootView):
    """The root of the API: links to its lists."""

    authentication_classes = permission_classes = ()


class Router(DefaultRouter):
    """DRF's, with PATCH of a list for viewsets that have `bulk_update`."""

    routes: ClassVar = [
        route._replace(mapping=route.mapping | {"patch": "bulk_update"})
        if route.name == "{basename}-list"
        else route
        for route in DefaultRouter.routes
    ]


ADMIN_TITLES = {"site_header": admin.site.site_header, "site_title": admin.site.site_title}

router = Router(use_regex_path=False)
router.APIRootView = Root
router.include_format_suffixes = False
router.register("products", ProductViewSet)
router.register("categories", CategoryViewSet)
router.register("products/<int:pk>/images", ProductImageViewSet, "product-image")
router.register("orders", OrderViewSet)
router.register("customers", CustomerViewSet)
router.register("changes", ChangeViewSet)

urlpatterns = [
    path("api/", include(router.urls)),  # first, since most requests go there
    path("", RedirectView.as_view(pattern_name="docs")),
    path("confirm-email/<uid>/<token>/", confirmation_page, name="confirm-email-page"),
    # Browsers request it when they show a response of the API, which has no link to an icon.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    # Those of a bucket have URLs of their own.
    re_path(f"^media/(?P<name>{NAME})$", serve_picture),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    # With these names Django's page of the log-in to the admin links to the first one.
    path(
        "admin/password_reset/",
        password_reset_pages.PasswordResetView.as_view(extra_context=ADMIN_TITLES),
        name="admin_password_reset",
    ),
    path(
        "admin/password_reset/done/",
        PasswordResetDoneView.as_view(extra_context=ADMIN_TITLES),
        name="password_reset_done",
    ),
    path(
        "reset/<uidb64>/<token>/",
        password_reset_pages.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "reset/done/",
        password_reset_pages.PasswordResetCompleteView.as_view(),
        name="password_reset_complete",
    ),
    path("admin/", admin.site.urls),
    path("api/obtain-token/", ObtainToken.as_view(), name="obtain-token"),
    path("api/revoke-token/", RevokeToken.as_view(), name="revoke-token"),
    path("api/customers/password-reset/", PasswordReset.as_view(), name="password-reset"),
    path(
        "api/customers/password-reset/confirm/",
        PasswordResetConfirm.as_view(),
        name="password-reset-confirm",
    ),
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
