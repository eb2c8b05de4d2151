"""The address that an order goes to."""

PARTS = (
    *("name", "contact_number", "street_1", "street_2"),
    *("city", "state", "postal_code", "country"),
)
REQUIRED_PARTS = ("street_1", "city", "country")


class IncompleteAddress(Exception):
    """The address lacks the required parts `fields`, or the shop requires one and there is none."""

    def __init__(self, fields):
        super().__init__(f"The address lacks {', '.join(fields)}.")
        self.fields = fields


def missing_parts(address):
    return [part for part in REQUIRED_PARTS if not address.get(part)]


def in_postal_order(address):
    """Return the address in the order of a postal label, which PostgreSQL does not keep."""
    return address and {part: address[part] for part in PARTS}


def is_erased(address):
    """Return whether `OrderQuerySet.anonymize` left nothing of the address but the country."""
    return bool(address) and bool(missing_parts(address))


def label_lines(address):
    """Return the lines of a label, and then the contact number; none without an address.

    `22763 Hamburg`, as most countries write it, or `Portland, OR 97201`, as those with states do.
    """
    if not address:
        return []
    city, state, code = (address[part] for part in ("city", "state", "postal_code"))
    place = f"{city}, {state} {code}" if state else f"{code} {city}"
    phone = address["contact_number"]
    lines = (
        *(address["name"], address["street_1"], address["street_2"], place.strip()),
        *(address["country"], phone and f"Phone {phone}"),
    )
    return [line for line in lines if line]
