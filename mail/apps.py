from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models.signals import post_migrate


class MailConfig(AppConfig):
    name = "mail"

    def ready(self):
        from mail import checks, privacy  # noqa: F401  checks register themselves

        get_user_model().exporting.connect(privacy.export)
        get_user_model().closing.connect(privacy.erase)
        post_migrate.connect(start_reader, sender=self)


def start_reader(sender, using, **kwargs):
    """Receive `post_migrate`: mails are about what happens from the first migration on."""
    from changes.models import Reader
    from mail.feed import READER

    if Reader._meta.db_table in connections[using].introspection.table_names():
        Reader.objects.start(READER)
