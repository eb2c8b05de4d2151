"""The triggers that write changes on SQLite.

A migration that makes a table anew drops its triggers, and one that drops a column fails on those
that name it. So `migrate` begins by dropping them and ends by making them again, by the columns
that the models then have.
"""

from django.contrib.auth import get_user_model
from django.db import connections

from changes.models import Change, Feed
from orders.models import Order
from products.models import Product

TRIGGER = """\
CREATE TRIGGER {name} AFTER {operation} ON {table} WHEN {condition} BEGIN
    INSERT INTO changes_change (transaction_id, type, object_id, event, at)
    VALUES (0, '{type}', {object_id}, {event}, strftime('%Y-%m-%d %H:%M:%f', 'now'));
END"""


def list_triggers():
    """Return the SQL of each trigger by its name."""
    customer = get_user_model()
    is_closed = "OLD.closed IS NULL AND NEW.closed IS NOT NULL"
    is_back = "NEW.is_active AND NOT OLD.is_active"
    product_differs = differs(
        *(Product, "quantity_in_stock", "price", "is_active", "modified", "revision"),
        *("search_text", "sold_out", "stock_band"),
    )
    rules = [
        (Product, "product", "INSERT", "created", "true"),
        (Product, "product", "UPDATE", "stock", "OLD.quantity_in_stock <> NEW.quantity_in_stock"),
        (
            *(Product, "product", "UPDATE", "sold_out"),
            "OLD.quantity_in_stock > 0 AND NEW.quantity_in_stock = 0",
        ),
        (Product, "product", "UPDATE", "price", "OLD.price <> NEW.price"),
        (Product, "product", "UPDATE", "retired", "OLD.is_active AND NOT NEW.is_active"),
        (Product, "product", "UPDATE", "changed", f"{is_back} OR {product_differs}"),
        (Product, "product", "DELETE", "deleted", "true"),
        (Order, "order", "INSERT", "placed", "true"),
        (Order, "order", "UPDATE", "moved", "OLD.status <> NEW.status"),
        (Order, "order", "UPDATE", "changed", f"OLD.status = NEW.status AND {differs(Order)}"),
        (Order, "order", "DELETE", "deleted", "true"),
        (customer, "customer", "INSERT", "created", "true"),
        (customer, "customer", "UPDATE", "closed", is_closed),
        (
            *(customer, "customer", "UPDATE", "changed"),
            f"NOT ({is_closed}) AND {differs(customer, 'password', 'last_login')}",
        ),
        (customer, "customer", "DELETE", "deleted", "true"),
    ]
    triggers = {}
    for model, object_type, operation, event, condition in rules:
        name = f"changes_{object_type}_{event}"
        triggers[name] = TRIGGER.format(
            name=name,
            operation=operation,
            table=model._meta.db_table,
            condition=condition,
            type=object_type,
            object_id="OLD.id" if operation == "DELETE" else "NEW.id",
            event="NEW.status" if event == "moved" else f"'{event}'",
        )
    return triggers | list_category_triggers()


def list_category_triggers():
    """Return those of the table that puts products into categories, by their names."""
    return {
        name: TRIGGER.format(
            name=name,
            operation=operation,
            table=Product.categories.through._meta.db_table,
            condition="true",
            type="product",
            object_id=object_id,
            event="'changed'",
        )
        for name, operation, object_id in (
            ("changes_product_joined", "INSERT", "NEW.product_id"),
            ("changes_product_moved", "UPDATE", "NEW.product_id"),
            ("changes_product_replaced", "UPDATE", "OLD.product_id"),
            ("changes_product_left", "DELETE", "OLD.product_id"),
        )
    }


def differs(model, *excluded):
    """Return the SQL condition that any column changed but for the excluded."""
    names = [field.column for field in model._meta.concrete_fields if field.column not in excluded]
    old, new = (", ".join(f"{row}.{name}" for name in names) for row in ("OLD", "NEW"))
    return f"({old}) IS NOT ({new})"


def drop_triggers(sender, using, plan, **kwargs):
    """Receive `pre_migrate`."""
    if plan and connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            for name in list_triggers():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def start_feed(sender, using, **kwargs):
    """Receive `post_migrate`, which `flush` sends too."""
    database = connections[using]
    with database.cursor() as cursor:
        tables = {Change._meta.db_table, Product.categories.through._meta.db_table}
        if not tables.issubset(database.introspection.table_names(cursor)):
            return  # `migrate` went back
        if database.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            existing = dict(cursor.fetchall())
            for name, sql in list_triggers().items():
                if existing.get(name) != sql:
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                    cursor.execute(sql)
    Feed.objects.current()
    while Change.objects.remove_old():  # for shops where nobody reads the feed
        pass
