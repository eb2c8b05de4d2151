from django.conf import settings
from django.db import migrations

CLERKS = {
    "orders.order": ("view", "change"),
    "products.product": ("view",),
    "products.stockadjustment": ("view", "add"),
    "customers.customer": ("view",),
}
CATALOGUE = {
    "products.product": ("view", "add", "change", "delete"),
    "products.stockadjustment": ("view", "add"),
}
MANAGERS = {
    "orders.order": ("view", "add", "change"),
    **CATALOGUE,
    "customers.customer": ("view", "add", "change"),
    "customers.accesstoken": ("view", "delete"),
    "auth.group": ("view",),
}
GROUPS = {"Clerks": CLERKS, "Catalogue": CATALOGUE, "Managers": MANAGERS}


def create_groups(apps, schema_editor):
    """Create the groups that are not there; those of the shop stay as they are."""
    Group = apps.get_model("auth", "Group")
    for name, models in GROUPS.items():
        if not Group.objects.filter(name__iexact=name).exists():
            permissions = [
                get_permission(apps, model, action)
                for model, actions in models.items()
                for action in actions
            ]
            Group.objects.create(name=name).permissions.set(permissions)


def get_permission(apps, label, action):
    """Return the permission; in a new database, Django would create it after all migrations."""
    opts = apps.get_model(label)._meta
    content_type, _ = apps.get_model("contenttypes.ContentType").objects.get_or_create(
        app_label=opts.app_label, model=opts.model_name
    )
    permission, _ = apps.get_model("auth.Permission").objects.get_or_create(
        content_type=content_type,
        codename=f"{action}_{opts.model_name}",
        defaults={"name": f"Can {action} {opts.verbose_name}"},
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("customers", "0004_staff_note"),
        ("orders", "0009_staff_day_indexes"),
        ("products", "0010_price_of_three_places"),
    ]
    # Backwards nothing: the groups may have members, and permissions of the shop's own choice.
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop, elidable=False)]
