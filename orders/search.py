"""What staff find orders by: `SearchEntry` keeps the words of each order.

A word is a run of letters and digits, normalized by `products.search`. Three kinds begin with a
sign, so that none is mistaken for another: `#814` is the order's number, `@17` its customer, and
`~94705` a phone number from its end, since its beginning is written in many ways.
"""

import re
from functools import lru_cache

from django.db import models

from products.search import normalize

FIELD_END = "\n"  # a word of its own between two fields, so that no phrase spans them
MAX_WORD = 64  # letters; PostgreSQL's have at most 2 kB
WORD = re.compile(rf"[^\W_]{{1,{MAX_WORD}}}|\n")
NAMES = ("name", "street_1", "street_2", "city", "state", "country")  # of an address
NOT_CODE = re.compile(r"[^\w\n]|_")
CONTRACTION = re.compile(r"[^\W_]+(?:'[^\W_]+)+")
NOT_DIGIT = re.compile("[^0-9]")
BATCH_SIZE = 1_000


def split_words(text):
    return WORD.findall(normalize(text))


def join_words(words):
    """Return the words of a code as one, since nobody remembers what stands between them."""
    return "".join(words)[:MAX_WORD]


def phone_digits(text):
    """Return the digits of a phone number from its end, without the zeros it may begin with."""
    return NOT_DIGIT.sub("", text.replace("(0)", "")).lstrip("0")[::-1]


def order_words(order, items):
    """Return the words of an order; without that of its number, if it is not saved yet.

    Each order that is placed waits for it: hence one pass over all of its texts.
    """
    address = order.shipping_address or {}
    texts = [address.get(part, "") for part in NAMES]
    codes = [address.get("postal_code", ""), order.reference, order.tracking_number]
    for item in items:
        texts.append(item.name)
        codes.append(item.sku or "")
    codes = FIELD_END.join(codes)
    if " " in codes:  # then the parts of a code are words as well
        texts.append(codes)
    text = normalize(FIELD_END.join(texts))
    words = WORD.findall(text)
    if "'" in text:  # O'Brien is found as OBrien, too
        words += [join_words(name.split("'")) for name in CONTRACTION.findall(text)]
    words += [
        code[:MAX_WORD] for code in NOT_CODE.sub("", normalize(codes)).split(FIELD_END) if code
    ]
    phone = phone_digits(address.get("contact_number", ""))
    words += [f"@{order.customer_id}", f"~{phone}"]
    return words if order.pk is None else [*words, f"#{order.pk}"]


@lru_cache(100)
def vector_template(length):
    """Return the text of a `tsvector` of so many words, to fill in."""
    return " ".join(f"'%s':{place}" for place in range(1, length + 1))


class WordsField(models.Field):
    """A list of words, written and never read: a `tsvector` on PostgreSQL, a text on SQLite."""

    def db_type(self, connection):
        return "tsvector" if connection.vendor == "postgresql" else "text"

    def get_db_prep_value(self, value, connection, prepared=False):
        if connection.vendor != "postgresql":
            return f" {' '.join(value)} "
        return vector_template(len(value)) % tuple(value)


@WordsField.register_lookup
class Matches(models.Lookup):
    """Whether a `tsvector` matches a `tsquery`, given as text."""

    lookup_name = "matches"
    prepare_rhs = False

    def as_sql(self, compiler, connection):
        words, params = self.process_lhs(compiler, connection)
        return f"{words} @@ %s::tsquery", [*params, self.rhs]


class SearchEntryManager(models.Manager):
    use_in_migrations = True

    def write(self, orders):
        """Write the words of these orders. Call it in the transaction that changes them."""
        conflict = {"unique_fields": ["order"], "update_fields": ["words"]}
        self.bulk_create(self._build(orders), BATCH_SIZE, update_conflicts=True, **conflict)

    def write_missing(self, orders):
        """Write the words of those of the orders that have none yet; return how many.

        In batches, of which each is committed: it can be stopped and run again.
        """
        missing, count, last = orders.filter(search_entry=None).order_by("pk"), 0, 0
        while entries := self._build(missing.filter(pk__gt=last)[:BATCH_SIZE]):
            # Those that were written meanwhile are newer.
            self.bulk_create(entries, ignore_conflicts=True)
            count, last = count + len(entries), entries[-1].pk
        return count

    def _build(self, orders):
        orders = orders.prefetch_related("items")
        return [
            self.model(order_id=order.pk, words=order_words(order, order.items.all()))
            for order in orders
        ]


class SearchEntry(models.Model):
    """The words of an order. In a table of their own, since most changes of an order touch none."""

    order = models.OneToOneField(
        "Order", models.CASCADE, primary_key=True, related_name="search_entry"
    )
    words = WordsField()

    objects = SearchEntryManager()

    class Meta:
        default_permissions = ()

    def __str__(self):
        return f"Words of order {self.order_id}"
