"""Who may log in, and where parcels go."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import models
from django.db.models.functions import Upper


class CustomerQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Everyone for staff, yourself for a customer, nobody for an anonymous caller."""
        if user.is_staff:
            return self
        return self.filter(pk=user.pk) if user.is_authenticated else self.none()


class CustomerManager(UserManager.from_queryset(CustomerQuerySet)):
    def get_by_natural_key(self, username):
        """Log-in does not mind the case of a user name (`customer_username_any_case`)."""
        # One character more than any name has; SQLite takes no pattern over 50,000 bytes.
        return self.get(username__iexact=username[:151])


class AccountClosed(Exception):
    """The account was closed in the meantime."""


class Customer(AbstractUser):
    username = models.CharField(
        "user name",
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator()],
        help_text="Up to 150 ASCII letters, digits and @ . + - _",
        error_messages={"unique": "This user name is taken."},
    )
    email = models.EmailField("e-mail address", blank=True)
    contact_number = models.CharField(max_length=40, blank=True)
    street_1 = models.CharField("street", max_length=200, blank=True)
    street_2 = models.CharField("street, second line", max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or region", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=100, blank=True)

    objects = CustomerManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("username"),
                name="customer_username_any_case",
                violation_error_message="This user name is taken.",
            ),
            models.UniqueConstraint(
                Upper("email"),
                name="customer_email_any_case",
                condition=~models.Q(email=""),
                violation_error_message="An account with this e-mail address exists.",
            ),
        ]

    def postal_address(self):
        """Where parcels go, as orders copy it: a name, a number to ring and the address lines."""
        return {
            "name": self.get_full_name() or self.username,
            "contact_number": self.contact_number,
            "street_1": self.street_1,
            "street_2": self.street_2,
            "city": self.city,
            "state": self.state,
            "postal_code": self.postal_code,
            "country": self.country,
        }

    def revise(self, **changes):
        """Write just these fields: the rest of the row may have changed since it was read.

        Raises AccountClosed.
        """
        for field, value in changes.items():
            setattr(self, field, value)
        still_open = type(self).objects.filter(pk=self.pk, is_active=True)
        if changes and not still_open.update(**changes):
            raise AccountClosed

    def change_password(self, password):
        self.set_password(password)
        self.save(update_fields=["password"])

    def close(self):
        """Shut the account for good and erase what it tells of the person.

        The row stays, since orders are records and point at it.
        """
        self.username = f"closed {self.pk}"  # a blank: nobody can register it
        for field in (
            *("email", "first_name", "last_name", "contact_number"),
            *("street_1", "street_2", "city", "state", "postal_code", "country"),
        ):
            setattr(self, field, "")
        self.is_active = False
        self.set_unusable_password()
        self.save()
