from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        from shopply import checks  # noqa: F401  they register themselves

        if settings.SENTRY_DSN:
            from shopply import sentry  # here, since its import takes a tenth of a second

            sentry.start()


class ShopAdminConfig(apps.AdminConfig):
    """Django's admin with the site of shopply.admin."""

    default = False  # otherwise Django would use it for `shopply` itself
    default_site = "shopply.admin.ShopAdminSite"
