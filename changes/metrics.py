"""What Prometheus reads about the feed."""

from prometheus_client.core import GaugeMetricFamily

from changes.models import Change, Reader


class FeedCollector:
    def collect(self):
        yield GaugeMetricFamily(
            "shopply_changes_lag_seconds",
            "For how long a running transaction has held back the oldest change that waits.",
            value=Change.objects.get_lag(),
        )
        lag = GaugeMetricFamily(
            "shopply_reader_lag_seconds",
            "For how long the next change has waited for this reader of the feed.",
            labels=["reader"],
        )
        for reader in Reader.objects.all():
            lag.add_metric([reader.name], reader.get_lag())
        yield lag
