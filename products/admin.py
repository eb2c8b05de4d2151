from django.contrib import admin

from products.models import MAX_STOCK, Product


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request, model_admin):
        return [("none", "Sold out"), ("few", "1 to 5 left"), ("some", "More")]

    def queryset(self, request, products):
        spans = {"none": (0, 0), "few": (1, 5), "some": (6, MAX_STOCK)}
        if self.value() in spans:
            return products.filter(quantity_in_stock__range=spans[self.value()])
        return products


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "sku", "price", "quantity_in_stock", "is_active", "modified")
    list_filter = ("is_active", StockFilter, "created")
    search_fields = ("name", "sku", "description")
    date_hierarchy = "created"
    ordering = ("name",)
    list_per_page = 50
    fields = (
        "name",
        "description",
        "sku",
        "price",
        "quantity_in_stock",
        "is_active",
        ("created", "modified"),
    )
    readonly_fields = ("created", "modified")

    def get_readonly_fields(self, request, obj=None):
        """Opening stock is typed once; from then on it moves with orders."""
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else (*fields, "quantity_in_stock")

    def save_model(self, request, product, form, change):
        if change:
            product.revise(**{field: form.cleaned_data[field] for field in form.changed_data})
        else:
            super().save_model(request, product, form, change)
