"""Changes of many products in one transaction, which a client can safely send again."""

from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from products.db_retry import retry_transaction
from products.managers import find_first

MAX_PRODUCTS = 500
EXPIRES = timedelta(days=7)
REMOVED_AT_ONCE = 100


class BulkUpdateManager(models.Manager):
    @retry_transaction
    def make(self, changes, *, by, represent, key=None, fingerprint=""):
        """Do as `Product.update_fields` of many products, all or nothing; return `represent()`.

        `changes` are `{id: {field: value}}`. `represent` returns text about the changed products,
        which is kept with the idempotency `key`.

        Raises StockOutOfBounds of the first product that it is about; IntegrityError if `by` used
        the key before, or if a product was deleted or a unique value taken in the meantime.
        """
        with transaction.atomic():
            # First, so that a second request with the key waits here and changes nothing.
            bulk = key and self.create(actor=by, idempotency_key=key, fingerprint=fingerprint)
            apps.get_model("products", "Product").objects.update_many(changes, by=by)
            text = represent()
            if bulk:
                bulk.response = text
                bulk.save(update_fields=["response"])
                self.remove_old()
        return text

    def sent_by(self, user, key, fingerprint):
        """Return what `find_first` finds."""
        return find_first(self.filter(actor=user), key, fingerprint)

    def remove_old(self):
        """Remove some of those that are older than EXPIRES."""
        old = self.select_for_update(skip_locked=True).filter(created__lt=timezone.now() - EXPIRES)
        pks = list(old.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE])
        if pks:
            self.filter(pk__in=pks).delete()


class BulkUpdate(models.Model):
    """The response to a bulk update with an idempotency key, kept for EXPIRES.

    Other keys are columns of the row that their request makes; this one changes rows of others.
    """

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        db_constraint=False,  # which would lock the table of accounts when it is added
        db_index=False,
    )
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    response = models.TextField(help_text="JSON, as it was sent.")
    created = models.DateTimeField(default=timezone.now, db_index=True)

    objects = BulkUpdateManager()

    class Meta:
        ordering = ("pk",)
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=("actor", "idempotency_key"), name="bulk_update_idempotency_key_once"
            )
        ]

    def __str__(self):
        return self.idempotency_key
