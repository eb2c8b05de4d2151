"""What lists ask of the whole catalogue, kept by triggers whoever writes, and an index of its words.

`products_census` is one row: how many products are for sale and how many are retired, and an
`edition` that changes with whatever is not stock. It is no model: to flush or load the tables of
models fires the triggers, and would undo their work if it wrote this one too.

A later migration that alters products takes all this back before and does it again after: SQLite makes
the table anew and forgets the triggers, PostgreSQL refuses to alter columns that they name.
"""

from django.db import migrations

# What sales write is missing here, so they neither wait for the row nor write to it.
EDITED = "id, name, description, sku, price, is_active, created"

POSTGRESQL = (
    "SET LOCAL statement_timeout = 0",
    # Random, so that none comes again after a rollback or in a restored copy.
    """
    CREATE FUNCTION products_edition() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN ('x' || substr(md5(gen_random_uuid()::text), 1, 15))::bit(60)::bigint
    """,
    """
    CREATE TABLE products_census (
        edition bigint NOT NULL, for_sale bigint NOT NULL, retired bigint NOT NULL,
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1))
    """,
    """
    INSERT INTO products_census (edition, for_sale, retired) SELECT products_edition(),
        count(*) FILTER (WHERE is_active), count(*) FILTER (WHERE NOT is_active)
        FROM products_product
    """,
    """
    CREATE FUNCTION products_came() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
        UPDATE products_census SET edition = products_edition(),
            for_sale = for_sale + (SELECT count(*) FROM came WHERE is_active),
            retired = retired + (SELECT count(*) FROM came WHERE NOT is_active);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION products_went() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
        UPDATE products_census SET edition = products_edition(),
            for_sale = for_sale - (SELECT count(*) FROM went WHERE is_active),
            retired = retired - (SELECT count(*) FROM went WHERE NOT is_active);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION products_emptied() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
        UPDATE products_census SET edition = products_edition(), for_sale = 0, retired = 0;
        RETURN NULL;
    END $$
    """,
    # A statement's rows add up here first: to write the one row for each of them would take a
    # time that is the square of their number.
    """
    CREATE FUNCTION products_switched() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
        PERFORM set_config('shopply.switched', (
            coalesce(nullif(current_setting('shopply.switched', true), ''), '0')::bigint
            + CASE WHEN NEW.is_active THEN 1 ELSE -1 END)::text, true);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION products_edited() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        switched bigint := coalesce(nullif(current_setting('shopply.switched', true), ''), '0');
    BEGIN
        PERFORM set_config('shopply.switched', '0', true);
        UPDATE products_census SET edition = products_edition(),
            for_sale = for_sale + switched, retired = retired - switched;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER products_came AFTER INSERT ON products_product
        REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION products_came()
    """,
    """
    CREATE TRIGGER products_went AFTER DELETE ON products_product
        REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION products_went()
    """,
    """
    CREATE TRIGGER products_emptied AFTER TRUNCATE ON products_product
        FOR EACH STATEMENT EXECUTE FUNCTION products_emptied()
    """,
    """
    CREATE TRIGGER products_switched AFTER UPDATE OF is_active ON products_product
        FOR EACH ROW WHEN (OLD.is_active <> NEW.is_active) EXECUTE FUNCTION products_switched()
    """,
    f"""
    CREATE TRIGGER products_edited AFTER UPDATE OF {EDITED} ON products_product
        FOR EACH STATEMENT EXECUTE FUNCTION products_edited()
    """,
    # Without the right to the extension there is no index, and searches read every product.
    """
    DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RAISE WARNING 'pg_trgm cannot be had: searches will read every product.';
    END $$
    """,
    """
    DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
            CREATE INDEX products_words ON products_product USING gin (
                upper(name || chr(10) || description || chr(10) || sku) gin_trgm_ops);
        END IF;
    END $$
    """,
)
POSTGRESQL_BACK = (
    # The extension stays: others may use it by now.
    "DROP INDEX IF EXISTS products_words",
    *(
        f"DROP TRIGGER products_{name} ON products_product"
        for name in ("came", "went", "emptied", "switched", "edited")
    ),
    *(
        f"DROP FUNCTION products_{name}()"
        for name in ("came", "went", "emptied", "switched", "edited", "edition")
    ),
    "DROP TABLE products_census",
)

INTO_WORDS = "INSERT INTO products_words (rowid, name, description, sku) VALUES"
OUT_OF_WORDS = "INSERT INTO products_words (products_words, rowid, name, description, sku) VALUES"
NEW, OLD = (f"({row}.id, {row}.name, {row}.description, {row}.sku)" for row in ("NEW", "OLD"))
SQLITE = (
    """
    CREATE TABLE products_census (
        edition integer NOT NULL, for_sale integer NOT NULL, retired integer NOT NULL,
        id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1))
    """,
    """
    INSERT INTO products_census (edition, for_sale, retired)
        SELECT random(), coalesce(sum(is_active), 0), coalesce(sum(NOT is_active), 0)
        FROM products_product
    """,
    """
    CREATE VIRTUAL TABLE products_words USING fts5 (
        name, description, sku, content='products_product', content_rowid='id', tokenize='trigram')
    """,
    "INSERT INTO products_words (products_words) VALUES ('rebuild')",
    f"""
    CREATE TRIGGER products_came AFTER INSERT ON products_product BEGIN
        UPDATE products_census SET edition = random(),
            for_sale = for_sale + NEW.is_active, retired = retired + NOT NEW.is_active;
        {INTO_WORDS} {NEW};
    END
    """,
    f"""
    CREATE TRIGGER products_went AFTER DELETE ON products_product BEGIN
        UPDATE products_census SET edition = random(),
            for_sale = for_sale - OLD.is_active, retired = retired - NOT OLD.is_active;
        {OUT_OF_WORDS} ('delete', {OLD[1:]};
    END
    """,
    f"""
    CREATE TRIGGER products_edited AFTER UPDATE OF {EDITED} ON products_product BEGIN
        UPDATE products_census SET edition = random(),
            for_sale = for_sale + NEW.is_active - OLD.is_active,
            retired = retired - NEW.is_active + OLD.is_active;
    END
    """,
    f"""
    CREATE TRIGGER products_reworded AFTER UPDATE OF id, name, description, sku ON products_product
    BEGIN
        {OUT_OF_WORDS} ('delete', {OLD[1:]};
        {INTO_WORDS} {NEW};
    END
    """,
)
SQLITE_BACK = (
    *(f"DROP TRIGGER products_{name}" for name in ("came", "went", "edited", "reworded")),
    "DROP TABLE products_words",
    "DROP TABLE products_census",
)


def run(statements):
    def execute(apps, schema_editor):
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return execute


class Migration(migrations.Migration):
    dependencies = [("products", "0003_order_and_stock_indexes")]

    operations = [
        migrations.RunPython(
            run({"postgresql": POSTGRESQL, "sqlite": SQLITE}),
            run({"postgresql": POSTGRESQL_BACK, "sqlite": SQLITE_BACK}),
        )
    ]
