from django.apps import AppConfig
from django.contrib.auth import get_user_model


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self):
        from orders import checks, privacy  # noqa: F401  checks register themselves

        get_user_model().exporting.connect(privacy.export)
        get_user_model().closing.connect(privacy.erase)
