"""One row of an import: a product as the row has it, beside its `original`.

What the row books is in the attributes `delta`, `counted`, `reason` and `note` of the product; the
slugs of its categories are in `category_slugs`.
"""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.text import normalize_newlines

from products.categories import MAX_PER_PRODUCT
from products.import_widgets import REASONS
from products.models import MAX_STOCK, Product, Reason, StockAdjustment
from shopply.api.fields import validate_line
from shopply.api.money import format_money

MAX_DESCRIPTION_LENGTH = Product._meta.get_field("description").max_length
MAX_NOTE_LENGTH = StockAdjustment._meta.get_field("note").max_length
FIELDS = (
    *("sku", "gtin", "name", "description", "price", "is_active", "quantity_in_stock"),
    *("low_stock_at", "categories"),
)

ATTRIBUTES = {"categories": "category_slugs"}  # of the fields that are not attributes themselves


def get_fields(product):
    return {name: getattr(product, ATTRIBUTES.get(name, name)) for name in FIELDS}


def get_changes(instance):
    """Return `{field: value}` of what the row changes of its product, without adjustments."""
    before, after = get_fields(instance.original), get_fields(instance)
    before["description"] = normalize_newlines(before["description"])  # as sheets have it
    return {name: value for name, value in after.items() if value != before[name]}


def get_delta(instance):
    """Return how many pieces the row adds or takes."""
    counted = getattr(instance, "counted", None)
    if counted is not None:
        return counted - instance.quantity_in_stock
    return getattr(instance, "delta", 0)


def get_reason(instance):
    return getattr(instance, "reason", Reason.STOCKTAKE)


def get_version(instance):
    """Return what must still be the same when the row is written; sales matter to counts only."""
    is_counted = getattr(instance, "counted", None) is not None
    stock = instance.quantity_in_stock if is_counted else None
    return [instance.pk, instance.revision, stock]


def check_fields(instance, row):
    checked = get_changes(instance) if instance.pk else FIELDS
    exclude = {field.name for field in Product._meta.fields} - set(checked)
    try:
        instance.clean_fields(exclude=exclude)
    except ValidationError as exc:
        for column, texts in exc.message_dict.items():
            yield column, texts[0]
    for column in ("sku", "name"):
        if column in checked:
            yield from check_line(column, getattr(instance, column))
    if len(instance.description) > MAX_DESCRIPTION_LENGTH:
        yield "description", f"Must have up to {MAX_DESCRIPTION_LENGTH:,} characters."


def check_categories(instance, categories):
    """Check the slugs of the row, of which `categories` has those that exist."""
    unknown = [slug for slug in instance.category_slugs if slug not in categories]
    if unknown:
        yield "categories", f"There is no category with the slug {unknown[0]}."
    elif len(instance.category_slugs) > MAX_PER_PRODUCT:
        yield "categories", f"A product is in at most {MAX_PER_PRODUCT} categories."


def check_line(column, text):
    try:
        validate_line(text or "")
    except ValidationError as exc:
        yield column, exc.message


def check_adjustment(instance, row):
    stock, delta, note = instance.quantity_in_stock, get_delta(instance), row.get("note", "")
    column = "delta" if row.get("delta") else "counted"
    if column == "delta" and not row.get("reason"):
        yield "reason", f"Must be one of {', '.join(REASONS)}."
    if column == "delta" and delta == 0:
        yield column, "Must not be 0."
    if column == "counted" and get_reason(instance) != Reason.STOCKTAKE:
        yield "reason", "What is counted is a stocktake."
    if not 0 <= stock + delta <= MAX_STOCK:
        yield column, f"There are {stock:,} in stock."
    if len(note) > MAX_NOTE_LENGTH:
        yield "note", f"Must have up to {MAX_NOTE_LENGTH} characters."
    yield from check_line("note", note)


def describe(instance):
    """Return `(column, before, after)` of what the row changes; a new product was empty before."""
    changes = []
    before = get_fields(instance.original) if instance.pk else {}
    for name, value in get_changes(instance).items():
        changes.append((name, before.get(name, ""), value))
    stock, delta = instance.quantity_in_stock, get_delta(instance)
    if delta:
        changes.append(("stock", stock, f"{stock + delta} ({delta:+} {get_reason(instance)})"))
    return [tuple(map(to_text, change)) for change in changes]


def to_text(cell):
    match cell:
        case Decimal():
            return format_money(cell)
        case list():
            return " ".join(cell)
    return cell
