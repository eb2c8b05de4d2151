"""How orders are found and placed; `Order.objects` of orders.models."""

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.utils import timezone

from orders.moves import MOVES
from orders.sql import insert_order
from products.db_retry import retried
from products.managers import MAX_ID
from products.models import Product
from shopply.api.sql import columns, fetch


class KeyReused(Exception):
    """The customer used this idempotency key for an order with another body."""


class OrderLimitReached(Exception):
    """The order is over MAX_UNITS_PER_ORDER, or the customer has MAX_OPEN_ORDERS."""


class CustomerInactive(Exception):
    """The account was closed or deactivated in the meantime."""


class OrderQuerySet(models.QuerySet):
    def visible_to(self, user):
        """All for staff, your own for a customer."""
        return self if user.is_staff else self.of(user.pk)

    def of(self, customer_id):
        return self.filter(customer_id=customer_id)

    def settled(self):
        """Delivered or cancelled: in a state that no move leads out of."""
        return self.exclude(status__in=[each for move in MOVES.values() for each in move.sources])

    def cancellable(self):
        """Placed or confirmed: in a state in which stock is held for nothing that was sent yet."""
        return self.filter(status__in=MOVES["cancel"].sources)

    def page(self, limit, before=None, after=None):
        """Return orders as `OrderManager.fetch_history` does, of those in this queryset."""
        orders = self.order_by("-pk" if after is None else "pk")
        if before is not None:
            orders = orders.filter(pk__lt=before)
        if after is not None:
            orders = orders.filter(pk__gt=after)
        orders = list(orders.prefetch_related("items", "events")[:limit])
        return orders if after is None else orders[::-1]

    def forget_person(self):
        """Erase who ordered and where to; but the country, which taxes depend on."""
        apps.get_model("orders", "OrderEvent").objects.filter(order__in=self).update(note="")
        countries = {}
        for pk, address in self.values_list("pk", "shipping_address"):
            countries.setdefault(address["country"], []).append(pk)
        # Not found by a look-up into the JSON: SQLite would read the country as JSON itself.
        for country, pks in countries.items():
            self.model.objects.filter(pk__in=pks).update(
                shipping_address=dict.fromkeys(self.model.ADDRESS, "") | {"country": country},
                idempotency_key=None,
                fingerprint="",
                modified=timezone.now(),
            )


class OrderManager(models.Manager.from_queryset(OrderQuerySet)):
    def fetch(self, tail, params):
        """Return the orders of `SELECT ... FROM orders_order <tail>`, with their items and events.

        Three statements, whose text is the same each time: see `shopply.api.sql`.
        """
        sql = f"SELECT {columns(self.model)} FROM orders_order {tail}"  # noqa: S608
        with connection.cursor() as cursor:
            orders = {order.pk: order for order in fetch(self.model, sql, params, cursor)}
            self.model.load_items_and_events(orders, cursor)
        return list(orders.values())

    def fetch_visible_to(self, user, pk):
        """Return the same as `visible_to(user).get(pk=pk)`. Raises Order.DoesNotExist."""
        orders = []
        if pk <= MAX_ID:
            where = "id = %s" if user.is_staff else "id = %s AND customer_id = %s"
            orders = self.fetch(f"WHERE {where}", [pk] if user.is_staff else [pk, user.pk])
        if not orders:
            raise self.model.DoesNotExist
        return orders[0]

    def fetch_history(self, customer_id, limit, before=None, after=None):
        """Return at most `limit` orders of a customer, newest first.

        The newest, those next `before` an id, or those next `after` one.
        """
        where, params = "customer_id = %s", [customer_id]
        if before is not None:
            where, params = f"{where} AND id < %s", [customer_id, before]
        if after is not None:
            where, params = f"{where} AND id > %s", [customer_id, after]
        order = "DESC" if after is None else "ASC"
        # In the text: of an unknown limit PostgreSQL expects a tenth of all orders.
        orders = self.fetch(f"WHERE {where} ORDER BY id {order} LIMIT {limit:d}", params)
        return orders if after is None else orders[::-1]

    def quote(self, *, customer, quantities, shipping_address=None, expected_total=None):
        """Return what `place` would write now, unsaved; `customer` may be anonymous.

        Raises what `place` raises.
        """
        self._check_limits(customer, quantities)
        order = self.model.build(customer, shipping_address)
        order.set_items(Product.objects.check_availability(quantities), quantities, expected_total)
        return order

    def place(self, *, customer, key=None, fingerprint="", **wanted):
        """Order `quantities`, `{product id: quantity}`, for a customer: all lines or none.

        Names, SKUs and prices are copied from the products, the address from
        `shipping_address` or else the customer's profile. Stock leaves in the same transaction.
        A customer's second order with the same idempotency `key` is not placed: the first one is
        returned, as it was then and marked `replayed`, if `fingerprint` is that of its body.
        Raises UnknownProducts, OutOfStock, AddressMissing, TotalTooLarge, PriceChanged (if it
        does not come to `expected_total`), OrderLimitReached, KeyReused, CustomerInactive.
        """
        first = self._placed_by(customer, key, fingerprint)
        if first:
            return first
        try:
            return self._place(customer, key, fingerprint, **wanted)
        except Exception:
            # Perhaps because the same request got in between and took the last piece, or the key.
            first = self._placed_by(customer, key, fingerprint)
            if first:
                return first
            raise

    @retried
    def _place(
        self, customer, key, fingerprint, quantities, shipping_address=None, expected_total=None
    ):
        order = self.model.build(customer, shipping_address)
        order.idempotency_key = key
        order.fingerprint = fingerprint
        with transaction.atomic():
            if settings.MAX_OPEN_ORDERS:  # one order of a customer is counted after the other
                get_user_model().objects.select_for_update(no_key=True).get(pk=customer.pk)
            self._check_limits(customer, quantities)
            products = Product.objects.take_stock(quantities)
            order.set_items(products, quantities, expected_total)
            if not insert_order(order, order.item_list):
                raise CustomerInactive
        order.event_list = [order.placed_event]
        return order

    def _check_limits(self, customer, quantities):
        limit, units = settings.MAX_UNITS_PER_ORDER, sum(quantities.values())
        if limit and units > limit:
            raise OrderLimitReached(f"An order has at most {limit:,} pieces.")
        limit = settings.MAX_OPEN_ORDERS
        if limit and self.of(customer.pk).cancellable().count() >= limit:
            raise OrderLimitReached(f"You have {limit:,} orders that are not shipped.")

    def _placed_by(self, customer, key, fingerprint):
        """The order this key placed, as it was then; None without a key or before it was used."""
        if key is None:
            return None
        orders = self.fetch("WHERE customer_id = %s AND idempotency_key = %s", [customer.pk, key])
        if not orders:
            return None
        if orders[0].fingerprint != fingerprint:
            raise KeyReused
        return orders[0].as_originally_placed()
