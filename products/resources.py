"""Products in sheets."""

from products.models import Product
from shopply.api.sheet_admin import SheetResource, column


class ProductResource(SheetResource):
    currency = column("currency")

    class Meta:
        model = Product
        name = "products"
        fields = (
            *("id", "sku", "name", "description", "price", "currency", "quantity_in_stock"),
            *("is_active", "created", "modified", "revision"),
        )
