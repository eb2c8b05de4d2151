import pytest
from django.db import IntegrityError, transaction

from orders.models import Order, OrderEvent, OrderItem
from tests import factories


@pytest.fixture
def order(alice, product):
    return factories.place(alice, {product: 2})


@pytest.mark.parametrize(
    ("model", "field", "value", "constraint"),
    [
        (Order, "total_price", "-0.01", "order_total_not_negative"),
        (Order, "status", "lost", "order_status_known"),
        (OrderItem, "quantity", 0, "order_item_quantity_positive"),
        (OrderItem, "unit_price", "-0.01", "order_item_money_not_negative"),
        (OrderItem, "line_total", "-0.01", "order_item_money_not_negative"),
    ],
)
def test_database_rejects_invalid_values(order, model, field, value, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**{field: value})


def test_database_rejects_a_second_item_of_one_product(order, product):
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderItem.objects.create(
            order=order, product=product, unit_price=1, quantity=1, line_total=1
        )


def test_database_rejects_a_second_order_of_one_key(order, alice, bob, product):
    orders = [factories.place(customer, {product: 1}, key="k") for customer in (alice, bob)]
    assert len(orders) == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(idempotency_key="k")


def test_database_rejects_a_second_cancellation(order, alice):
    event = {"order": order, "status": "cancelled", "at": order.created, "by": alice}
    OrderEvent.objects.create(**event)
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderEvent.objects.create(**event)


def test_customer_with_orders_cannot_be_deleted(order, alice):
    with pytest.raises(IntegrityError):
        alice.delete()
