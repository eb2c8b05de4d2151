"""Rows for tests. Orders have no recipe: `place(customer, {product: quantity})` places one."""

from django.contrib.auth.tokens import default_token_generator
from django.utils.http import urlsafe_base64_encode
from model_bakery.recipe import Recipe, seq

from customers.models import Customer
from orders.models import Order
from products.models import Product

PASSWORD = "nine-bean-rows"

customers = Recipe(
    Customer,
    password="-",  # no password matches it; without it, model_bakery would draw random letters
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


def place(customer, quantities, **fields):
    """Place an order of `{product: quantity}`, as the API does."""
    quantities = {product.pk: quantity for product, quantity in quantities.items()}
    return Order.objects.place(
        **{"customer": customer, "by": customer, "quantities": quantities} | fields
    )


def reset_link(customer):
    """Return `uid` and `token` of a link that sets the customer's password."""
    uid = urlsafe_base64_encode(str(customer.pk).encode())
    return {"uid": uid, "token": default_token_generator.make_token(customer)}


# By status, the transitions that lead to it.
PATHS = {
    "placed": [],
    "confirmed": ["confirm"],
    "shipped": ["confirm", "ship"],
    "delivered": ["confirm", "ship", "deliver"],
    "cancelled": ["cancel"],
}
# By verb, the transitions that come before it.
PRIOR_TRANSITIONS = {
    "ship": ["confirm"],
    "deliver": ["confirm", "ship"],
    "undo": ["confirm", "ship"],
    "return": ["confirm", "ship"],
}


def make_transitions(order, transitions, by):
    for transition in transitions:
        getattr(order, transition)(by=by)


def link_params(customer):
    """Return the `uid` and the `token` of the link that confirms the customer's address."""
    *_, uid, token, _ = customer.confirmation_link().split("/")
    return {"uid": uid, "token": token}
