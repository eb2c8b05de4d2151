from django.core.management import BaseCommand
from django.template.defaultfilters import pluralize

from orders.models import Order


class Command(BaseCommand):
    help = (
        "Cancels orders that nobody confirmed within PLACED_EXPIRES days, and puts their stock "
        "back. For cron: does nothing if that setting is 0."
    )

    def handle(self, **options):
        count = 0
        while cancelled := Order.objects.cancel_expired():
            count += cancelled
        self.stdout.write(f"{count} order{pluralize(count)} cancelled.")
