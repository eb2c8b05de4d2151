"""Indexes what a search of customers compares. Until it has run, searches read every customer."""

from django.db import migrations

FIELDS = ("username", "first_name", "last_name", "email")


def index_search(apps, schema_editor):
    """On PostgreSQL, with pg_trgm; without it, searches read every customer."""
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("""
        DO $$ BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RAISE WARNING 'pg_trgm cannot be had: searches will read every customer.';
        END $$
    """)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        has_trigrams = cursor.fetchone()
    if has_trigrams:
        # As `icontains` compares, in one index: an OR of several would read each of them.
        columns = ", ".join(f"upper({field}::text) gin_trgm_ops" for field in FIELDS)
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY customer_search ON customers_customer USING gin ({columns})"
        )


def drop_search_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS customer_search")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("customers", "0002_tokens_limits_and_closing")]

    operations = [migrations.RunPython(index_search, drop_search_index)]
