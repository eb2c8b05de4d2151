from django.contrib import admin

from products.models import Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "sku", "price", "quantity_in_stock", "is_active", "modified")
    list_filter = ("is_active", "created")
    search_fields = ("name", "sku", "description")
    date_hierarchy = "created"
    ordering = ("name",)
    list_per_page = 50
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
