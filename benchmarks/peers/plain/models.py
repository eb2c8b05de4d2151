"""The shop's tables."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


class Customer(AbstractUser):
    contact_number = models.CharField(max_length=40, blank=True)
    street_1 = models.CharField(max_length=200, blank=True)
    street_2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=100, blank=True)
    email_confirmed = models.BooleanField(default=False)
    new_email = models.EmailField(blank=True)
    order_mails = models.BooleanField(default=True)

    class Meta:
        managed = False
        db_table = "customers_customer"


class Category(models.Model):
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        managed = False
        db_table = "products_category"
        ordering = ["slug"]

    def __str__(self):
        return self.name


class Product(models.Model):
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    sku = models.CharField(max_length=40, null=True, unique=True)  # noqa: DJ001
    gtin = models.CharField(max_length=14, null=True)  # noqa: DJ001
    price = models.DecimalField(max_digits=13, decimal_places=3)
    quantity_in_stock = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    categories = models.ManyToManyField(Category, db_table="products_product_categories")
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "products_product"
        ordering = ["id"]

    def __str__(self):
        return self.name

    @property
    def currency(self):
        return settings.SHOP_CURRENCY

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0


class ProductImage(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="images")
    file = models.FileField()
    thumbnail = models.FileField(blank=True)
    alt = models.CharField(max_length=250, blank=True)
    position = models.PositiveSmallIntegerField()
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()

    class Meta:
        managed = False
        db_table = "products_productimage"
        ordering = ["position", "id"]

    def __str__(self):
        return self.alt


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=10, default="placed")
    total_price = models.DecimalField(max_digits=16, decimal_places=3)
    currency = models.CharField(max_length=3)
    shipping_address = models.JSONField()
    note = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=64, blank=True)
    carrier = models.CharField(max_length=40, blank=True)
    tracking_number = models.CharField(max_length=100, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, default="")
    created = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "orders_order"
        ordering = ["-id"]

    def __str__(self):
        return f"Order {self.pk}"

    @property
    def tracking_url(self):
        return ""  # no carrier is set

    @property
    def ordered_by_id(self):
        return self.placed_by_id or self.customer_id


class OrderItem(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    sku = models.CharField(max_length=40)
    unit_price = models.DecimalField(max_digits=13, decimal_places=3)
    quantity = models.PositiveIntegerField()
    line_total = models.DecimalField(max_digits=16, decimal_places=3)
    returned = models.PositiveIntegerField(default=0)

    class Meta:
        managed = False
        db_table = "orders_orderitem"
        ordering = ["id"]

    def __str__(self):
        return self.name


class OrderEvent(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    action = models.CharField(max_length=15)
    status = models.CharField(max_length=10)
    at = models.DateTimeField()
    by = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    shipping_address = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = "orders_orderevent"
        ordering = ["id"]

    def __str__(self):
        return self.status
