from django.contrib.admin import apps


class Admin(apps.AdminConfig):
    """Django's admin, with a site of our own."""

    default = False  # else `shopply` itself would be taken for it
    default_site = "shopply.admin.Site"
