from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        from shopply import checks  # noqa: F401  they register themselves

        if settings.SENTRY_DSN:
            from shopply import sentry  # not before: to load it takes a tenth of a second

            sentry.start()


class ShopAdminConfig(apps.AdminConfig):
    """Django's admin, with a site of our own."""

    default = False  # else `shopply` itself would be taken for it
    default_site = "shopply.admin.ShopAdminSite"
