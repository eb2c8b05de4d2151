"""Products from a sheet: new ones, changes and stock adjustments, all or nothing."""

import copy
import re

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Q
from import_export.fields import Field
from import_export.resources import ModelResource

from products.categories import Category
from products.gtin import GTIN, normalize_gtin
from products.import_rows import (
    FIELDS,
    check_adjustment,
    check_categories,
    check_fields,
    describe,
    get_changes,
    get_delta,
    get_reason,
    get_version,
)
from products.import_widgets import (
    IntegerWidget,
    PriceWidget,
    ReasonWidget,
    SlugsWidget,
    TextWidget,
    YesNoWidget,
)
from products.models import Product, StockAdjustment
from products.resources import ProductResource
from shopply.api.spelling import describe_unknown_name

ID = re.compile("[0-9]{1,18}", re.ASCII)
BOOKING = ("delta", "counted", "reason", "note")
# Of an export: they may come back as they were.
READ_ONLY = tuple(name for name in ProductResource().get_export_headers() if name not in FIELDS)


def check_columns(headers):
    """Raise ValidationError if columns are missing, unknown, or there twice."""
    known = (*FIELDS, *BOOKING, *READ_ONLY)
    errors = [describe_unknown_name("column", name, known) for name in headers if name not in known]
    errors += [f"The column {name} is there twice." for name in known if headers.count(name) > 1]
    if "sku" not in headers:
        errors.append("The column sku is missing: it says which product a row is.")
    if errors:
        raise ValidationError(errors)


def normalize_sku(sku):
    return sku.upper()


class ProductImportResource(ModelResource):
    """Imports rows as a preview, or, `expecting` the versions that one found, writes them.

    A row is the product with its SKU; without one, that with its id. An empty cell leaves the value
    as it is. The column `row` is the number of the row in the sheet.

    When it writes, it evaluates all rows under the locks of their products, and writes nothing
    unless all are right. The `key` keeps it from booking them twice.

    Afterwards `changed` are the rows that change a product, `versions` is `{row: version}` of their
    products, and `overlooked` are `(row, product)` whose stock the sheet has otherwise.
    """

    sku = Field("sku", "sku", TextWidget())
    gtin = Field("gtin", "gtin", TextWidget())
    name = Field("name", "name", TextWidget())
    description = Field("description", "description", TextWidget())
    price = Field("price", "price", PriceWidget())
    is_active = Field("is_active", "is_active", YesNoWidget())
    quantity_in_stock = Field("quantity_in_stock", "quantity_in_stock", IntegerWidget())
    categories = Field("category_slugs", "categories", SlugsWidget())
    low_stock_at = Field("low_stock_at", "low_stock_at", IntegerWidget())
    delta = Field("delta", "delta", IntegerWidget())
    counted = Field("counted", "counted", IntegerWidget())
    reason = Field("reason", "reason", ReasonWidget())
    note = Field("note", "note", TextWidget())

    class Meta:
        model = Product
        fields = (*FIELDS, *BOOKING)
        import_id_fields = ()  # `get_instance` finds the products
        use_bulk = True  # otherwise each row has a savepoint
        skip_diff = True  # `after_import_row` makes one
        store_instance = True
        report_skipped = False

    def __init__(self, by, expecting=None, key=None):
        super().__init__()
        self.by, self.expecting, self.key = by, expecting, key
        self.changed, self.instances, self.versions, self.overlooked = [], [], {}, []

    def get_diff_headers(self):
        """The columns by which the library says which row is wrong."""
        return ["row", "sku"]

    def handle_import_error(self, result, error, raise_errors=False):
        """Raise errors that are not of a row: of the database, or ours."""
        raise error

    def before_import(self, dataset, **kwargs):
        """Find the products of all rows, and lock them if the rows are to be written."""
        self.rows = {}
        for number, sku in zip(dataset["row"], dataset["sku"], strict=True):
            self.rows.setdefault(normalize_sku(sku), []).append(number)
        skus = {sku for sku in dataset["sku"] if sku}
        ids = dataset["id"] if "id" in dataset.headers else []
        with_sku = Product.objects.with_skus(skus).values("pk")
        with_id = Q(pk__in={pk for pk in ids if ID.fullmatch(pk)}, sku=None)
        products = Product.objects.filter(Q(pk__in=with_sku) | with_id).order_by("pk")
        products = products.prefetch_related("categories")
        self.known_categories = {category.slug: category for category in Category.objects.all()}
        if self.expecting is not None:
            products = products.select_for_update(no_key=True)
        self.products = {
            normalize_sku(product.sku) if product.sku else product.pk: product
            for product in products
        }
        gtins = dataset["gtin"] if "gtin" in dataset.headers else []
        gtins = [gtin for gtin in gtins if re.fullmatch(GTIN, gtin)]
        owners = Product.objects.with_gtins(gtins).values_list("gtin", "pk")
        self.gtin_owners = {normalize_gtin(gtin): pk for gtin, pk in owners}

    # --- One row ----------------------------------------------------------------------------------

    def get_instance(self, instance_loader, row):
        """Return a copy of the row's product; `original` is what it is compared with."""
        sku, pk = row["sku"], row.get("id", "")
        key = normalize_sku(sku) if sku else int(pk) if ID.fullmatch(pk) else None
        product = self.products.get(key)
        if product is None:
            return None
        instance = copy.copy(product)
        instance.original = product
        return instance

    def init_instance(self, row=None):
        instance, instance.original = Product(), Product()
        instance.category_slugs = instance.original.category_slugs = []
        return instance

    def import_field(self, field, instance, row, is_m2m=False, **kwargs):
        # Of a product that is there, a sheet can neither change the SKU nor overwrite the stock.
        is_fixed = instance.pk and field.column_name in ("sku", "quantity_in_stock")
        if row.get(field.column_name) and not is_fixed:
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def import_instance(self, instance, row, **kwargs):
        """Raise ValidationError with what is wrong with the row: the first error of each column."""
        errors = {}
        try:
            super().import_instance(instance, row, **kwargs)
        except ValidationError as exc:
            errors = exc.update_error_dict(errors)
        for check in (
            self.check_product,
            check_fields,
            self.check_gtin,
            self.check_stock,
            self.check_version,
        ):
            for column, message in check(instance, row):
                errors.setdefault(column, [message])
        if row.get("categories"):
            for column, message in check_categories(instance, self.known_categories):
                errors.setdefault(column, [message])
        if errors:
            raise ValidationError(errors)
        stock = row.get("quantity_in_stock", "")
        if instance.pk and stock not in ("", str(instance.quantity_in_stock)):
            self.overlooked.append((row["row"], instance))

    def check_product(self, instance, row):
        sku, pk = row["sku"], row.get("id", "")
        numbers = self.rows[normalize_sku(sku)]
        if sku and len(numbers) > 1:
            yield "sku", f"Rows {', '.join(map(str, numbers))} have this SKU."
        if pk and pk != str(instance.pk):
            yield "sku", f"The product with the id {pk} has another SKU, or is gone."
        if not sku and not instance.pk:
            yield "sku", "A new product needs a SKU."
        if instance.pk:
            return
        if not self.by.has_perm("products.add_product"):
            yield "sku", "There is no such product, and you may not add one."
        for column in ("name", "price"):
            if not row.get(column):
                yield column, f"A new product needs a {column}."

    def check_gtin(self, instance, row):
        """Check that no other product has the GTIN, or an earlier row of another one."""
        gtin = row.get("gtin", "")
        if re.fullmatch(GTIN, gtin):
            owner = instance.pk or f"row {row['row']}"
            if self.gtin_owners.setdefault(normalize_gtin(gtin), owner) != owner:
                yield "gtin", "Another product has this GTIN."

    def check_stock(self, instance, row):
        filled = {column for column in BOOKING if row.get(column)}
        if not filled:
            return
        if not instance.pk:
            yield min(filled), "Enter the stock of a new product as quantity_in_stock."
        elif not self.by.has_perm("products.add_stockadjustment"):
            yield min(filled), "You may not adjust the stock."
        elif filled >= {"delta", "counted"}:
            yield "counted", "Enter delta or counted, not both."
        elif not filled & {"delta", "counted"}:
            yield "delta", "Enter how many pieces were added or taken."
        else:
            yield from check_adjustment(instance, row)

    def check_version(self, instance, row):
        """Check that the product is still what the sheet, or the preview, was made from."""
        version = get_version(instance)
        is_stale = row.get("revision", "") not in ("", str(instance.revision))
        if instance.pk and is_stale and get_changes(instance):
            yield "revision", "The product was changed since the sheet was exported."
        if self.expecting is not None and self.expecting[str(row["row"])] != version:
            yield NON_FIELD_ERRORS, "The product was changed since the preview."
        self.versions[str(row["row"])] = version

    def skip_row(self, instance, original, row, import_validation_errors=None):
        is_changed = get_changes(instance) or get_delta(instance)
        return not import_validation_errors and not is_changed

    def save_instance(self, instance, is_create, row, **kwargs):
        """Write nothing yet: a later row may be wrong."""
        self.changed.append(row)
        self.instances.append(instance)

    def after_import_row(self, row, row_result, **kwargs):
        row_result.number = row["row"]
        row_result.diff = describe(row_result.instance)

    # --- All rows ---------------------------------------------------------------------------------

    def after_import(self, dataset, result, **kwargs):
        if self.expecting is None or result.has_errors() or result.has_validation_errors():
            return
        new, changes, adjustments = [], {}, []
        for row, instance in zip(self.changed, self.instances, strict=True):
            if instance.pk:
                changes[instance.original] = values = get_changes(instance)
                if "categories" in values:
                    values["categories"] = self.get_categories(instance)
            else:
                new.append((instance, self.get_categories(instance)))
            if instance.pk and get_delta(instance):
                adjustments.append(
                    StockAdjustment(
                        product=instance.original,
                        delta=get_delta(instance),
                        reason=get_reason(instance),
                        note=getattr(instance, "note", ""),
                        idempotency_key=f"{self.key}:{row['row']}",
                    )
                )
        Product.objects.write_all(new, changes, adjustments, by=self.by)

    def get_categories(self, instance):
        return [self.known_categories[slug] for slug in instance.category_slugs]
