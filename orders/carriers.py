"""Where a parcel is: the carriers' pages, by the setting CARRIERS."""

from urllib.parse import quote

from django.conf import settings


def tracking_url(carrier, number):
    """Return the page that follows this parcel; "" without a number, or of an unknown carrier."""
    if not number:
        return ""
    templates = {name.strip().casefold(): url for name, url in settings.CARRIERS.items()}
    return templates.get(carrier.casefold(), "").replace("{number}", quote(number, safe=""))
