"""Customers: the users of the shop, with their profile and their account's life cycle."""

import operator
import time
from functools import reduce

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import connection, models, transaction
from django.db.models.functions import Upper
from django.db.models.lookups import Exact
from django.dispatch import Signal
from django.utils import timezone

from customers.confirmed_email import ConfirmedEmail
from customers.tokens import AccessToken
from shopply.api.permissions import is_allowed
from shopply.api.slots import Slots
from shopply.api.sql import columns, fetch

USERNAME_TAKEN = "This user name is taken."
EMAIL_TAKEN = "An account with this e-mail address exists."

hashing = Slots()  # a hash takes 200 ms


def equal(field, text):
    """Compare regardless of case, as the unique constraints do, and so by their indexes."""
    return Exact(Upper(field), Upper(models.Value(text)))


class CustomerQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Return everyone for staff, a customer's own row, or nothing for an anonymous user."""
        if is_allowed(user, "customers.view_customer"):
            return self
        return self.filter(pk=user.pk) if user.is_authenticated else self.none()

    def with_username(self, username):
        """Return who has this user name, as a queryset of one or none."""
        return self.filter(equal("username", username))

    def with_email(self, email):
        """Return who has this e-mail address: of several, one at most has confirmed it."""
        return self.filter(~models.Q(email=""), equal("email", email))

    def with_confirmed_email(self, email):
        """Return whose e-mail address this is, as a queryset of one or none."""
        return self.with_email(email).filter(email_confirmed=True)

    def with_new_email(self, email):
        """Return who will have this e-mail address if they confirm it."""
        return self.filter(~models.Q(new_email=""), equal("new_email", email))

    def claiming(self, email):
        """Return who has this e-mail address, or will have it."""
        return self.with_email(email) | self.with_new_email(email)

    def with_login(self, login):
        """Return who has this user name, and who has this e-mail address."""
        return self.with_username(login) | self.with_email(login)

    def search(self, words):
        """Return who has each word in the user name, the names or the e-mail address."""
        for word in words:
            # A part of a word finds too many if it is short, and no index finds it.
            lookup = "icontains" if len(word) > 2 else "iexact"
            fields = ("username", "first_name", "last_name", "email")
            self = self.filter(
                reduce(operator.or_, (models.Q((f"{field}__{lookup}", word)) for field in fields))
            )
        return self

    def active_superusers(self):
        """Return the superusers who can log in, ordered by id, which is the order of locks."""
        return self.filter(is_superuser=True, is_active=True).order_by("pk")


class CustomerManager(UserManager.from_queryset(CustomerQuerySet)):
    def for_token(self, key):
        """Return the customer who has this token, or None: see `shopply.api.sql`."""
        sql = f"SELECT {columns(self.model)} FROM customers_customer"  # noqa: S608
        where = "WHERE id = (SELECT user_id FROM authtoken_token WHERE key = %s)"
        return next(iter(fetch(self.model, f"{sql} {where}", [key])), None)

    def get_by_natural_key(self, username):
        """Find a user name regardless of case."""
        return self.with_username(username).get()

    def get_by_login(self, login):
        """Return who logs in with this user name or e-mail address, or None.

        An address opens the account that confirmed it. Otherwise the user name comes first, and
        then the account that had the address first: nobody keeps others out by registering with
        their address.
        """
        is_confirmed = models.Q(equal("email", login), email_confirmed=True)
        order = (
            models.ExpressionWrapper(is_confirmed, models.BooleanField()).desc(),
            equal("username", login).desc(),
            "pk",
        )
        return self.with_login(login).order_by(*order).first()


class AccountClosed(Exception):
    """The account was closed in the meantime."""


class LastSuperuser(Exception):
    """The account is the last active superuser."""


class Customer(ConfirmedEmail, AbstractUser):
    username = models.CharField(
        "user name",
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator()],
        help_text="Up to 150 ASCII letters, digits and @ . + - _",
        error_messages={"unique": USERNAME_TAKEN},
    )
    email = models.EmailField("e-mail address", blank=True)
    contact_number = models.CharField(max_length=40, blank=True)
    street_1 = models.CharField("street", max_length=200, blank=True)
    street_2 = models.CharField("street, second line", max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or region", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=100, blank=True)
    staff_note = models.TextField(
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text="For the shop's staff. Customers see it only in an export of their data.",
    )
    order_mails = models.BooleanField(
        default=True, db_default=True, help_text="Whether the shop mails them about their orders."
    )
    closed = models.DateTimeField(
        null=True, editable=False, help_text="When the account was closed and erased."
    )

    objects = CustomerManager()

    # Other apps export and erase what they hold about a customer when they receive these.
    exporting = Signal()  # receivers return `{name: values}` of `customer`
    closing = Signal()  # sent in the transaction that closes the account of `customer`

    ADDRESS = ("street_1", "street_2", "city", "state", "postal_code", "country")
    PERSONAL = (
        *("email", "new_email", "first_name", "last_name", "contact_number", *ADDRESS),
        "staff_note",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("username"),
                name="customer_username_any_case",
                violation_error_message=USERNAME_TAKEN,
            ),
            models.UniqueConstraint(
                Upper("email"),
                name="customer_confirmed_email_any_case",
                condition=models.Q(email_confirmed=True) & ~models.Q(email=""),
                violation_error_message=EMAIL_TAKEN,
            ),
        ]
        indexes = [
            models.Index(Upper("email"), name="customer_email"),
            models.Index(
                Upper("new_email"), name="customer_new_email", condition=~models.Q(new_email="")
            ),
        ]

    def save(self, **kwargs):
        """Also revoke the token if the password is new or the account is inactive."""
        if self._state.adding or (self._password is None and self.is_active):
            super().save(**kwargs)
            return
        with transaction.atomic():
            super().save(**kwargs)
            AccessToken.revoke(self)

    def set_unusable_password(self):
        super().set_unusable_password()
        self._password = ""  # so that `save` sees a change, as with `set_password`

    def postal_address(self):
        """Return the address as orders copy it: `name`, `contact_number` and the ADDRESS fields."""
        return {
            "name": self.get_full_name() or self.username,
            "contact_number": self.contact_number,
            **{field: getattr(self, field) for field in self.ADDRESS},
        }

    def export(self):
        """Return all the shop holds about this person: `{name: values}`, some of them iterators."""
        token = AccessToken.objects.filter(user=self).first()
        held = {
            "account": {
                "id": self.pk,
                "username": self.username,
                **{field: getattr(self, field) for field in self.PERSONAL},
                "email_confirmed": self.email_confirmed,
                "date_joined": self.date_joined,
                "last_login": self.last_login,
                "order_mails": self.order_mails,
                "is_active": self.is_active,
                "is_staff": self.is_staff,
                "is_superuser": self.is_superuser,
                "groups": list(self.groups.values_list("name", flat=True)),
                "permissions": list(self.user_permissions.values_list("codename", flat=True)),
            },
            "token": token and {"created": token.created, "expires": token.expires},
            "admin_log": list(
                (self._admin_log_entries() | self._entries_about_no_customer()).values(
                    "action_time", "object_repr", "change_message"
                )
            ),
        }
        for _, part in self.exporting.send(type(self), customer=self):
            held |= part
        return held

    def update_fields(self, **changes):
        """Write these fields only, since others may have changed since the row was read.

        Raises AccountClosed.
        """
        for field, value in changes.items():
            setattr(self, field, value)
        still_open = type(self).objects.filter(pk=self.pk, is_active=True)
        if changes and not still_open.update(**changes):
            raise AccountClosed

    def change_password(self, password):
        """Set the password and revoke the token; forget a new e-mail address that is not confirmed.

        Whoever used the account before may have entered that address. Raises Busy, and
        AccountClosed if that happened while the password was hashed.
        """
        with hashing.acquire():
            self.set_password(password)
        with transaction.atomic():
            self.update_fields(password=self.password, new_email="")
            AccessToken.revoke(self)
        self._password = None  # as `save` does: there is no change left to save

    def outranks(self, user):
        """Return whether the user may not change this account: staff change none of other staff."""
        if user.is_superuser or user == self:
            return False
        return self.is_staff or self.is_superuser

    def is_last_superuser(self):
        """Return whether this is the only active superuser. Call it within a transaction.

        Locks all superusers first: the last two may be closing their accounts at the same time.
        """
        superusers = type(self).objects.active_superusers().select_for_update(no_key=True)
        return [*superusers] == [self]

    def close(self):
        """Close the account permanently, and erase personal data here and in other apps.

        The row stays, since orders refer to it. Raises LastSuperuser.
        """
        with transaction.atomic():
            if self.is_last_superuser():
                raise LastSuperuser
            self._erase()

    def _erase(self):
        self.username = f"closed {self.pk}"  # nobody can register a name with a blank
        for field in self.PERSONAL:
            setattr(self, field, "")
        self.last_login = None
        self.closed = timezone.now()
        self.is_active = self.is_staff = self.is_superuser = self.email_confirmed = False
        self.set_unusable_password()
        self.save()
        self.groups.clear()
        self.user_permissions.clear()
        self._admin_log_entries().update(object_repr=str(self), change_message="Erased.")
        self.closing.send(type(self), customer=self)

    def _admin_log_entries(self):
        """Return the admin's log of this account and its token, with its name and old values."""
        return LogEntry.objects.filter(
            content_type__app_label=self._meta.app_label, object_id=self.pk
        )

    def _entries_about_no_customer(self):
        """Return what this user did in the admin, without the personal data of others."""
        entries = LogEntry.objects.filter(user=self)
        return entries.exclude(content_type__app_label=self._meta.app_label)


class Staff(Customer):
    """The accounts of staff, for their list in the admin. Permissions are those of customers."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "staff account"
        verbose_name_plural = "staff"


class CounterManager(models.Manager):
    def increment(self, key, delta, expires):
        """Add to the count of this key and return it, atomically."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO customers_counter AS counter (key, count, expires)"
                " VALUES (%s, %s, %s)"
                " ON CONFLICT (key) DO UPDATE SET count = counter.count + excluded.count"
                " RETURNING count",
                [key, delta, expires],
            )
            (count,) = cursor.fetchone()
        if count == delta and key.startswith("0"):  # one in sixteen new keys cleans up
            self.filter(expires__lt=time.time()).delete()
        return count


class Counter(models.Model):
    """The number of failed log-ins, or of mails to an address, in a window (`LoginLimit`)."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    expires = models.BigIntegerField(db_index=True, help_text="Seconds since 1970.")

    objects = CounterManager()

    def __str__(self):
        return f"{self.key[:8]}: {self.count}"
