"""A serializer serializes all of an instance, however the instance was loaded."""

import json
from decimal import Decimal
from types import SimpleNamespace

import pytest

from customers.models import Customer
from customers.serializers import CustomerSerializer
from orders.models import Order
from orders.serializers import OrderSerializer, QuoteSerializer
from products.models import Product
from products.serializers import ProductSerializer
from shopply.api.renderers import JSONRenderer
from tests import factories


@pytest.fixture
def order(alice, clerk, product):
    order = factories.place(alice, {product: 2, factories.products.make(): 1})
    order.confirm(by=clerk, note="Packed.")
    return order


def reload(order):
    return Order.objects.get(pk=order.pk)


def prefetch(order):
    return Order.objects.prefetch_related("items", "events").get(pk=order.pk)


def fetch(order):
    return Order.objects.fetch_history(order.customer_id, 1)[0]


@pytest.mark.parametrize("load", [lambda order: order, reload, prefetch, fetch])
def test_order_is_complete_however_it_was_loaded(as_alice, alice, order, load):
    context = {"request": SimpleNamespace(user=alice)}
    data = JSONRenderer().render(OrderSerializer(load(order), context=context).data)
    assert json.loads(data) == as_alice.get(f"/api/orders/{order.pk}/").json()
    assert [event["status"] for event in json.loads(data)["events"]] == ["placed", "confirmed"]


def test_order_is_quoted_from_its_row(order):
    data = QuoteSerializer(reload(order)).data
    assert (len(data["items"]), data["total_price"]) == (2, "37.50")


@pytest.mark.parametrize("price", ["5", Decimal("5.0"), Decimal("5.00")])
def test_product_is_complete_before_and_after_it_is_saved(db, price):
    product = Product(name="Cup", price=Decimal(price), quantity_in_stock=3)
    for instance in (product, product):
        data = ProductSerializer(instance).data
        assert (data["price"], data["sku"], data["in_stock"]) == ("5.00", None, True)
        product.save()
    assert ProductSerializer(Product.objects.get()).data["price"] == "5.00"


def test_customer_is_complete_from_its_row(as_alice, alice):
    data = JSONRenderer().render(CustomerSerializer(Customer.objects.get(pk=alice.pk)).data)
    assert json.loads(data) == as_alice.get("/api/customers/me/").json()
