"""The e-mail address of a customer: who may have it, and how a link confirms that it is theirs."""

import json
from datetime import timedelta

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db import models, transaction

from customers.links import InvalidLink, make_link, make_uid, parse_uid

LINK_MAX_AGE = timedelta(days=3)


class ConfirmedEmail(models.Model):
    """The base of Customer, which has `email`.

    Many accounts can have an address, but one of them confirmed: who registers with the address of
    another does not keep its owner out. When its owner confirms it, the others lose it.
    """

    email_confirmed = models.BooleanField(
        "e-mail address confirmed",
        default=False,
        db_default=False,
        help_text="The customer opened the link mailed to it, or staff know that it is theirs.",
    )
    new_email = models.EmailField(
        "new e-mail address",
        blank=True,
        default="",
        db_default="",
        help_text="Becomes the e-mail address when the customer opens the link mailed to it.",
    )

    class Meta:
        abstract = True

    @property
    def address_to_confirm(self):
        """The address that the next link confirms, or "" if there is none."""
        return self.new_email or ("" if self.email_confirmed else self.email)

    def change_email(self, address):
        """Have another address, once it is confirmed; at once, if there is nothing to protect.

        That is while the present address is not confirmed, and nobody else has the new one. Raises
        AccountClosed.
        """
        with transaction.atomic():
            # The present address may be confirmed at the same moment.
            rows = type(self).objects.select_for_update(no_key=True)
            self.email_confirmed = rows.get(pk=self.pk).email_confirmed
            others = type(self).objects.with_login(address).exclude(pk=self.pk)
            if self.email_confirmed or others.exists():
                self.update_fields(new_email=address)
            else:
                self.update_fields(email=address, new_email="")

    def confirmation_link(self):
        """Return the URL of the page that confirms the address, ours or the front end's."""
        uid, _, token = self._link_signer.sign(make_uid(self.pk)).partition(":")
        return make_link(settings.EMAIL_CONFIRMATION_URL, "confirm-email-page", uid, token)

    @property
    def _link_signer(self):
        """Signs with all that a link depends on.

        A new password ends a link, too: perhaps somebody else had asked for it.
        """
        state = [self.email, self.email_confirmed, self.new_email, self.password]
        return TimestampSigner(salt=f"customers.confirm_email {json.dumps(state)}")

    def _check_link(self, token):
        try:
            self._link_signer.unsign(f"{make_uid(self.pk)}:{token}", max_age=LINK_MAX_AGE)
        except BadSignature:
            raise InvalidLink from None
        if not (self.address_to_confirm and self.is_active):
            raise InvalidLink

    @classmethod
    def confirm_email(cls, uid, token):
        """Confirm the address of a link.

        Returns `(customer, old address)`; the second is "" unless it was confirmed and is another
        one now. Raises InvalidLink.
        """
        try:
            customer = cls.objects.get(pk=parse_uid(uid))
        except cls.DoesNotExist:
            raise InvalidLink from None
        customer._check_link(token)
        with transaction.atomic():
            customer._lock_claimants()
            customer._check_link(token)
            return customer, customer._take_address()

    def _lock_claimants(self):
        """Lock the accounts with this address, and read this one as it is by then.

        All of them in the order of their ids: if two confirm the address at the same moment, the
        second one waits, and sees what the first did.
        """
        address = self.address_to_confirm
        claimants = type(self).objects.claiming(address) | type(self).objects.filter(pk=self.pk)
        list(claimants.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        self.refresh_from_db()

    def _take_address(self):
        address = self.address_to_confirm
        if type(self).objects.with_confirmed_email(address).exclude(pk=self.pk).exists():
            raise InvalidLink
        self.release_from_others(address)
        old_address = self.email if self.email_confirmed else ""
        self.update_fields(email=address, email_confirmed=True, new_email="")
        return old_address

    def release_from_others(self, address):
        """Take an address from all other accounts, which have it unconfirmed."""
        others = type(self).objects.exclude(pk=self.pk)
        others.with_email(address).filter(email_confirmed=False).update(email="")
        others.with_new_email(address).update(new_email="")
