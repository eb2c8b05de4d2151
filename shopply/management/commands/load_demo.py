from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.management import BaseCommand, CommandError, call_command
from django.db.models import Q

from customers.checks import PUBLISHED_LOGINS, open_published_logins
from products.models import Product

CUSTOMERS = settings.BASE_DIR / "fixtures/customers.json"


class Command(BaseCommand):
    help = (
        "Loads the demo shop: its products if there are none, and those of its customers whose "
        "user name and e-mail address are free. Changes nothing that is there."
    )

    def handle(self, **options):
        if not settings.DEBUG:
            raise CommandError("With DEBUG=false, no accounts with published passwords are made.")
        for row in serializers.deserialize("json", CUSTOMERS.read_text(encoding="utf-8")):
            if not taken(row.object):
                row.object.pk = None  # which somebody else may have
                row.object.save()
        if not Product.objects.exists():
            call_command("loaddata", "products", stdout=self.stdout)
        for name in open_published_logins():
            self.stdout.write(f"Demo log-in that works: {name} / {PUBLISHED_LOGINS[name]}")


def taken(customer):
    """Whether another account has the user name or the e-mail address, whatever the case."""
    same = Q(username__iexact=customer.username) | Q(email__iexact=customer.email)
    return get_user_model().objects.filter(same).exists()
