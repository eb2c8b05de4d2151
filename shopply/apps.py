from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin
from django.contrib.staticfiles import apps as staticfiles
from django_tasks_db import apps as tasks


class ShopplyConfig(AppConfig):
    name = "shopply"

    def ready(self):
        from shopply import checks  # noqa: F401  they register themselves

        if settings.SENTRY_DSN:
            from shopply import sentry  # here, since its import takes a tenth of a second

            sentry.start()


class ShopAdminConfig(admin.AdminConfig):
    """Django's admin with the site of shopply.admin."""

    default = False  # otherwise Django would use it for `shopply` itself
    default_site = "shopply.admin.ShopAdminSite"

    def ready(self):
        super().ready()
        from shopply import task_admin  # noqa: F401  which replaces that of django-tasks-db


class TasksConfig(tasks.TasksAppConfig):
    """That of django-tasks-db, by a name that staff understand."""

    default = False  # as above
    verbose_name = "Tasks"


class ShopStaticFilesConfig(staticfiles.StaticFilesConfig):
    """Django's, for the files that the shop shows."""

    default = False  # as above
    # A second page of documentation, which nothing shows: half of all bytes.
    ignore_patterns = [*staticfiles.StaticFilesConfig.ignore_patterns, "redoc"]
