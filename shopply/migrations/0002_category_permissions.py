"""The groups of staff that manage the catalogue manage its categories, too."""

from importlib import import_module

from django.db import migrations

ACTIONS = {
    "Catalogue": ("view", "add", "change", "delete"),
    "Managers": ("view", "add", "change", "delete"),
    "Clerks": ("view",),
}
get_permission = import_module("shopply.migrations.0001_staff_groups").get_permission


def add_permissions(apps, schema_editor):
    """To groups that may do the same with products: the shop may have changed what they may do."""
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ACTIONS):
        for action in ACTIONS[group.name]:
            may_do_it = group.permissions.filter(
                content_type__app_label="products", codename=f"{action}_product"
            )
            if may_do_it.exists():
                group.permissions.add(get_permission(apps, "products.category", action))


class Migration(migrations.Migration):
    dependencies = [("shopply", "0001_staff_groups"), ("products", "0012_categories")]
    # Backwards nothing: the permissions go with their model.
    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop, elidable=False)]
