"""What happens to an order: the verbs of Order.

Each is one transaction by the user `by`. It locks the order first, then reads the clock and writes
an OrderEvent. Products are locked last, in the order of their ids.
"""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import ngettext

from orders import addresses
from orders.events import get_action
from orders.items import OrderItem, ReturnedItem, TooManyReturned
from orders.search import SearchEntry
from orders.transitions import (
    EXPIRY,
    FINAL_STATUSES,
    TRANSITIONS,
    UNDO_PERIOD,
    UNDOABLE,
    IllegalTransition,
    Status,
    TransitionNotAllowed,
    may_change_orders,
)
from products.db_retry import retry_transaction
from products.models import Product, StockAdjustment
from shopply.api.sql import read_clock


class OrderVerbs:
    """Each verb raises TransitionNotAllowed or IllegalTransition if it is not possible."""

    def confirm(self, *, by, note=""):
        self._make_transition("confirm", by, note)

    def ship(self, *, by, note="", carrier="", tracking_number=""):
        self._make_transition("ship", by, note, carrier=carrier, tracking_number=tracking_number)

    def deliver(self, *, by, note=""):
        self._make_transition("deliver", by, note)

    def cancel(self, *, by, note=""):
        """Cancel, and put the stock back once. Does nothing to an order that is cancelled."""
        try:
            self._make_transition("cancel", by, note)
        except IllegalTransition as exc:
            if exc.status != Status.CANCELLED:
                raise

    def expire(self):
        """Cancel in the name of the shop, unless somebody changed the status; return whether."""
        days = settings.PLACED_EXPIRES
        period = ngettext("%d day", "%d days", days) % days
        try:
            self._write_transition("cancel", EXPIRY, None, f"Not confirmed within {period}.")
        except IllegalTransition:
            return False
        return True

    @property
    def can_undo(self):
        """Whether its status is from a `ship` or `deliver` of the last day that can be undone."""
        action = UNDOABLE.get(self.status)
        if not action or addresses.is_erased(self.shipping_address):
            return False
        if action == "ship" and any(item.returned for item in self.item_list):
            return False  # it could be cancelled then, which would put them back once more
        times = [event.at for event in self.event_list if get_action(event) == action]
        return bool(times) and timezone.now() - times[-1] < UNDO_PERIOD

    @retry_transaction
    def undo(self, *, by, note="", action=""):
        """Take the last transition back: the order is confirmed, or shipped, again.

        `action` is what the caller means to undo, `ship` or `deliver`: a request that is sent twice
        then undoes one of them.
        """
        self._check_staff(by)
        with transaction.atomic():
            self._lock()
            last = UNDOABLE.get(self.status)
            if not self.can_undo or action not in ("", last):
                raise IllegalTransition("undo", self.status)
            (status,) = TRANSITIONS[last].sources
            parcel = {"carrier": "", "tracking_number": ""} if last == "ship" else {}
            self._write("undo", by, note, status=status, **parcel)

    @property
    def can_correct_address(self):
        return self.status in (Status.PLACED, Status.CONFIRMED)

    @retry_transaction
    def correct_address(self, address, *, by, note=""):
        """Replace the address, `{part: text}`; the event keeps the old one.

        Name and contact number stay unless `address` has them. An order that was to be collected is
        sent from then on. Does nothing if the order has this address. Raises IncompleteAddress.
        """
        self._check_staff(by)
        with transaction.atomic():
            self._lock()
            if not self.can_correct_address:
                raise IllegalTransition("correct_address", self.status)
            old = self.shipping_address
            recipient = old or self.customer.postal_address()
            known = {part: recipient[part] for part in ("name", "contact_number")} | address
            new = {part: known.get(part, "") for part in addresses.PARTS}
            missing = addresses.missing_parts(new)
            if missing:
                raise addresses.IncompleteAddress(missing)
            if new != old:
                self._write("correct_address", by, note, old, shipping_address=new)

    @property
    def can_return(self):
        is_sent = self.status in (Status.SHIPPED, Status.DELIVERED)
        return is_sent and any(item.returned < item.quantity for item in self.item_list)

    def return_items(self, quantities, *, by, damaged=False, note="", key=None, fingerprint=""):
        """Put `{product id: quantity}` that came back into stock; write it off if `damaged`.

        If `by` used the idempotency `key` before, with the same `fingerprint`, nothing is changed,
        and the order is marked `replayed`. Raises TooManyReturned, IdempotencyKeyReused.
        """
        try:
            self._return_items(quantities, by, damaged, note, key=key, fingerprint=fingerprint)
        except (IllegalTransition, TooManyReturned, IntegrityError):
            # Perhaps the same request was made before, and took the key or the last pieces.
            if not StockAdjustment.objects.booked_by(by, key, fingerprint):
                raise
            self.replayed = True

    @retry_transaction
    def _return_items(self, quantities, by, damaged, note, **key):
        self._check_staff(by)
        with transaction.atomic():
            self._lock()
            if self.status not in (Status.SHIPPED, Status.DELIVERED):
                raise IllegalTransition("return", self.status)
            items = {item.product_id: item for item in self.items.filter(product__in=quantities)}
            left = {pk: items[pk].quantity - items[pk].returned for pk in items}
            too_many = {pk: left.get(pk) for pk, n in quantities.items() if n > left.get(pk, 0)}
            if too_many:
                raise TooManyReturned(too_many)
            for pk, item in items.items():
                item.returned += quantities[pk]
            OrderItem.objects.bulk_update(items.values(), ["returned"])
            event = self._write("return", by, note)
            ReturnedItem.objects.book(
                {item: quantities[pk] for pk, item in items.items()},
                event=event,
                damaged=damaged,
                actor=by,
                note=note,
                **key,
            )
            self._anonymize_if_account_closed()

    def write_staff_note(self, text):
        """Write the note of the staff alone: customers do not see it, so `modified` stays."""
        self.staff_note = text
        self.save(update_fields=["staff_note"])

    def _check_staff(self, user):
        if not may_change_orders(user):
            raise TransitionNotAllowed

    def _make_transition(self, name, by, note, **changes):
        transition = TRANSITIONS[name]
        if not transition.is_allowed_for(by, self):
            raise TransitionNotAllowed
        self._write_transition(name, transition, by, note, **changes)

    @retry_transaction
    def _write_transition(self, name, transition, by, note, **changes):
        with transaction.atomic():
            self._lock()
            if self.status not in transition.sources:
                raise IllegalTransition(name, self.status)
            self._write(name, by, note, status=transition.target, **changes)
            if self.status == Status.CANCELLED:
                Product.objects.restock(dict(self.items.values_list("product_id", "quantity")))
            self._anonymize_if_account_closed()

    def _lock(self):
        """Lock the row, and read it: of two racing verbs, the second finds what the first wrote."""
        orders = type(self).objects.select_for_update(no_key=True)
        self.refresh_from_db(from_queryset=orders)
        self._forget_lists()

    def _forget_lists(self):
        for name in ("item_list", "event_list"):
            self.__dict__.pop(name, None)

    def _write(self, action, by, note, old_address=None, **changes):
        """Write the changes and the event, which is returned."""
        now = read_clock()  # after the wait for the lock, so that `modified_after` misses none
        for name, value in changes.items():
            setattr(self, name, value)
        self.modified = now
        self.save(update_fields=["modified", *changes])
        if {"shipping_address", "tracking_number"} & changes.keys():
            SearchEntry.objects.write(type(self).objects.filter(pk=self.pk))
        event = self.events.create(
            action=action,
            status=self.status,
            at=now,
            by=by,
            note=note,
            shipping_address=old_address,
        )
        self._forget_lists()
        return event

    def _anonymize_if_account_closed(self):
        """Erase what closing the account left for the parcel to find its way, once it did."""
        if self.status not in FINAL_STATUSES:
            return
        # Locked: either a closing account waits for this order, or this sees it closed.
        customers = get_user_model().objects.select_for_update(no_key=True)
        if customers.values_list("closed", flat=True).get(pk=self.customer_id):
            type(self).objects.filter(pk=self.pk).anonymize()
            self.refresh_from_db()
            self._forget_lists()
