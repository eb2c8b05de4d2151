"""What Prometheus reads about webhooks."""

from django.db.models import Count, Q, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from webhooks.models import Endpoint


class WebhookCollector:
    """From the rows of endpoints: the worker that sends has no metrics of its own."""

    def collect(self):
        totals = Endpoint.objects.aggregate(
            delivered=Sum("delivered_count", default=0),
            failed=Sum("failed_count", default=0),
            disabled=Count("pk", filter=Q(is_active=False) & ~Q(disabled_reason="")),
        )
        attempts = CounterMetricFamily(
            "shopply_webhook_attempts", "Attempts to deliver a webhook.", labels=["result"]
        )
        for result in ("delivered", "failed"):
            attempts.add_metric([result], totals[result])
        yield attempts
        yield GaugeMetricFamily(
            "shopply_webhook_endpoints_disabled",
            "Webhook endpoints that were disabled since they failed.",
            value=totals["disabled"],
        )
        yield GaugeMetricFamily(
            "shopply_webhook_lag_seconds",
            "How long ago the oldest change was that an active endpoint has not got.",
            value=self.get_lag(),
        )

    def get_lag(self):
        active = Endpoint.objects.filter(is_active=True)
        slowest = active.order_by("transaction_id", "change_id").first()
        changes = slowest.next_changes(limit=1) if slowest else []
        return (timezone.now() - changes[0].at).total_seconds() if changes else 0
