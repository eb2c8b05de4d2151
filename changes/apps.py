from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ChangesConfig(AppConfig):
    name = "changes"

    def ready(self):
        from changes import checks, triggers  # noqa: F401  checks register themselves

        pre_migrate.connect(triggers.drop_triggers, sender=self)
        post_migrate.connect(triggers.start_feed, sender=self)
