from django.contrib import admin, messages
from django.db import transaction
from django.db.models.fields import BLANK_CHOICE_DASH
from django.shortcuts import redirect
from django.utils.html import format_html

from products.import_admin import SheetImportMixin
from products.models import (
    ADJUSTMENT_REASONS,
    MAX_STOCK,
    Product,
    StockAdjustment,
    StockOutOfBounds,
)
from products.resources import ProductResource
from products.search import split_words
from shopply.api.sheet_admin import SheetExportMixin


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


class ReadOnlyAdminMixin:
    """Read-only: records are never added, changed or deleted in the admin."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class AdjustmentInline(admin.TabularInline):
    """One empty row to adjust the stock; past adjustments have a page of their own."""

    model = StockAdjustment
    fields = ("delta", "reason", "note")
    extra = max_num = 1
    verbose_name = "stock adjustment"
    can_delete = False

    def get_queryset(self, request):
        return super().get_queryset(request).none()

    def formfield_for_choice_field(self, db_field, request, **kwargs):
        kwargs["choices"] = [*BLANK_CHOICE_DASH, *ADJUSTMENT_REASONS]  # `reason` is the only one
        return super().formfield_for_choice_field(db_field, request, **kwargs)


@admin.register(StockAdjustment)
class StockAdjustmentAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):
    fields = list_display = (
        *("created", "product", "delta", "quantity_in_stock", "reason", "note", "actor"),
    )
    list_filter = ("reason", "created")
    list_select_related = ("product", "actor")
    search_fields = ("product__name", "product__sku", "note")
    date_hierarchy = "created"
    list_per_page = 50


@admin.register(Product)
class ProductAdmin(SheetImportMixin, SheetExportMixin, admin.ModelAdmin):
    resource_classes = [ProductResource]
    list_display = ("name", "sku", "price", "stock", "is_active", "modified")
    list_filter = ("is_active", StockFilter, "created")
    search_fields = ("name", "sku", "description")
    search_help_text = "Name, SKU or description"
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
        "created",
        "modified",
    )
    readonly_fields = ("created", "modified")

    @admin.display(ordering="quantity_in_stock")
    def stock(self, product):
        if product.quantity_in_stock:
            return product.quantity_in_stock
        return format_html('<strong class="sold-out">{}</strong>', "Sold out")

    def get_readonly_fields(self, request, obj=None):
        """The opening stock is entered once; afterwards orders and adjustments change it."""
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else (*fields, "quantity_in_stock")

    def save_model(self, request, product, form, change):
        if not change:
            product.save(by=request.user)
        elif form.changed_data:
            product.update_fields(
                **{field: form.cleaned_data[field] for field in form.changed_data}
            )

    def log_change(self, request, product, message):
        if message:  # empty if nothing changed
            super().log_change(request, product, message)

    def get_deleted_objects(self, products, request):
        """Delete adjustments with their product, though nobody can delete one on its own."""
        *objects, perms_needed, protected = super().get_deleted_objects(products, request)
        return *objects, perms_needed - {StockAdjustment._meta.verbose_name}, protected

    @transaction.atomic  # Django logs a deletion first; an order may then prevent it
    def response_action(self, request, queryset):
        return super().response_action(request, queryset)

    def get_search_results(self, request, products, text):
        return products.search(split_words(text)), False

    def get_inlines(self, request, obj):
        return [AdjustmentInline] if obj else []

    def save_formset(self, request, form, formset, change):
        for adjustment in formset.save(commit=False):
            try:
                form.instance.adjust_stock(
                    adjustment.delta,
                    reason=adjustment.reason,
                    note=adjustment.note,
                    by=request.user,
                )
            except StockOutOfBounds as exc:
                message = f"The stock was not adjusted: there are {exc.stock} in stock."
                self.message_user(request, message, messages.ERROR)
                formset.new_objects.remove(adjustment)  # otherwise Django would log it
                form.instance.is_unchanged = not form.has_changed()

    def response_change(self, request, product):
        if getattr(product, "is_unchanged", False):  # Django would report a change
            return redirect(request.get_full_path())
        return super().response_change(request, product)
