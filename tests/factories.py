"""Rows for tests. Orders are placed, never made: `place(customer, {product: quantity})`."""

from model_bakery.recipe import Recipe, seq

from customers.models import Customer
from orders.models import Order
from products.models import Product

PASSWORD = "nine-bean-rows"

customers = Recipe(
    Customer,
    password="-",  # opens nothing; left out, it would be random letters
    username=seq("customer"),
    email=seq("customer", suffix="@example.com"),
    first_name="Ada",
    last_name=seq("Brandt "),
    street_1="Kattesundet 4",
    city="Aarhus",
    postal_code="8000",
    country="Denmark",
)

products = Recipe(
    Product,
    name=seq("Coffee "),
    sku=seq("SKU-"),
    price="12.50",
    quantity_in_stock=100,
)


def place(customer, quantities, **more):
    """An order of `{product: quantity}`, placed as the API places it."""
    quantities = {product.pk: quantity for product, quantity in quantities.items()}
    return Order.objects.place(customer=customer, quantities=quantities, **more)
