"""Lists narrowed by price, stock and words: the condition, and the clue for an index to find it."""

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Upper
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from products.pages import PagedQuerySet

TRIGRAM = 3  # letters: what is shorter is in no index

# The expression that PostgreSQL's index is of (`0004_census`): one, so that all are asked at once.
TEXTS = Func(
    *("name", "description", "sku"), template="upper(%(expressions)s)", arg_joiner=" || chr(10) || "
)
SQLITE_INDEX = """"products_product"."id" IN (
    SELECT rowid FROM products_words WHERE products_words MATCH %s)"""


class NarrowedQuerySet(PagedQuerySet):
    def at_least(self, price):
        return self._priced(GreaterThanOrEqual, price)

    def at_most(self, price):
        return self._priced(LessThanOrEqual, price)

    def _priced(self, compares, price):
        # SQLite would take the index of prices even to sort by name all that it finds there.
        unindexed = Cast("price", self.model._meta.get_field("price"))
        return self.filter(compares(unindexed, price)).clued("price", compares(F("price"), price))

    def stocked(self):
        return self.filter(sold_out=False).clued("stock", Q(sold_out__in=[False]))

    def sold_out(self):
        return self.filter(sold_out=True).clued("stock", Q(sold_out__in=[True]))

    def containing(self, words):
        """Those that have each of the words in their name, description or SKU, in any case.

        On SQLite, letters that are not ASCII must be in the case they are written in.
        """
        products = self.filter(*map(contains, words))
        long = [word for word in words if len(word) >= TRIGRAM]
        if connection.vendor != "sqlite" or not long:
            return products  # PostgreSQL looks for an index by itself
        phrases = ('"{}"'.format(word.replace('"', '""')) for word in long)
        index = RawSQL(SQLITE_INDEX, [" ".join(phrases)], output_field=BooleanField())  # noqa: S611  no value is in it
        return products.clued("words", Q(index))


def contains(word):
    in_one = Q(name__icontains=word) | Q(description__icontains=word) | Q(sku__icontains=word)
    if connection.vendor == "sqlite":
        return in_one
    pattern = Upper(Value(f"%{connection.ops.prep_for_like_query(word)}%"))
    like = {"template": "%(expressions)s", "arg_joiner": " LIKE ", "output_field": BooleanField()}
    in_all = Q(Func(TEXTS, pattern, **like))
    return in_all & in_one if "\n" in word else in_all  # which may be where two texts meet
