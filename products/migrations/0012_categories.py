"""The tree of categories, with the triggers that keep it a tree."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

# A circle goes up without end, so it has four categories above one, too.
CONDITIONS = {
    "category_tree": """
        EXISTS (
            SELECT 1 FROM products_category AS a
            JOIN products_category AS b ON b.id = a.parent_id
            JOIN products_category AS c ON c.id = b.parent_id
            JOIN products_category AS d ON d.id = c.parent_id
            WHERE d.parent_id IS NOT NULL)""",
    "category_limit": "(SELECT count(*) FROM products_category) > 1000",
}
# One change of the tree at a time: a statement after the lock sees what was committed before it.
POSTGRESQL = (
    f"""
    CREATE FUNCTION products_check_categories() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock('products_category'::regclass::oid::bigint);
        IF {CONDITIONS["category_tree"]} THEN
            RAISE EXCEPTION 'category_tree'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'category_tree';
        ELSIF {CONDITIONS["category_limit"]} THEN
            RAISE EXCEPTION 'category_limit'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'category_limit';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER products_category_tree AFTER INSERT OR UPDATE OF parent_id ON products_category
    FOR EACH STATEMENT EXECUTE FUNCTION products_check_categories()
    """,
)
# SQLite has one writer at a time. A migration that makes the table anew has to create them again.
SQLITE = tuple(
    f"""
    CREATE TRIGGER products_category_{operation.split()[0].lower()}
    AFTER {operation} ON products_category BEGIN
        SELECT RAISE(ABORT, 'category_tree') WHERE {CONDITIONS["category_tree"]};
        SELECT RAISE(ABORT, 'category_limit') WHERE {CONDITIONS["category_limit"]};
    END
    """
    for operation in ("INSERT", "UPDATE OF parent_id")
)
STATEMENTS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}


def create_triggers(apps, schema_editor):
    for statement in STATEMENTS[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_function(apps, schema_editor):
    """The triggers go with the table."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION products_check_categories() CASCADE")


class Migration(migrations.Migration):
    dependencies = [("products", "0011_plain_letters")]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "slug",
                    models.CharField(
                        help_text="Its name in addresses: small letters, digits and dashes. It "
                        "never changes.",
                        max_length=60,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*\\Z",
                                "Must be small letters and digits, with dashes between them.",
                            )
                        ],
                    ),
                ),
                (
                    "position",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Categories with the same one above them are in this order, then "
                        "by name.",
                        validators=[django.core.validators.MaxValueValidator(1_000_000)],
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="If not, only staff see it and what is below it.",
                        verbose_name="active",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        help_text="The category above it; without one, it is at the top.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="products.category",
                    ),
                ),
                ("revision", models.IntegerField(db_default=1, default=1, editable=False)),
            ],
            options={"verbose_name_plural": "categories"},
        ),
        migrations.AddField(
            model_name="product",
            name="categories",
            field=models.ManyToManyField(
                blank=True, related_name="products", to="products.category"
            ),
        ),
        migrations.RunPython(create_triggers, drop_function),
    ]
