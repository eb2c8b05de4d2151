from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

from customers.checks import PUBLISHED_LOGINS, open_published_logins
from products.models import Product


class Command(BaseCommand):
    help = "Loads the demo shop, unless the database holds a customer or a product already."

    def handle(self, **options):
        if get_user_model().objects.exists() or Product.objects.exists():
            self.stdout.write("The shop has data already; nothing was loaded.")
        elif not settings.DEBUG:
            raise CommandError("With DEBUG=false, no accounts with published passwords are made.")
        else:
            call_command("loaddata", "customers", "products", stdout=self.stdout)
        for name in open_published_logins():
            self.stdout.write(f"Demo log-in that works: {name} / {PUBLISHED_LOGINS[name]}")
