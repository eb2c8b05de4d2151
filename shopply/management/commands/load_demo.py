from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.management import BaseCommand, CommandError, call_command
from django.db.models import Q

from customers.checks import PUBLISHED_LOGINS, open_published_logins
from products.categories import Category
from products.models import Product, ProductImage

CUSTOMERS = settings.BASE_DIR / "fixtures/customers.json"
PICTURES = settings.BASE_DIR / "fixtures/pictures"  # by SKU


class Command(BaseCommand):
    help = (
        "Loads the demo shop: products and categories if there are none, and customers whose user "
        "name and e-mail address are free. Does not change existing rows."
    )

    def handle(self, **options):
        if not settings.DEBUG:
            raise CommandError(
                "With DEBUG=false, accounts with published passwords are not created."
            )
        for row in serializers.deserialize("json", CUSTOMERS.read_text(encoding="utf-8")):
            if not is_taken(row.object):
                row.object.pk = None  # which another customer may have
                row.object.save()
        if not (Product.objects.exists() or Category.objects.exists()):
            call_command("loaddata", "products", stdout=self.stdout)
            for product in Product.objects.all():
                add_picture(product)
        for name in open_published_logins():
            self.stdout.write(f"Demo log-in: {name} / {PUBLISHED_LOGINS[name]}")


def add_picture(product):
    picture = PICTURES / f"{product.sku}.webp"
    ProductImage.objects.add(product, picture.read_bytes(), by=None, alt=product.name)


def is_taken(customer):
    """Return whether another account has the user name or the e-mail address."""
    same = Q(username__iexact=customer.username) | Q(email__iexact=customer.email)
    return get_user_model().objects.filter(same).exists()
