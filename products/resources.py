"""Products in sheets."""

from import_export.fields import Field

from products.models import Product
from shopply.api.sheet_admin import SheetResource


class CategoriesField(Field):
    """Their slugs, with blanks between them."""

    def get_value(self, product):
        return " ".join(product.category_slugs)


class ProductResource(SheetResource):
    currency = Field("currency")
    categories = CategoriesField("category_slugs", "categories")

    class Meta:
        model = Product
        name = "products"
        fields = (
            *("id", "sku", "gtin", "name", "description", "price", "currency", "quantity_in_stock"),
            *("low_stock_at", "is_active", "categories", "created", "modified", "revision"),
        )

    def iter_queryset(self, queryset):
        return super().iter_queryset(queryset.prefetch_related("categories"))
