"""Pages of lists of products, at a cost that hardly grows with the catalogue."""

from array import array
from functools import lru_cache
from typing import NamedTuple

from django.db import connection, models
from django.db.models import Q

FEW = 1_000  # that an index finds, and that are sorted, in no time
MOST = 10_000  # that are counted of a list that is not the whole one
SHALLOW = 100  # rows are skipped as fast as their ids

# What orders write. A change of any other column makes another edition of the catalogue.
STOCK = ("quantity_in_stock", "sold_out", "modified")


class Census(NamedTuple):
    """What triggers keep, in the transaction that writes (migration `0004_census`)."""

    edition: int  # never the same for two catalogues that differ in more than their stock
    for_sale: int
    retired: int

    @classmethod
    def now(cls):
        with connection.cursor() as cursor:
            cursor.execute("SELECT edition, for_sale, retired FROM products_census")
            return cls(*cursor.fetchone())

    @staticmethod
    def is_kept():
        """Whether it tells what there is, and all the triggers are there that keep it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT for_sale = (SELECT count(*) FROM products_product WHERE is_active)"  # noqa: S608
                " AND retired = (SELECT count(*) FROM products_product WHERE NOT is_active)"
                f" AND ({TRIGGERS[connection.vendor]}) FROM products_census"
            )
            row = cursor.fetchone()
        return bool(row and row[0])


TRIGGERS = {
    "postgresql": "SELECT count(*) = 5 FROM pg_trigger WHERE NOT tgisinternal"
    " AND tgenabled <> 'D' AND tgrelid = 'products_product'::regclass",
    "sqlite": "SELECT count(*) = 4 FROM sqlite_master"
    " WHERE type = 'trigger' AND tbl_name = 'products_product'",
}


class Page(NamedTuple):
    """`count` is that of all pages: MOST says so many or more, if the list is not the whole one."""

    rows: list
    count: int
    more: bool


class PagedQuerySet(models.QuerySet):
    # `{name: condition}` that all rows meet anyhow, told in words that an index understands.
    clues = {}

    def page(self, number, size):
        """The Page with this number, counted from 1; beyond the last it has no rows."""
        census = Census.now()
        start, stop = (number - 1) * size, number * size
        whole = self._counted_in(census)
        if whole is not None:
            rows = self._of_the_whole(census, whole, start, min(stop, whole))
            return Page(rows, whole, stop < whole)
        indexed = self._by(*self.clues)
        found = few(census, indexed)
        if len(found) <= FEW:
            return Page(self._with(found[start:stop]), len(found), stop < len(found))
        # Rows are many: walking along the order meets a page of them sooner than sorting them all.
        if start >= census.for_sale + census.retired:
            return Page([], MOST, False)
        by_price = self.query.order_by[:1] in (("price",), ("-price",))
        walked = self._by("price") if by_price else self
        found = ids(census, walked[start : stop + 1])
        return Page(self._with(found[:size]), count(census, indexed), len(found) > size)

    def clued(self, name, condition):
        products = self._chain()
        products.clues = self.clues | {name: self.clues.get(name, Q()) & Q(condition)}
        return products

    def _clone(self):
        products = super()._clone()
        products.clues = self.clues
        return products

    def _by(self, *names):
        return self.filter(*(self.clues[name] for name in names if name in self.clues))

    def _counted_in(self, census):
        """How many there are, if these are all products or all that are for sale; else None."""
        if not self.query.where:
            return census.for_sale + census.retired
        for_sale = self.model.objects.for_sale().query.where
        return census.for_sale if self.query.where == for_sale else None

    def _of_the_whole(self, census, whole, start, stop):
        if start >= whole:
            return []
        if whole - stop < start:
            rows = self.reverse()._cut(census, whole - stop, whole - start)
            # Counted from the end they are the same rows only if none came or went meanwhile.
            if Census.now() == census:
                return rows[::-1]
        return self._cut(census, start, stop)

    def _cut(self, census, start, stop):
        if start <= SHALLOW:
            return list(self[start:stop])
        return self._with(ids(census, self[start:stop]))

    def _with(self, pks):
        """Those of the products with these ids that are still in the list, in their order."""
        products = self.order_by().in_bulk(pks)
        return [products[pk] for pk in pks if pk in products]


def ids(census, products):
    return answer(census, *products.values("id").query.sql_with_params())


def few(census, products):
    """Their ids in their order, or any of them if they are more than FEW."""
    order = [name.replace("pk", "id") for name in products.query.order_by]
    columns = dict.fromkeys(["id", *(name.strip("-") for name in order)])
    sql, params = products.order_by().values(*columns).query.sql_with_params()
    # To be planned as if all were wanted: in the hope to meet FEW soon, it would read all rows.
    kind = "AS MATERIALIZED" if connection.vendor == "postgresql" else "AS"
    order = ", ".join(f"{name[1:]} DESC" if name[0] == "-" else name for name in order) or "id"
    sql = (
        f"WITH met {kind} ({sql}), few AS (SELECT * FROM met LIMIT {FEW + 1})"  # noqa: S608
        f" SELECT id FROM few ORDER BY {order}"
    )
    return answer(census, sql, params)


def count(census, products):
    sql, params = products.order_by()[:MOST].values("id").query.sql_with_params()
    return answer(census, f"SELECT count(*) FROM ({sql}) AS met", params)[0]  # noqa: S608


def answer(census, sql, params):
    """The numbers that the query finds; from memory, unless it is of the stock."""
    look_up = found.__wrapped__ if any(column in sql for column in STOCK) else found
    return look_up(census.edition, sql, params)


@lru_cache(maxsize=500)  # of up to 8 kB each
def found(edition, sql, params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return array("q", [number for (number,) in cursor])
