"""Finding and placing orders: `Order.objects`, used by views, admin and privacy."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.utils import timezone

from orders import addresses
from orders.events import OrderEvent
from orders.items import ReturnedItem
from orders.search import SearchEntry
from orders.search_query import find_newest, plan_for_values
from orders.search_terms import read_search
from orders.sql import insert_order
from orders.transitions import FINAL_STATUSES, TRANSITIONS, Status
from products.db_retry import retry_transaction
from products.managers import MAX_ID, IdempotencyKeyReused
from products.models import Product, StockAdjustment
from shopply.api.permissions import is_allowed
from shopply.api.sql import columns, read_clock

EXPIRY_BATCH_SIZE = 100


class OrderLimitReached(Exception):
    """The order exceeds MAX_UNITS_PER_ORDER, or the customer has MAX_OPEN_ORDERS already."""


class EmailUnconfirmed(Exception):
    """The shop requires a confirmed e-mail address, and the customer has none."""


class CustomerInactive(Exception):
    """The account was closed or deactivated in the meantime."""


def sees_all(user):
    """Return whether the user sees orders of others."""
    return is_allowed(user, "orders.view_order")


class OrderQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Return all orders for staff, a customer's own otherwise."""
        return self if sees_all(user) else self.for_customer(user.pk)

    def for_customer(self, customer_id):
        return self.filter(customer_id=customer_id)

    def closed(self):
        """Return orders in a final status: delivered or cancelled."""
        return self.filter(status__in=FINAL_STATUSES)

    def cancellable(self):
        """Return orders that hold stock and were not shipped: placed or confirmed."""
        return self.filter(status__in=TRANSITIONS["cancel"].sources)

    def totals(self):
        """Return `{currency, count, value}` of these orders by currency, without cancelled ones."""
        orders = self.exclude(status=Status.CANCELLED).order_by("currency").values("currency")
        return orders.annotate(count=models.Count("pk"), value=models.Sum("total_price"))

    def search(self, text, newest="-pk"):
        """Return the newest of these orders that match a search, and whether these are all.

        At most 1,000; less than that, but a page, if the others would take long to find. `text` is
        what staff type, up to 200 characters (`orders.search_terms`). `newest` is the ordering that
        an index has for these orders: `-created` for those of a period. Raises TooManyTerms.
        """
        with plan_for_values():
            ids, is_all = find_newest(self, read_search(text), newest)
        # By a subquery and without the filters, which the ids have passed: PostgreSQL would walk
        # through all dates for the first one of them, and read all orders of a year.
        orders = self.model.objects.filter(pk__in=SearchEntry.objects.filter(pk__in=ids))
        return orders.order_by(*self.query.order_by), is_all

    def paginate(self, limit, before=None, after=None):
        """Return at most `limit` orders of this queryset, as `OrderManager.fetch_history` does."""
        orders = self.order_by("-pk" if after is None else "pk")
        if before is not None:
            orders = orders.filter(pk__lt=before)
        if after is not None:
            orders = orders.filter(pk__gt=after)
        orders = list(orders.prefetch_related("items", "events")[:limit])
        return orders if after is None else orders[::-1]

    def anonymize(self):
        """Erase the person from these orders, but not the country, on which taxes depend."""
        countries = {}
        locked = self.order_by("pk").select_for_update(no_key=True)
        for pk, address in locked.values_list("pk", "shipping_address"):
            countries.setdefault(address and address["country"], []).append(pk)
        # Grouped here and not by a JSON lookup: SQLite would parse the country as JSON.
        for country, pks in countries.items():
            address = dict.fromkeys(addresses.PARTS, "") | {"country": country}
            self.model.objects.filter(pk__in=pks).update(
                shipping_address=None if country is None else address,
                note="",
                reference="",
                staff_note="",
                tracking_number="",
                idempotency_key=None,
                fingerprint="",
                modified=read_clock(),
            )
            events = OrderEvent.objects.filter(order__in=pks)
            events.update(note="", shipping_address=None)
            returned = ReturnedItem.objects.filter(item__order__in=pks).values("adjustment")
            StockAdjustment.objects.filter(pk__in=returned).update(note="")
            SearchEntry.objects.write(self.model.objects.filter(pk__in=pks))


class OrderManager(models.Manager.from_queryset(OrderQuerySet)):
    def fetch(self, tail, params):
        """Return the orders of `SELECT ... FROM orders_order <tail>`, newest first.

        Their `item_list` and `event_list` are loaded.
        """
        if connection.vendor == "postgresql":
            orders = self.model.fetch_whole(tail, params)
        else:
            sql = f"SELECT {columns(self.model)} FROM orders_order {tail}"  # noqa: S608
            orders = self.raw(sql, params).prefetch_related("items", "events")
        return sorted(orders, key=lambda order: -order.pk)

    def fetch_visible_to(self, user, pk):
        """Return the same as `visible_to(user).get(pk=pk)`. Raises Order.DoesNotExist."""
        orders = []
        if pk <= MAX_ID:
            where, params = "WHERE id = %s", [pk]
            if not sees_all(user):
                where, params = f"{where} AND customer_id = %s", [pk, user.pk]
            orders = self.fetch(where, params)
        if not orders:
            raise self.model.DoesNotExist
        return orders[0]

    def fetch_history(self, customer_id, limit, before=None, after=None):
        """Return at most `limit` orders of a customer, newest first.

        They are the newest ones, or those next `before` an id, or those next `after` an id.
        """
        where, params = "customer_id = %s", [customer_id]
        if before is not None:
            where, params = f"{where} AND id < %s", [customer_id, before]
        if after is not None:
            where, params = f"{where} AND id > %s", [customer_id, after]
        order = "DESC" if after is None else "ASC"
        # Literal: for a parameter, PostgreSQL would plan to return a tenth of all orders.
        return self.fetch(f"WHERE {where} ORDER BY id {order} LIMIT {limit:d}", params)

    def quote(
        self, *, customer, by, quantities, expected_total=None, shipping_address=None, **fields
    ):
        """Return the order that `place` would write now, unsaved; `customer` may be anonymous.

        Raises what `place` raises.
        """
        self._check_email(customer, by)
        self._check_limits(customer, quantities)
        order = self.model.build(customer, shipping_address, **fields)
        order.set_items(Product.objects.check_availability(quantities), quantities, expected_total)
        return order

    def place(self, *, customer, by, quantities, key=None, fingerprint="", **details):
        """Place an order of `quantities`, `{product id: quantity}`: all items or none.

        `by` is the customer, or staff who order for them. `details` are `shipping_address`, by
        default that of the customer's profile, `expected_total`, `note` and `reference`. Copies
        names, SKUs and prices from the products. Takes the stock in the same transaction. If `by`
        used the idempotency `key` before, nothing is placed: returns that first order as it was
        then, marked `replayed`, if its `fingerprint` is the same.

        Raises NotForSale, OutOfStock, IncompleteAddress, TotalTooLarge, PriceChanged (if the
        total differs from `expected_total`), OrderLimitReached, IdempotencyKeyReused,
        EmailUnconfirmed and CustomerInactive.
        """
        first = self._placed_with_key(by, key, fingerprint)
        if first:
            return first
        self._check_email(customer, by)
        try:
            return self._place(
                customer,
                quantities,
                placed_by=None if by == customer else by,
                idempotency_key=key,
                fingerprint=fingerprint,
                **details,
            )
        except Exception:
            # Perhaps the same request was quicker, and took the last piece or the key.
            first = self._placed_with_key(by, key, fingerprint)
            if first:
                return first
            raise

    @retry_transaction
    def _place(self, customer, quantities, expected_total=None, **fields):
        order = self.model.build(customer, **fields)
        with transaction.atomic():
            if settings.MAX_OPEN_ORDERS:  # a customer's orders are counted one after the other
                get_user_model().objects.select_for_update(no_key=True).get(pk=customer.pk)
            self._check_limits(customer, quantities)
            products = Product.objects.take_stock(quantities)
            order.set_items(products, quantities, expected_total)
            if not insert_order(order, order.item_list):
                raise CustomerInactive
        order.event_list = [order.placed_event]
        return order

    def cancel_expired(self, limit=EXPIRY_BATCH_SIZE):
        """Cancel up to `limit` orders that nobody confirmed in PLACED_EXPIRES days, oldest first.

        Each in its own transaction. Returns how many; 0 without such a period.
        """
        if not settings.PLACED_EXPIRES:
            return 0
        placed_before = timezone.now() - timedelta(days=settings.PLACED_EXPIRES)
        expired = self.filter(status=Status.PLACED, created__lt=placed_before)
        return sum(order.expire() for order in expired.order_by("pk")[:limit])

    def _check_email(self, customer, by):
        """Hold back customers, but not staff who order for them: on the telephone, say."""
        if not settings.REQUIRE_CONFIRMED_EMAIL:
            return
        if by == customer and customer.is_authenticated and not customer.email_confirmed:
            raise EmailUnconfirmed

    def _check_limits(self, customer, quantities):
        limit, units = settings.MAX_UNITS_PER_ORDER, sum(quantities.values())
        if limit and units > limit:
            raise OrderLimitReached(f"An order has at most {limit:,} pieces.")
        limit = settings.MAX_OPEN_ORDERS
        if limit and self.for_customer(customer.pk).cancellable().count() >= limit:
            raise OrderLimitReached(f"You have {limit:,} orders that are not shipped.")

    def _placed_with_key(self, by, key, fingerprint):
        """Return the order of this key as it was then; None without a key, or if it is unused."""
        if key is None:
            return None
        where = "WHERE coalesce(placed_by_id, customer_id) = %s AND idempotency_key = %s"
        orders = self.fetch(where, [by.pk, key])
        if not orders:
            return None
        if orders[0].fingerprint != fingerprint:
            raise IdempotencyKeyReused
        return orders[0].as_originally_placed()
