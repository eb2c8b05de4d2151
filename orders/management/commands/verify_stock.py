from django.core.management import BaseCommand, CommandError
from django.template.defaultfilters import pluralize

from orders import stock_ledger


class Command(BaseCommand):
    help = (
        "Checks that every product's stock is what its adjustments and orders add up to. "
        "Prints those that differ, and then exits with 1."
    )

    def handle(self, **options):
        count = 0
        for product in stock_ledger.find_discrepancies().iterator():
            count += 1
            self.stdout.write(
                f"{product}: {product.quantity_in_stock} in stock, but "
                f"{product.adjusted} adjusted - {product.sold} sold = "
                f"{product.adjusted - product.sold}"
            )
        if count:
            raise CommandError(f"The stock of {count} product{pluralize(count)} does not add up.")
        self.stdout.write("The stock of every product adds up.")
