"""Many at once, against real processes: whoever wins, nothing is sold twice and nothing is lost."""

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
    """The shop, whose books must balance at the end of every test."""
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
    """What the calls return, each made after the one before has returned."""
    return [call() for call in calls]


def buyers(shop, count):
    with transaction.atomic():
        return [shop.client(customer) for customer in factories.customers.make(_quantity=count)]


def told(answers):
    """How many of the answers say what: `{"201": 20, "409 out_of_stock": 180}`."""
    return Counter(f"{a.status} {a.body.get('code', '')}".strip() for a in answers)


def left(product):
    product.refresh_from_db()
    return product.quantity_in_stock


def move(client, order, name):
    return partial(client.call, "POST", f"/api/orders/{order.pk}/{name}/", {})


def adjust(client, product, delta):
    form = {"delta": delta, "reason": "correction"}
    return partial(client.call, "POST", f"/api/products/{product.pk}/adjust-stock/", form)


def update_fields(client, product, **changes):
    return partial(client.call, "PATCH", f"/api/products/{product.pk}/", changes)


def rush(clients, stock):
    """All clients order one of a product at once; the product and the answers."""
    product = factories.products.make(quantity_in_stock=stock)
    return product, at_once(*(partial(client.order, {product.pk: 1}) for client in clients))


# --- Stock --------------------------------------------------------------------------------------


def test_200_buyers_of_the_last_20_get_20(shop):
    product, answers = rush(buyers(shop, 200), stock=20)
    assert told(answers) == {"201": 20, "409 out_of_stock": 180}
    assert left(product) == 0


def test_each_time_8_buyers_of_the_last_5_get_5(shop):
    clients = buyers(shop, 8)
    for _ in range(50):
        product, answers = rush(clients, stock=5)
        assert told(answers) == {"201": 5, "409 out_of_stock": 3}
        assert left(product) == 0


def test_without_the_guard_the_same_rush_oversells(unguarded_shop):
    """The negative control: it shows that the two tests above can see what they look for."""
    clients = buyers(unguarded_shop, 200)
    for _ in range(ROUNDS):  # one is enough, unless a lone worker was up before the others
        _, answers = rush(clients, stock=20)
        counts = told(answers)
        assert set(counts) <= {"201", "409 out_of_stock"}
        if counts["201"] > 20:
            break
    assert counts["201"] > 20
    assert stock_ledger.find_discrepancies().exists()


def test_1000_orders_of_two_products_in_opposite_orders_are_all_placed(shop):
    this, that = (factories.products.make(quantity_in_stock=1000) for _ in range(2))
    there, back = {this.pk: 1, that.pk: 1}, {that.pk: 1, this.pk: 1}
    share = iter(range(1000))

    def keep_ordering(client, quantities):
        return [client.order(quantities) for _ in share]

    clients = buyers(shop, 16)
    answers = at_once(
        *(partial(keep_ordering, c, back if n % 2 else there) for n, c in enumerate(clients))
    )
    assert told(sum(answers, [])) == {"201": 1000}
    assert left(this) == left(that) == 0


# --- Retries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stock", [1, 1000], ids=["the_last_piece", "plenty"])
def test_64_retries_of_one_key_place_one_order(shop, buyer, stock):
    product = factories.products.make(quantity_in_stock=stock)

    def retry():
        """Also after a 429: a customer may not hold all threads of a process for long."""
        while True:
            answer = buyer.order({product.pk: 1}, Idempotency_Key="once")
            if answer.status != 429:
                return answer

    answers = at_once(*[retry] * 64)
    assert told(answers) == {"201": 64}
    assert all(answer.body == answers[0].body for answer in answers)
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 63
    assert Order.objects.get().pk == answers[0].body["id"]
    assert left(product) == stock - 1


def test_one_key_of_two_customers_places_an_order_for_each(shop):
    product, clients = factories.products.make(), buyers(shop, 2)
    for n in range(ROUNDS):
        answers = at_once(
            *(partial(client.order, {product.pk: 1}, Idempotency_Key=f"{n}") for client in clients)
        )
        assert told(answers) == {"201": 2}
        assert answers[0].body["customer"] != answers[1].body["customer"]
    assert Order.objects.count() == 2 * ROUNDS


def test_one_key_with_two_bodies_places_one_of_them(shop, buyer):
    this, that = factories.products.make(), factories.products.make()
    for n in range(ROUNDS):
        answers = at_once(
            partial(buyer.order, {this.pk: 1}, Idempotency_Key=f"{n}"),
            partial(buyer.order, {that.pk: 1}, Idempotency_Key=f"{n}"),
        )
        assert told(answers) == {"201": 1, "422 idempotency_key_reused": 1}
    assert Order.objects.count() == ROUNDS


# --- Pairs --------------------------------------------------------------------------------------


def test_cancelling_twice_at_once_restocks_once(buyer, staff, alice):
    product = factories.products.make(quantity_in_stock=5)
    for _ in range(ROUNDS):
        order = factories.place(alice, {product: 3})
        answers = at_once(move(buyer, order, "cancel"), move(staff, order, "cancel"))
        assert told(answers) == {"200": 2}
        assert order.events.filter(status="cancelled").count() == 1
        assert left(product) == 5


def test_of_cancel_and_ship_one_is_made(buyer, staff, alice, clerk):
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=5)
        order = factories.place(alice, {product: 3})
        order.confirm(by=clerk)
        answers = at_once(move(buyer, order, "cancel"), move(staff, order, "ship"))
        assert told(answers) == {"200": 1, "409 illegal_transition": 1}
        order.refresh_from_db()
        cancelled = answers[0].status == 200
        assert order.status == ("cancelled" if cancelled else "shipped")
        assert left(product) == (5 if cancelled else 2)


def test_of_order_and_adjustment_one_has_the_last_pieces(buyer, staff):
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=3)
        answers = at_once(partial(buyer.order, {product.pk: 3}), adjust(staff, product, -3))
        refused = "out_of_stock" if answers[1].status == 201 else "stock_out_of_bounds"
        assert told(answers) == {"201": 1, f"409 {refused}": 1}
        assert left(product) == 0


def test_deliveries_amid_orders_are_all_counted(buyer, staff):
    product = factories.products.make(quantity_in_stock=2 * ROUNDS)
    order, deliver = partial(buyer.order, {product.pk: 1}), adjust(staff, product, +5)
    for _ in range(ROUNDS):
        assert told(at_once(order, deliver, order, deliver)) == {"201": 4}
    assert left(product) == 10 * ROUNDS


def test_order_amid_price_changes_comes_to_the_sum_of_its_lines(buyer, staff):
    prices = "10.00", "12.35"
    this, that = (factories.products.make(price=prices[0]) for _ in range(2))
    items = [{"product": this.pk, "quantity": 1}, {"product": that.pk, "quantity": 2}]
    promise = {"items": items, "expected_total": "30.00"}
    for n in range(ROUNDS):
        change = {"price": prices[n % 2 - 1]}
        bought, promised, *changed = at_once(
            partial(buyer.order, {this.pk: 1, that.pk: 2}),
            partial(buyer.call, "POST", "/api/orders/", promise),
            update_fields(staff, this, **change),
            update_fields(staff, that, **change),
        )
        assert told([bought, *changed]) == {"201": 1, "200": 2}
        lines = bought.body["items"]
        assert {line["unit_price"] for line in lines} <= {*prices}
        sums = [Decimal(line["unit_price"]) * line["quantity"] for line in lines]
        assert [Decimal(line["line_total"]) for line in lines] == sums
        assert Decimal(bought.body["total_price"]) == sum(sums)
        assert told([promised]).keys() <= {"201", "409 price_changed"}
        assert (promised.body["total_price"] == "30.00") == (promised.status == 201)


def test_retired_product_is_not_sold_any_more(shop, buyer, staff):
    first, second = buyers(shop, 2)
    for _ in range(ROUNDS):
        product = factories.products.make(quantity_in_stock=9)
        order = {product.pk: 1}
        retire = update_fields(staff, product, is_active=False)
        retired, *answers = at_once(
            partial(in_turn, retire, partial(buyer.order, order)),
            partial(first.order, order),
            partial(second.order, order),
        )
        assert told(retired) == {"200": 1, "409 out_of_stock": 1}
        counts = told(answers)
        assert set(counts) <= {"201", "409 out_of_stock"}
        assert left(product) == 9 - counts["201"]


# --- Registration -------------------------------------------------------------------------------


def test_user_name_is_given_once(shop):
    anyone = shop.client()
    forms = [
        {"username": name, "email": f"mira{n}@example.com", "password": factories.PASSWORD}
        for n, name in enumerate(["mira", "Mira"] * 4)
    ]
    answers = at_once(*(partial(anyone.call, "POST", "/api/customers/", form) for form in forms))
    counts = told(answers)
    assert counts["201"] == 1
    refusals = {"400 validation_error", "409 conflict", "503 service_unavailable"}
    assert set(counts) <= {"201"} | refusals
