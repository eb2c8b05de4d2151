import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.models import Customer
from orders.models import Order, OrderEvent, OrderItem
from orders.search import SearchEntry
from orders.stock_ledger import find_discrepancies
from orders.transitions import TRANSITIONS
from products.models import Product
from tests import factories

pytestmark = pytest.mark.django_db


def seed(*, products=40, customers=5, orders=60, **options):
    out = io.StringIO()
    call_command(
        "seed_shop", products=products, customers=customers, orders=orders, stdout=out, **options
    )
    return out.getvalue()


def rows():
    """Return all rows that the seed wrote, except the tokens, which are random."""
    return [
        list(queryset.order_by("pk").values())
        for queryset in (Product.objects, Customer.objects, Order.objects)
    ] + [
        list(OrderItem.objects.order_by("pk").values("order", "product", "quantity", "line_total")),
        list(OrderEvent.objects.order_by("pk").values("order", "status", "at", "by")),
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_numbers_match_the_options():
    assert seed() == "5 customers\n40 products\n60 orders\n"

    assert Product.objects.count() == 40
    assert Customer.objects.filter(is_staff=False).count() == 5
    assert Order.objects.count() == SearchEntry.objects.count() == 60
    assert {order.items.count() for order in Order.objects.all()} == {3}


def test_terminal_shows_a_progress_bar():
    out = Terminal()
    call_command("seed_shop", products=3, customers=1, orders=0, stdout=out)

    assert out.getvalue().endswith(f"\r[{'#' * 30}] 3 of 3 products\n")


def test_stock_ledger_and_totals_add_up():
    seed()

    call_command("verify_stock")
    for order in Order.objects.prefetch_related("items", "events"):
        items = order.items.all()
        assert all(item.line_total == item.unit_price * item.quantity for item in items)
        assert order.total_price == sum(item.line_total for item in items)


def test_orders_follow_legal_transitions():
    seed()

    for order in Order.objects.prefetch_related("items", "events"):
        events = order.event_list
        statuses = [event.status for event in events]
        assert (statuses[0], statuses[-1]) == ("placed", order.status)
        for previous, event in zip(events, events[1:], strict=False):
            (transition,) = [
                transition
                for transition in TRANSITIONS.values()
                if transition.target == event.status
            ]
            assert previous.status in transition.sources
            assert previous.at < event.at
            assert event.by.is_staff or not transition.staff_only
        assert (order.created, order.modified) == (events[0].at, events[-1].at)
        assert order.shipping_address == order.customer.postal_address()
    assert Order.objects.values("status").distinct().count() > 2


def test_same_numbers_give_the_same_rows(django_db_reset_sequences, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)  # they are in the year that ends now
    seed()
    first = rows()
    for model in (Order, Product, Customer):
        model.objects.all().delete()
    seed()

    assert rows() == first


def test_history_ends_today():
    seed(orders=500)

    now = timezone.now()
    assert now - timedelta(days=1) < Order.objects.latest("created").created < now
    assert now - timedelta(days=1) < OrderEvent.objects.latest("at").at < now
    assert Order.objects.latest("pk").status == "placed"
    joined = Customer.objects.latest("date_joined").date_joined
    assert joined <= Order.objects.earliest("created").created


def test_tokens_work_and_cannot_be_predicted(api):
    seed()
    customer = Customer.objects.filter(is_staff=False).first()
    token = customer.auth_token.key
    api.credentials(HTTP_AUTHORIZATION=f"Token {token}")

    assert [row["id"] for row in api.get("/api/customers/").json()] == [customer.pk]
    Order.objects.all().delete()
    seed(add=True)
    assert not Customer.objects.filter(auth_token__key=token).exclude(pk=customer.pk).exists()


def test_accounts_have_no_usable_password():
    seed()

    assert not any(customer.has_usable_password() for customer in Customer.objects.all())


def test_shop_with_orders_is_not_changed(alice):
    product = factories.products.make()
    factories.place(alice, {product: 1})

    with pytest.raises(CommandError, match="--add"):
        seed()
    assert Product.objects.count() == 1


def test_add_keeps_existing_rows(alice):
    product = factories.products.make()
    order = factories.place(alice, {product: 1})
    seed(add=True)
    seed(add=True)

    assert Order.objects.count() == 121
    assert Product.objects.count() == 81
    assert Order.objects.get(pk=order.pk).items.get().product == product
    assert not find_discrepancies().exists()


def test_later_rows_get_the_next_ids(db):
    seed()
    alice = factories.customers.make()
    product = factories.products.make()
    order = factories.place(alice, {product: 1})

    assert product.pk == Product.objects.latest("pk").pk
    assert order.pk == Order.objects.latest("pk").pk


@pytest.mark.parametrize(
    "numbers", [{"products": 2}, {"customers": 0}, {"orders": -1}], ids=lambda numbers: str(numbers)
)
def test_numbers_that_allow_no_orders_are_rejected(numbers):
    with pytest.raises(CommandError):
        seed(**numbers)
    assert not Product.objects.exists()
