"""Writes the search texts anew in which `ø` was not yet `o`, and so on, while the shop goes on.

A thousand rows at a time; it may be run again.
"""

from django.db import migrations

from products.search import PLAIN_LETTERS, has_special_letters

BATCH_SIZE = 1_000


def write_plain_letters(apps, schema_editor):
    products = apps.get_model("products", "Product").objects.order_by("pk")
    outdated = products.filter(has_special_letters("search_text"))
    last = 0
    while pks := list(products.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH_SIZE]):
        batch = outdated.filter(pk__gt=last, pk__lte=pks[-1]).values_list("pk", "search_text")
        for pk, text in batch:
            # Not if somebody wrote another one meanwhile.
            same = products.filter(pk=pk, search_text=text)
            same.update(search_text=text.translate(PLAIN_LETTERS))
        last = pks[-1]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("products", "0010_price_of_three_places")]

    operations = [migrations.RunPython(write_plain_letters, migrations.RunPython.noop)]
