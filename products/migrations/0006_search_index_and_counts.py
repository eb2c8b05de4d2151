"""Fills the search text and indexes it; counts the products, which triggers do from then on."""

from django.db import migrations, models, transaction
from django.db.models.functions import Upper

BATCH_SIZE = 1_000

COUNTS = (
    """
    CREATE TABLE products_counts (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        for_sale bigint NOT NULL, retired bigint NOT NULL)
    """,
    # Sales change neither number, so they neither write the row nor wait for it.
    """
    CREATE FUNCTION products_count() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        more_for_sale bigint := 0;
        more_retired bigint := 0;
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            SELECT count(*) FILTER (WHERE is_active), count(*) FILTER (WHERE NOT is_active)
            INTO more_for_sale, more_retired FROM new_rows;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            SELECT more_for_sale - count(*) FILTER (WHERE is_active),
                more_retired - count(*) FILTER (WHERE NOT is_active)
            INTO more_for_sale, more_retired FROM old_rows;
        END IF;
        IF more_for_sale <> 0 OR more_retired <> 0 THEN
            UPDATE products_counts
            SET for_sale = for_sale + more_for_sale, retired = retired + more_retired;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION products_count_none() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        UPDATE products_counts SET for_sale = 0, retired = 0;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER products_inserted AFTER INSERT ON products_product
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION products_count()
    """,
    """
    CREATE TRIGGER products_updated AFTER UPDATE ON products_product
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION products_count()
    """,
    """
    CREATE TRIGGER products_deleted AFTER DELETE ON products_product
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION products_count()
    """,
    """
    CREATE TRIGGER products_truncated AFTER TRUNCATE ON products_product
    FOR EACH STATEMENT EXECUTE FUNCTION products_count_none()
    """,
    # The triggers of inserts, updates and deletes wait for this transaction.
    """
    INSERT INTO products_counts (for_sale, retired)
    SELECT count(*) FILTER (WHERE is_active), count(*) FILTER (WHERE NOT is_active)
    FROM products_product
    """,
)
NO_COUNTS = (
    *(
        f"DROP TRIGGER products_{name} ON products_product"
        for name in ("inserted", "updated", "deleted", "truncated")
    ),
    "DROP FUNCTION products_count()",
    "DROP FUNCTION products_count_none()",
    "DROP TABLE products_counts",
)


def fill_search_text(apps, schema_editor):
    """A thousand rows at a time; it may be run again."""
    model = apps.get_model("products", "Product")
    field = model._meta.get_field("search_text")
    last = 0
    while batch := model.objects.filter(pk__gt=last).order_by("pk")[:BATCH_SIZE]:
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE products_product SET search_text = %s WHERE id = %s",
                [(field.get_text(product), product.pk) for product in batch],
            )
        last = [*batch][-1].pk


def index_search_text(apps, schema_editor):
    """On PostgreSQL, with pg_trgm; without it, searches read every product."""
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("""
        DO $$ BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RAISE WARNING 'pg_trgm cannot be had: searches will read every product.';
        END $$
    """)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        has_trigrams = cursor.fetchone()
    if has_trigrams:
        schema_editor.execute(
            "CREATE INDEX CONCURRENTLY product_search ON products_product"
            " USING gin (search_text gin_trgm_ops)"
        )


def drop_search_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS product_search")


def on_postgresql(statements):
    def execute(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            with transaction.atomic():
                for statement in statements:
                    schema_editor.execute(statement)

    return execute


class AddUniqueIndex(migrations.AddConstraint):
    """On PostgreSQL while others write."""

    def database_forwards(self, app_label, schema_editor, *states):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        schema_editor.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {self.constraint.name}"
            " ON products_product (upper(sku))"
        )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("products", "0005_search_text")]

    operations = [
        migrations.RunPython(fill_search_text, migrations.RunPython.noop),
        migrations.RunPython(index_search_text, drop_search_index),
        AddUniqueIndex(
            model_name="product",
            constraint=models.UniqueConstraint(
                Upper("sku"),
                name="product_sku_any_case",
                violation_error_message="Another product has this SKU.",
            ),
        ),
        migrations.RunPython(on_postgresql(COUNTS), on_postgresql(NO_COUNTS)),
    ]
