"""What staff find orders by: `SearchEntry` keeps the words of each order.

A word is a run of letters and digits, normalized by `products.search`. Three kinds begin with a
sign, so that none is mistaken for another: `#814` is the order's number, `@17` its customer, and
`~94705` a phone number from its end, since its beginning is written in many ways.
"""

import re
from collections import defaultdict
from functools import lru_cache

from django.db import models, transaction
from django.db.models.functions import Cast

from products.search import has_special_letters, normalize

FIELD_END = "\n"  # a word of its own between two fields, so that no phrase spans them
MAX_WORD = 64  # letters; PostgreSQL's have at most 2 kB
WORD = re.compile(rf"[^\W_]{{1,{MAX_WORD}}}|\n")
NAMES = ("name", "street_1", "street_2", "city", "state", "country")  # of an address
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


def text_words(text):
    """Return the words of a text of any number of lines, of which O'Brien is OBrien as well."""
    text = normalize(text)
    words = WORD.findall(text)
    if "'" in text:
        words += [join_words(name.split("'")) for name in CONTRACTION.findall(text)]
    return words


def code_words(text):
    """Return a code as one word; and its parts, if there are blanks between them."""
    words = split_words(text)
    return [*words, FIELD_END, join_words(words)] if " " in text else [join_words(words)]


@lru_cache(1_000)  # each order that is placed waits for its words, and most of them are of items
def item_words(name, sku):
    return FIELD_END, *text_words(name), FIELD_END, *(code_words(sku) if sku else ())


def order_words(order, items):
    """Return the words of an order; without that of its number, if it is not saved yet."""
    address = order.shipping_address or {}
    words = text_words(FIELD_END.join([address.get(part, "") for part in NAMES]))
    for item in items:
        words += item_words(item.name, item.sku)
    for code in (address.get("postal_code"), order.reference, order.tracking_number):
        if code:
            words += FIELD_END, *code_words(code)
    words += f"@{order.customer_id}", f"~{phone_digits(address.get('contact_number', ''))}"
    if order.pk:
        words.append(f"#{order.pk}")
    return words


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


def batches(orders):
    """Yield the ids of the orders, in lists of BATCH_SIZE."""
    pks, last = orders.order_by("pk").values_list("pk", flat=True), 0
    while batch := list(pks.filter(pk__gt=last)[:BATCH_SIZE]):
        yield batch
        last = batch[-1]


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
        count = 0
        for pks in batches(orders):
            known = self.filter(pk__gte=pks[0], pk__lte=pks[-1])
            missing = set(pks).difference(known.values_list("pk", flat=True))
            # Those that are written meanwhile are newer.
            entries = self._build(orders.filter(pk__in=missing))
            self.bulk_create(entries, ignore_conflicts=True)
            count += len(entries)
        return count

    def write_outdated(self, orders):
        """Write those words anew that an earlier release wrote, with letters that are plain by now.

        Returns how many. In batches, as `write_missing`.
        """
        count, entries = 0, self.alias(text=Cast("words", models.TextField()))
        outdated = entries.filter(has_special_letters("text"))
        for pks in batches(orders):
            ids = outdated.filter(pk__gte=pks[0], pk__lte=pks[-1]).values_list("pk", flat=True)
            with transaction.atomic():
                self.write(orders.filter(pk__in=list(ids)).select_for_update(no_key=True))
            count += len(ids)
        return count

    def _build(self, orders):
        columns = ("pk", "customer_id", "shipping_address", "reference", "tracking_number")
        orders, item_model = orders.values_list(*columns, named=True), orders.model.items.rel
        items = defaultdict(list)
        of_orders = item_model.related_model.objects.filter(order__in=[row.pk for row in orders])
        for item in of_orders.order_by("pk").values_list("order_id", "name", "sku", named=True):
            items[item.order_id].append(item)
        return [self.model(pk=row.pk, words=order_words(row, items[row.pk])) for row in orders]


class SearchEntry(models.Model):
    """The words of an order. In a table of their own, since most changes of an order touch none."""

    # Without a constraint, which placing an order would wait for: a stray entry shows nowhere.
    order = models.OneToOneField(
        "Order", models.CASCADE, primary_key=True, related_name="search_entry", db_constraint=False
    )
    words = WordsField()

    objects = SearchEntryManager()

    class Meta:
        default_permissions = ()

    def __str__(self):
        return f"Words of order {self.order_id}"
