"""Endpoints, to which the changes of the feed are sent, and the log of what was sent."""

from base64 import b64encode
from datetime import timedelta
from secrets import token_bytes
from uuid import uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone
from standardwebhooks import Webhook

from changes.models import Change, FeedReader
from shopply.api.tasks import MAX_DELAY, retry_delay
from webhooks.client import TIMEOUT, Deadline, DeliveryError, post
from webhooks.destinations import validate_url
from webhooks.events import name_event

WORK_TIME = 10  # seconds for which a task sends to one endpoint, before others have their turn
# Longer than a task takes: the last request begins within WORK_TIME.
LEASE = timedelta(seconds=WORK_TIME + TIMEOUT + 10)
DISABLE_AFTER = timedelta(days=5)  # of failures without a success between them
SECRET_OVERLAP = timedelta(days=1)  # for which the secret before signs too
DELIVERY_DAYS = 30  # that the log is kept
BATCH_SIZE = 1_000  # rows of the log that are removed at once
GONE = 410


def from_now(delta):
    """Return the time of the database, on which all workers agree, and a timedelta."""
    return ExpressionWrapper(Now() + delta, models.DateTimeField())


def create_secret():
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


class EndpointQuerySet(models.QuerySet):
    def unleased(self):
        return self.filter(Q(leased_until=None) | Q(leased_until__lt=Now()))

    def ready(self):
        """Those that can be sent to now, if there is something to send."""
        is_due = Q(next_attempt=None) | Q(next_attempt__lte=Now())
        return self.unleased().filter(is_due, is_active=True)

    def unqueued(self):
        """Those for which no task waits, unless it was lost."""
        limit = from_now(-timedelta(seconds=settings.TASK_TIMEOUT))
        return self.ready().filter(Q(queued_at=None) | Q(queued_at__lt=limit))

    def claim(self, pk):
        """Return this endpoint for this task alone, or None if another has it or it is not ready.

        A worker that is killed holds it for LEASE. There is no transaction meanwhile, which would
        hold the feed back.
        """
        lease = uuid4()
        rows = self.ready().filter(pk=pk)
        rows.update(lease=lease, leased_until=from_now(LEASE), queued_at=None)
        return self.filter(lease=lease).first()


class Endpoint(FeedReader):
    """Receives changes of the feed, one after the other, and keeps how far it has got.

    Only superusers see or change it. Its secrets are stored as they are, since signing needs them,
    and are shown once.
    """

    url = models.CharField(
        "URL",
        max_length=500,
        validators=[validate_url],
        help_text="Where events are sent, by POST. Its host must be public.",
    )
    description = models.CharField(max_length=200, blank=True)
    events = models.JSONField(default=list, blank=True)  # names; empty is all
    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="Otherwise nothing is sent. It goes on where it stopped, as far as the feed is "
        "kept.",
    )
    secret = models.CharField(max_length=100, editable=False, default=create_secret)
    previous_secret = models.CharField(max_length=100, editable=False, blank=True)
    secret_replaced = models.DateTimeField(null=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    failures = models.PositiveIntegerField(default=0, editable=False)  # since the last success
    failing_since = models.DateTimeField(null=True, editable=False)
    next_attempt = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=200, editable=False, blank=True)
    delivered_count = models.PositiveBigIntegerField("delivered", default=0, editable=False)
    failed_count = models.PositiveBigIntegerField("failed attempts", default=0, editable=False)

    queued_at = models.DateTimeField(null=True, editable=False)  # a task waits since
    lease = models.UUIDField(null=True, editable=False)  # of the task that sends
    leased_until = models.DateTimeField(null=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # superusers only

    def __str__(self):
        return self.description or self.url

    def start(self):
        """Have it receive what changes from now on."""
        self.move_to(Change.objects.latest_cursor())

    def restart(self):
        """Forget its failures: it is tried at once."""
        self.failures, self.failing_since, self.next_attempt = 0, None, None
        self.disabled_reason = ""

    @transaction.atomic
    def replace_secret(self):
        """Sign with a new secret; with the one before too, for SECRET_OVERLAP."""
        endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=self.pk)
        self.previous_secret, self.secret = endpoint.secret, create_secret()
        self.secret_replaced = timezone.now()
        self.save(update_fields=["secret", "previous_secret", "secret_replaced"])

    def follow(self, deadline):
        """Yield the changes that follow and are for it, until a Deadline.

        Goes on from where it stands: whoever sends a change moves on to it.
        """
        while not deadline.is_over and (changes := self.next_changes()):
            for change in changes:
                if not self.events or name_event(change) in self.events:
                    yield change
                else:
                    self.move_to(change.cursor)

    def send(self, message):
        """Send a Message, signed; return the Result. It can be sent any number of times."""
        secrets, now = [self.secret], timezone.now()
        if self.secret_replaced and now - self.secret_replaced < SECRET_OVERLAP:
            secrets.append(self.previous_secret)
        identifier, body = message.message_id, message.body
        signatures = (Webhook(secret).sign(identifier, now, body) for secret in secrets)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "shopply",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return post(self.url, body.encode(), headers)

    # --- While a task holds the lease ---------------------------------------------------------

    fresh = Deadline(0)  # until when what `reload` has read is used

    def reload(self):
        """Read what the admin may have changed, each second; return whether to go on sending."""
        if not self.fresh.is_over:
            return True
        self.fresh = Deadline(1)
        rows = Endpoint.objects.filter(lease=self.lease, is_active=True)
        fields = ("url", "events", "secret", "previous_secret", "secret_replaced", "failures")
        try:
            self.refresh_from_db(fields=[*fields, "failing_since"], from_queryset=rows)
        except Endpoint.DoesNotExist:
            return False
        return True

    def release(self, results):
        """Write where it stands after these Results, unless the lease is another's by now.

        All are successes but perhaps the last, after which it stays at its change, and is tried
        again later or disabled. Returns whether it is disabled now.
        """
        delivered = sum(result.succeeded for result in results)
        failed = len(results) - delivered
        state = {name: getattr(self, name) for name in ("epoch", "transaction_id", "change_id")}
        if delivered:
            self.failures, self.failing_since = 0, None
            state |= {"failures": 0, "failing_since": None, "next_attempt": None}
        if failed:
            state |= self.describe_failure(results[-1])
        is_kept = Endpoint.objects.filter(pk=self.pk, lease=self.lease).update(
            **state,
            delivered_count=F("delivered_count") + delivered,
            failed_count=F("failed_count") + failed,
            lease=None,
            leased_until=None,
        )
        return bool(is_kept) and "disabled_reason" in state

    def describe_failure(self, result):
        """Return the fields that change after this Result."""
        now, failures = timezone.now(), self.failures + 1
        since = self.failing_since or now
        delay = max(retry_delay(failures), min(result.retry_after, MAX_DELAY))
        state = {"failures": failures, "failing_since": since}
        state["next_attempt"] = now + timedelta(seconds=delay)
        if result.status == GONE:
            reason = "The receiver responded 410 Gone."
        elif now - since >= DISABLE_AFTER:
            reason = f"Nothing was delivered for {DISABLE_AFTER.days} days."
        else:
            return state
        return state | {"is_active": False, "disabled_reason": reason}


class DeliveryManager(models.Manager):
    def record(self, endpoint, sent, attempts):
        """Write what was sent, `(Message, Result)`: one row for each message, with the last result.

        `attempts` are those at the first of them: each but the first is new, or was not written.
        They begin anew when staff restart the endpoint.
        """
        deliveries = [
            Delivery(
                endpoint=endpoint,
                **message._asdict(),
                attempts=1 if index else attempts,
                succeeded=result.succeeded,
                status=result.status,
                error=result.error,
                duration=result.duration,
                attempted=timezone.now(),
            )
            for index, (message, result) in enumerate(sent)
        ]
        self.bulk_create(
            deliveries,
            update_conflicts=True,
            unique_fields=("endpoint", "message_id"),
            update_fields=("attempts", "succeeded", "status", "error", "duration", "attempted"),
        )

    def remove_old(self):
        """Remove up to BATCH_SIZE rows that are older than DELIVERY_DAYS; return how many."""
        limit = timezone.now() - timedelta(days=DELIVERY_DAYS)
        oldest = self.order_by("pk").values_list("pk", "created")[:BATCH_SIZE]
        old = [pk for pk, created in oldest if created < limit]
        self.filter(pk__in=old).delete()
        return len(old)


class Delivery(models.Model):
    """A message to an endpoint, and the result of its last attempt. Not the response's text, which
    may hold anything."""

    endpoint = models.ForeignKey(
        Endpoint, models.PROTECT, related_name="deliveries", db_index=False
    )
    message_id = models.CharField("webhook-id", max_length=60)
    event = models.CharField(max_length=30)
    object_id = models.BigIntegerField("object", null=True)
    body = models.TextField()
    attempts = models.PositiveIntegerField(default=0)
    succeeded = models.BooleanField(default=False)
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=12, choices=DeliveryError, blank=True)
    duration = models.PositiveIntegerField("milliseconds", null=True)
    created = models.DateTimeField(auto_now_add=True)
    attempted = models.DateTimeField("last attempt", null=True)

    objects = DeliveryManager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="delivery_once"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
            models.Index(fields=["-id"], name="delivery_failed", condition=Q(succeeded=False)),
        ]

    def __str__(self):
        return f"{self.event} {self.object_id or ''}".rstrip()
