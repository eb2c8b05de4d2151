from django.core.management import BaseCommand

from orders.models import Order
from orders.search import SearchEntry


class Command(BaseCommand):
    help = (
        "Makes orders findable that were not placed by this release: by servers of the release "
        "before, while they were replaced, or by SQL. Run it again at any time."
    )

    def handle(self, **options):
        orders = Order.objects.all()
        count = SearchEntry.objects.write_missing(orders)
        count += SearchEntry.objects.write_outdated(orders)
        self.stdout.write(f"{count:,} orders indexed.")
