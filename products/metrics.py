"""What Prometheus reads about products."""

from prometheus_client.core import GaugeMetricFamily

from products.managers import COUNT_LIMIT
from products.models import Product


class LowStockCollector:
    def collect(self):
        low = Product.objects.for_sale().low().order_by()
        yield GaugeMetricFamily(
            "shopply_products_low",
            f"Products for sale that run low or are sold out; {COUNT_LIMIT} may be more.",
            value=low[:COUNT_LIMIT].count(),
        )
