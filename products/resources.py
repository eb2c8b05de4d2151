"""Products in sheets."""

from import_export.fields import Field

from products.models import Product
from shopply.api.sheet_admin import SheetResource


class ProductResource(SheetResource):
    currency = Field("currency")

    class Meta:
        model = Product
        name = "products"
        fields = (
            *("id", "sku", "name", "description", "price", "currency", "quantity_in_stock"),
            *("is_active", "created", "modified", "revision"),
        )
