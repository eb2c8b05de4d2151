from django.core.management import BaseCommand

from shopply.periodic_jobs import run_jobs


class Command(BaseCommand):
    help = (
        "Runs the periodic jobs of the shop, without its tasks: for a TASKS_BACKEND with workers "
        "of its own. `db_worker` runs both."
    )

    def handle(self, **options):
        run_jobs()
