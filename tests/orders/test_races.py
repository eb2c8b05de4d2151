"""Simultaneous requests to real processes: nothing is sold twice, and nothing is lost."""

from collections import Counter
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from orders import stock_ledger
from orders.models import Order
from tests import factories
from tests.servers import Server, at_once

ROUNDS = 20


@pytest.fixture
def shop(shop):
    """The shop, whose stock ledger must balance at the end of every test."""
    yield shop
    assert not stock_ledger.find_discrepancies().exists()


@pytest.fixture
def unguarded_shop(transactional_db):
    server = Server(module="tests.orders.unguarded").start()
    yield server
    server.stop()


@pytest.fixture
def buyer(shop, alice):
    return shop.client(alice)


@pytest.fixture
def staff(shop, clerk):
    return shop.client(clerk)


def in_turn(*calls):
    """Make the calls one after the other; return their results."""
    return [call() for call in calls]


def buyers(shop, count):
    with transaction.atomic():
        return [shop.client(customer) for customer in factories.customers.make(_quantity=count)]


def count_responses(responses):
    """Count responses by status and code: `{"201": 20, "409 out_of_stock": 180}`."""
    return Counter(
        f"{response.status} {response.body.get('code', '')}".strip() for response in responses
    )


def read_stock(product):
    product.refresh_from_db()
    return product.quantity_in_stock


def transition(client, order, name):
    return partial(client.call, "POST", f"/api/orders/{order.pk}/{name}/", {})


def adjust(client, product, delta):
    data = {"delta": delta, "reason": "correction"}
    return partial(client.call, "POST", f"/api/products/{product.pk}/adjust-stock/", data)


def update_fields(client, product, **changes):
    return partial(client.call, "PATCH", f"/api/products/{product.pk}/", changes)


def rush(clients, stock):
    """Have all clients order one piece at once; return the product and the responses."""
    product = factories.products.make(quantity_in_stock=stock)
    return product, at_once(*(partial(client.order, {product.pk: 1}) for client in clients))


# --- Stock --------------------------------------------------------------------------------------


def test_200_buyers_of_the_last_20_get_20(shop):
    product, responses = rush(buyers(shop, 200), stock=20)
    assert count_responses(responses) == {"201": 20, "409 out_of_stock": 180}
    assert read_stock(product) == 0


def test_each_time_8_buyers_of_the_last_5_get_5(shop):
    clients = buyers(shop, 8)
    for _ in range(50):
        product, responses = rush(clients, stock=5)
        assert count_responses(responses) == {"201": 5, "409 out_of_stock": 3}
        assert read_stock(product) == 0


def test_without_the_guard_the_same_rush_oversells(unguarded_shop):
    """The negative control: the two tests above can detect overselling."""
    clients = buyers(unguarded_shop, 200)
    for _ in range(ROUNDS):  # one round is enough, unless a single worker was up before the others
        _, responses = rush(clients, stock=20)
        counts = count_responses(responses)
        assert set(counts) <= {"201", "409 out_of_stock"}
        if counts["201"] > 20:
            break
    assert counts["201"] > 20
    assert stock_ledger.find_discrepancies().exists()


def test_1000_orders_of_two_products_in_opposite_orders_are_all_placed(shop):
    this, that = (factories.products.make(quantity_in_stock=1000) for _ in range(2))
    forward, backward = {this.pk: 1, that.pk: 1}, {that.pk: 1, this.pk: 1}
    share = iter(range(1000))

    def keep_ordering(client, quantities):
        return [client.order(quantities) for _ in share]

    clients = buyers(shop, 16)
    responses = at_once(
        *(
            partial(keep_ordering, client, backward if n % 2 else forward)
            for n, client in enumerate(clients)
        )
    )
    assert count_responses(sum(responses, [])) == {"201": 1000}
    assert read_stock(this) == read_stock(that) == 0


# --- Retries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stock", [1, 1000], ids=["the_last_piece", "plenty"])
def test_64_retries_of_one_key_place_one_order(shop, buyer, stock):
    product = factories.products.make(quantity_in_stock=stock)

    def retry():
        """Retry after a 429, as a customer may not occupy all threads of a process for long."""
        while True:
            response = buyer.order({product.pk: 1}, Idempotency_Key="once")
            if response.status != 429:
                return response

    responses = at_once(*[retry] * 64)
    assert count_responses(responses) == {"201": 64}
    assert all(response.body == responses[0].body for response in responses)
    assert (
        sum(response.headers.get("Idempotent-Replayed") == "true" for response in responses) == 63
    )
    assert Order.objects.get().pk == responses[0].body["id"]
    assert read_stock(product) == stock - 1


def test_one_key_of_two_customers_places_an_order_for_each(shop):
    product, clients = factories.products.make(), buyers(shop, 2)
    for n in range(ROUNDS):
        responses = at_once(
            *(partial(client.order, {product.pk: 1}, Idempotency_Key=f"{n}") for client in clients)
        )
        assert count_responses(responses) == {"201": 2}
        assert responses[0].body["customer"] != responses[1].body["customer"]
    assert Order.objects.count() == 2 * ROUNDS


def test_one_key_with_two_bodies_places_one_of_them(shop, buyer):
    this, that = factories.products.make(), factories.products.make()
    for n in range(ROUNDS):
        responses = at_once(
            partial(buyer.order, {this.pk: 1}, Idempotency_Key=f"{n}"),
            partial(buyer.order, {that.pk: 1}, Idempotency_Key=f"{n}"),
        )
        assert count_responses(responses) == {"201": 1, "422 idempotency_key_reused": 1}
    assert Order.objects.count() == ROUNDS


# --- Pairs --------------------------------------------------------------------------------------


def test_cancelling_twice_at_once_restocks_once(buyer, staff, alice):
    product = factories.products.make(quantity_in_stock=5)
    for _ in range(ROUNDS):
        order = factories.place(alice, {product: 3})
        responses = at_once(transition(buyer, order, "cancel"), transition(staff, order, "cancel"))
        assert count_responses(responses) == {"200": 2}
        assert order.events.filter(status="cancelled").count() == 1
        assert read_stock(product) == 5


def test_either_cancel_or_ship_succeeds(buyer, staff, alice, clerk):
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=5)
        order = factories.place(alice, {product: 3})
        order.confirm(by=clerk)
        responses = at_once(transition(buyer, order, "cancel"), transition(staff, order, "ship"))
        assert count_responses(responses) == {"200": 1, "409 illegal_transition": 1}
        order.refresh_from_db()
        cancelled = responses[0].status == 200
        assert order.status == ("cancelled" if cancelled else "shipped")
        assert read_stock(product) == (5 if cancelled else 2)


def test_either_order_or_adjustment_gets_the_last_pieces(buyer, staff):
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=3)
        responses = at_once(partial(buyer.order, {product.pk: 3}), adjust(staff, product, -3))
        error_code = "out_of_stock" if responses[1].status == 201 else "stock_out_of_bounds"
        assert count_responses(responses) == {"201": 1, f"409 {error_code}": 1}
        assert read_stock(product) == 0


def test_deliveries_during_orders_are_all_counted(buyer, staff):
    product = factories.products.make(quantity_in_stock=2 * ROUNDS)
    order, deliver = partial(buyer.order, {product.pk: 1}), adjust(staff, product, +5)
    for _ in range(ROUNDS):
        assert count_responses(at_once(order, deliver, order, deliver)) == {"201": 4}
    assert read_stock(product) == 10 * ROUNDS


def test_order_during_price_changes_comes_to_the_sum_of_its_items(buyer, staff):
    prices = "10.00", "12.35"
    this, that = (factories.products.make(price=prices[0]) for _ in range(2))
    items = [{"product": this.pk, "quantity": 1}, {"product": that.pk, "quantity": 2}]
    body = {"items": items, "expected_total": "30.00"}
    for n in range(ROUNDS):
        change = {"price": prices[n % 2 - 1]}
        response, checked_response, *patches = at_once(
            partial(buyer.order, {this.pk: 1, that.pk: 2}),
            partial(buyer.call, "POST", "/api/orders/", body),
            update_fields(staff, this, **change),
            update_fields(staff, that, **change),
        )
        assert count_responses([response, *patches]) == {"201": 1, "200": 2}
        order_items = response.body["items"]
        assert {item["unit_price"] for item in order_items} <= {*prices}
        sums = [Decimal(item["unit_price"]) * item["quantity"] for item in order_items]
        assert [Decimal(item["line_total"]) for item in order_items] == sums
        assert Decimal(response.body["total_price"]) == sum(sums)
        assert count_responses([checked_response]).keys() <= {"201", "409 price_changed"}
        assert (checked_response.body["total_price"] == "30.00") == (checked_response.status == 201)


def test_retired_product_is_no_longer_sold(shop, buyer, staff):
    first, second = buyers(shop, 2)
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=9)
        order = {product.pk: 1}
        retire = update_fields(staff, product, is_active=False)
        in_turn_responses, *responses = at_once(
            partial(in_turn, retire, partial(buyer.order, order)),
            partial(first.order, order),
            partial(second.order, order),
        )
        assert count_responses(in_turn_responses) == {"200": 1, "400 validation_error": 1}
        counts = count_responses(responses)
        assert set(counts) <= {"201", "400 validation_error"}
        assert read_stock(product) == 9 - counts["201"]


# --- Registration -------------------------------------------------------------------------------


def test_username_is_registered_once(shop):
    client = shop.client()
    bodies = [
        {"username": name, "email": f"mira{n}@example.com", "password": factories.PASSWORD}
        for n, name in enumerate(["mira", "Mira"] * 4)
    ]
    responses = at_once(*(partial(client.call, "POST", "/api/customers/", body) for body in bodies))
    counts = count_responses(responses)
    assert counts["201"] == 1
    # A 503 while too many passwords are hashed, a 429 if one address has too many slow requests.
    errors = {"400 validation_error", "409 conflict", "503 service_unavailable", "429 throttled"}
    assert set(counts) <= {"201"} | errors
