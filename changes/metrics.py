"""What Prometheus reads about the feed."""

from prometheus_client.core import GaugeMetricFamily

from changes.models import Change


class FeedCollector:
    def collect(self):
        yield GaugeMetricFamily(
            "shopply_changes_lag_seconds",
            "For how long a running transaction has held back the oldest change that waits.",
            value=Change.objects.get_lag(),
        )
