"""`return_items`: what came back is in stock again or written off, and the order shows it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import stock_ledger
from orders.items import ReturnedItem, TooManyReturned
from orders.models import Order, OrderItem
from orders.transitions import TransitionNotAllowed
from products.models import Product, StockAdjustment
from tests import factories

POSSIBLE = ("shipped", "delivered")


@pytest.fixture(autouse=True)
def books_add_up(db):
    yield
    assert not stock_ledger.find_discrepancies().exists()


@pytest.fixture
def other_product(db):
    return factories.products.make()


def send_back(client, order, quantities, key=None, **body):
    items = [{"product": product.pk, "quantity": n} for product, n in quantities.items()]
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/orders/{order.pk}/return/", {"items": items} | body, headers=headers)


def read_stock(product):
    product.refresh_from_db()
    return product.quantity_in_stock


def read_error(response):
    (error,) = response.json()["errors"]
    return response.status_code, response.json()["code"], error["pointer"], error["code"]


@pytest.mark.parametrize("status", factories.PATHS)
def test_items_come_back_once_the_order_is_shipped(as_clerk, order_in, product, status):
    order = order_in(status)
    stock = read_stock(product)
    response = send_back(as_clerk, order, {product: 2})
    if status in POSSIBLE:
        assert response.json()["status"] == status
        assert response.json()["items"][0]["returned"] == 2
        assert read_stock(product) == stock + 2
    else:
        assert (response.status_code, response.json()["code"]) == (409, "illegal_transition")
        assert read_stock(product) == stock


@pytest.mark.parametrize("status", factories.PATHS)
def test_customers_book_no_return(as_alice, as_bob, alice, order_in, product, status):
    order = order_in(status)
    assert send_back(as_alice, order, {product: 1}).status_code == 403
    assert send_back(as_bob, order, {product: 1}).status_code == 404
    with pytest.raises(TransitionNotAllowed):
        order.return_items({product.pk: 1}, by=alice)


def test_event_and_adjustment_say_who_and_why(as_clerk, clerk, order_in, product):
    order = order_in("delivered")
    data = send_back(as_clerk, order, {product: 2}, note="One too many.").json()
    event = data["events"][-1]
    assert (event["action"], event["status"], event["by"]) == ("return", "delivered", clerk.pk)
    assert (event["note"], event["at"]) == ("One too many.", data["modified"])
    adjustment = StockAdjustment.objects.get(reason="returned")
    assert (adjustment.delta, adjustment.quantity_in_stock) == (2, 99)
    assert (adjustment.actor, adjustment.note) == (clerk, "One too many.")
    assert ReturnedItem.objects.get(adjustment=adjustment).item == order.items.get()


def test_damaged_pieces_are_written_off(as_clerk, order_in, product):
    order = order_in("shipped")
    data = send_back(as_clerk, order, {product: 2}, damaged=True).json()
    assert data["items"][0]["returned"] == 2
    assert read_stock(product) == 97
    rows = StockAdjustment.objects.order_by("pk").values_list(
        "reason", "delta", "quantity_in_stock"
    )
    assert [*rows][1:] == [("returned", 2, 99), ("damaged", -2, 97)]
    assert ReturnedItem.objects.count() == 2


@pytest.mark.parametrize("damaged", [False, True])
def test_stock_history_names_the_order(as_clerk, order_in, product, damaged):
    order = order_in("shipped")
    product.adjust_stock(4, reason="returned", by=None)
    send_back(as_clerk, order, {product: 1}, damaged=damaged, note="Dented.")
    rows = as_clerk.get(f"/api/products/{product.pk}/stock-history/").json()["results"]
    expected = [("returned", 1)] + [("damaged", -1)] * damaged
    named = [(row["reason"], row["delta"]) for row in rows if row["order"] == order.pk]
    assert sorted(named) == sorted([*expected, ("sale", -3)])
    assert {row["note"] for row in rows if row["order"]} == {"Dented.", ""}
    assert ("returned", 4) in [(row["reason"], row["delta"]) for row in rows if not row["order"]]
    assert sum(row["delta"] for row in rows) == read_stock(product)


def test_never_more_come_back_than_were_sold(as_clerk, order_in, product):
    order = order_in("shipped")
    assert send_back(as_clerk, order, {product: 2}).status_code == 200
    error = (409, "too_many_returned", "/items/0/quantity", "too_many_returned")
    assert read_error(send_back(as_clerk, order, {product: 2})) == error
    assert send_back(as_clerk, order, {product: 1}).json()["items"][0]["returned"] == 3
    assert read_error(send_back(as_clerk, order, {product: 1})) == error
    assert read_stock(product) == 100
    assert order.events.filter(action="return").count() == 2
    assert "return" not in as_clerk.get(f"/api/orders/{order.pk}/").json()["actions"]


def test_one_item_too_many_books_none(as_clerk, alice, clerk, product, other_product):
    order = factories.place(alice, {product: 1, other_product: 1})
    factories.make_transitions(order, factories.PATHS["shipped"], by=clerk)
    response = send_back(as_clerk, order, {product: 1, other_product: 2})
    assert read_error(response)[2:] == ("/items/1/quantity", "too_many_returned")
    assert not order.items.exclude(returned=0).exists()
    assert not StockAdjustment.objects.exclude(reason="opening").exists()


def test_items_of_one_product_are_added_up(as_clerk, order_in, product):
    order = order_in("shipped")
    item = {"product": product.pk, "quantity": 2}
    path = f"/api/orders/{order.pk}/return/"
    response = as_clerk.post(path, {"items": [item, item]})
    assert read_error(response)[2:] == ("/items/0/quantity", "too_many_returned")
    body = {"items": [item, item | {"quantity": 1}]}
    assert as_clerk.post(path, body).json()["items"][0]["returned"] == 3


def test_product_of_another_order_is_pointed_at(as_clerk, clerk, order_in, product, other_product):
    order = order_in("shipped")
    expected = (400, "validation_error", "/items/0/product", "does_not_exist")
    response = send_back(as_clerk, order, {other_product: 1})
    assert read_error(response) == expected
    message = f"/items/0/product: Product {other_product.pk} is not on this order."
    assert response.json()["detail"] == message
    with pytest.raises(TooManyReturned) as exc_info:
        order.return_items({other_product.pk: 1, product.pk: 4}, by=clerk)
    assert exc_info.value.left == {other_product.pk: None, product.pk: 3}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/items"),
        ({"items": []}, "/items"),
        ({"items": [{"product": 1}]}, "/items/0/quantity"),
        ({"items": [{"product": 1, "quantity": 0}]}, "/items/0/quantity"),
        ({"items": [{"product": 1, "quantity": -1}]}, "/items/0/quantity"),
        ({"items": [{"product": 1, "quantity": 1, "reason": "x"}]}, "/items/0/reason"),
        ({"items": [{"product": 1, "quantity": 1}], "damaged": "yes"}, "/damaged"),
        ({"items": [{"product": 1, "quantity": 1}], "damage": True}, "/damage"),
    ],
)
def test_bad_body_is_pointed_at(as_clerk, order_in, body, pointer):
    response = as_clerk.post(f"/api/orders/{order_in('shipped').pk}/return/", body)
    assert response.json()["errors"][0]["pointer"] == pointer


def test_retired_product_comes_back(as_clerk, order_in, product):
    order = order_in("delivered")
    product.update_fields(is_active=False)
    assert send_back(as_clerk, order, {product: 3}).status_code == 200
    assert read_stock(product) == 100


def test_replayed_return_books_once(as_clerk, order_in, product):
    order = order_in("shipped")
    first = send_back(as_clerk, order, {product: 2}, key="k")
    assert "Idempotent-Replayed" not in first.headers
    second = send_back(as_clerk, order, {product: 2}, key="k")
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()
    assert send_back(as_clerk, order, {product: 1}, key="other").status_code == 200
    again = send_back(as_clerk, order, {product: 2}, key="k")  # there is nothing left to return
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert read_stock(product) == 100


def test_key_of_another_request_is_rejected(as_clerk, clerk, order_in, product):
    orders = [order_in("shipped") for _ in range(2)]
    assert send_back(as_clerk, orders[0], {product: 1}, key="k").status_code == 200
    for order, quantity in ((orders[0], 2), (orders[1], 1)):
        response = send_back(as_clerk, order, {product: quantity}, key="k")
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    body = {"delta": 1, "reason": "delivery"}
    path, headers = f"/api/products/{product.pk}/adjust-stock/", {"Idempotency-Key": "k"}
    assert as_clerk.post(path, body, headers=headers).status_code == 422
    assert read_stock(product) == 95


def test_rejected_return_frees_its_key(as_clerk, order_in, product):
    order = order_in("shipped")
    assert send_back(as_clerk, order, {product: 4}, key="k").status_code == 409
    assert send_back(as_clerk, order, {product: 3}, key="k").status_code == 200


def test_large_return_takes_as_many_queries_as_a_small_one(alice, clerk):
    counts = []
    for size in (1, 20):
        products = factories.products.make(_quantity=size)
        order = factories.place(alice, dict.fromkeys(products, 2))
        factories.make_transitions(order, factories.PATHS["shipped"], by=clerk)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            order.return_items({product.pk: 1 for product in products}, by=clerk, damaged=True)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_database_rejects_more_than_were_sold(order_in):
    order_in("shipped")
    for returned in (4, -1):
        with pytest.raises(IntegrityError), transaction.atomic():
            OrderItem.objects.update(returned=returned)


def test_return_of_a_closed_account_leaves_no_note(alice, clerk, order_in, product):
    order = order_in("delivered")
    order.return_items({product.pk: 1}, by=clerk, note="Says Ada Brandt.")
    alice.close()
    order.return_items({product.pk: 1}, by=clerk, note="Says Ada Brandt.")
    assert not order.events.exclude(note="").exists()
    assert not StockAdjustment.objects.exclude(note="").exists()
    assert Order.objects.get().items.get().returned == 2
    assert Product.objects.get().quantity_in_stock == 99


@pytest.mark.parametrize("damaged", [False, True])
def test_failure_half_way_leaves_nothing_behind(order_in, clerk, product, monkeypatch, damaged):
    order = order_in("shipped")
    monkeypatch.setattr(ReturnedItem.objects, "bulk_create", lambda rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        order.return_items({product.pk: 2}, by=clerk, damaged=damaged, key="k")
    assert (read_stock(product), order.items.get().returned) == (97, 0)
    assert not StockAdjustment.objects.exclude(reason="opening").exists()
    assert not order.events.filter(action="return").exists()
