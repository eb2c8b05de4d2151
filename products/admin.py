from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models.fields import BLANK_CHOICE_DASH
from django.utils.formats import localize
from django.utils.html import format_html

from products.categories import Category
from products.category_admin import CategoriesField, CategoryFilter
from products.forms import AdjustmentForm, WholeNumberField
from products.image_admin import ImageInline, ImageUploadMixin, save_images
from products.import_admin import SheetImportMixin
from products.models import ADJUSTMENT_REASONS, Product, ProductImage, StockAdjustment
from products.resources import ProductResource
from products.search import split_words
from shopply.api.sheet_admin import SheetExportMixin


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request, model_admin):
        return [("none", "Sold out"), ("few", "Running low"), ("some", "Enough")]

    def queryset(self, request, products):
        match self.value():
            case "none":
                return products.sold_out()
            case "few":
                return products.low().in_stock()
            case "some":
                return products.exclude(pk__in=products.low().order_by().values("pk"))
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
    form = AdjustmentForm
    formfield_overrides = {models.IntegerField: {"form_class": WholeNumberField}}
    fields = ("delta", "reason", "note", "key")
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
    permission_labels = {"view": "see them", "add": "adjust the stock, book deliveries"}
    date_hierarchy = "created"
    list_per_page = 50


@admin.register(Product)
class ProductAdmin(ImageUploadMixin, SheetImportMixin, SheetExportMixin, admin.ModelAdmin):
    resource_classes = [ProductResource]
    list_display = ("name", "sku", "shown_price", "stock", "is_active", "modified")
    list_filter = ("is_active", StockFilter, CategoryFilter, "created")
    search_fields = ("name", "sku", "description")
    search_help_text = "Name, SKU or description"
    date_hierarchy = "created"
    ordering = ("name",)
    list_per_page = 50
    fields = (
        "name",
        "description",
        "sku",
        "gtin",
        "price",
        "quantity_in_stock",
        "low_stock_at",
        "is_active",
        "categories",
        "created",
        "modified",
    )
    readonly_fields = ("created", "modified")
    permission_labels = {
        "view": "see them, retired ones too",
        "add": "add them",
        "change": "change and retire them, import a sheet",
        "delete": "delete those that were never ordered",
    }
    formfield_overrides = {models.IntegerField: {"form_class": WholeNumberField}}

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        kwargs |= {"form_class": CategoriesField, "queryset": Category.objects.in_tree_order()}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description="price", ordering="price")
    def shown_price(self, product):
        """The price with the places of the currency; the column has more."""
        return localize(product.price)

    @admin.display(ordering="quantity_in_stock")
    def stock(self, product):
        if product.quantity_in_stock:
            return product.quantity_in_stock
        return format_html('<strong class="sold-out">{}</strong>', "Sold out")

    def has_change_permission(self, request, obj=None):
        """Also for those who may only adjust the stock of `obj`: its fields are read-only then."""
        may_adjust = obj and request.user.has_perm("products.add_stockadjustment")
        if may_adjust and self.has_view_permission(request):
            return True
        return super().has_change_permission(request, obj)

    def get_fields(self, request, obj=None):
        if obj is None:
            return [field for field in self.fields if field not in self.readonly_fields]
        if self.has_change_permission(request):
            return self.fields
        return ["shown_price" if field == "price" else field for field in self.fields]

    def get_readonly_fields(self, request, obj=None):
        """The opening stock is entered once; afterwards orders and adjustments change it."""
        if obj and not self.has_change_permission(request):
            return self.get_fields(request, obj)
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else (*fields, "quantity_in_stock")

    def save_model(self, request, product, form, change):
        if not change:
            product.save(by=request.user)
        elif form.changed_data:
            product.update_fields(
                **{field: form.cleaned_data[field] for field in form.changed_data}
            )

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
        return [ImageInline, AdjustmentInline] if obj else []

    def save_formset(self, request, form, formset, change):
        if formset.model is ProductImage:
            save_images(formset)
            return
        for adjustment in formset.save(commit=False):
            booked = form.instance.adjust_stock(
                adjustment.delta,
                reason=adjustment.reason,
                note=adjustment.note,
                by=request.user,
                key=formset.forms[0].cleaned_data["key"] or None,
            )
            if booked.replayed:  # by a second click, or by going back to the form
                formset.new_objects.remove(adjustment)  # otherwise Django would log it
                message = f"This form was booked before ({booked}). Nothing was booked again."
                self.message_user(request, message, messages.WARNING)
