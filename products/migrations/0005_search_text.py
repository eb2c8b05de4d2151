"""The servers of the release before read the table that is dropped here: stop them first."""

from django.db import migrations, models

import products.search

TRIGGERS = {
    "postgresql": ("came", "went", "emptied", "switched", "edited"),
    "sqlite": ("came", "went", "edited", "reworded"),
}


def drop_census(apps, schema_editor):
    """What 0004 made, in shops that ran it."""
    vendor = schema_editor.connection.vendor
    on_table = " ON products_product" if vendor == "postgresql" else ""
    for name in TRIGGERS[vendor]:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS products_{name}{on_table}")
    schema_editor.execute("DROP TABLE IF EXISTS products_census")
    if vendor == "postgresql":
        for name in (*TRIGGERS[vendor], "edition"):
            schema_editor.execute(f"DROP FUNCTION IF EXISTS products_{name}()")
        schema_editor.execute("DROP INDEX IF EXISTS products_words")
    else:
        schema_editor.execute("DROP TABLE IF EXISTS products_words")


class Migration(migrations.Migration):
    dependencies = [("products", "0004_census")]

    operations = [
        migrations.RunPython(drop_census, migrations.RunPython.noop),
        migrations.AddField(
            model_name="product",
            name="search_text",
            field=products.search.SearchTextField(sources=("name", "sku", "description")),
        ),
        migrations.AlterField(
            model_name="product",
            name="sku",
            field=models.CharField(
                blank=True,
                help_text="Stock keeping unit: the shop's own code of the product.",
                max_length=40,
                null=True,
                verbose_name="SKU",
            ),
        ),
    ]
