"""Words in the texts of products, found by an index of all their trigrams (`0004_census`)."""

from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

TRIGRAM = 3  # letters: what is shorter is in no index

# The expression that PostgreSQL's index is of. One for three columns: they are asked at once.
TEXTS = """upper("products_product"."name" || chr(10) || "products_product"."description"
    || chr(10) || "products_product"."sku")"""
SQLITE_INDEX = """"products_product"."id" IN (
    SELECT rowid FROM products_words WHERE products_words MATCH %s)"""


def contains(word):
    """Name, description or SKU have it, whatever its case; on SQLite, that of ASCII letters."""
    in_one = Q(name__icontains=word) | Q(description__icontains=word) | Q(sku__icontains=word)
    if connection.vendor == "sqlite":
        return in_one
    pattern = f"%{connection.ops.prep_for_like_query(word)}%"
    in_all = condition(f"{TEXTS} LIKE upper(%s)", pattern)
    return in_all & in_one if "\n" in word else in_all  # which may be where two texts meet


def indexed(words):
    """For SQLite, which asks such an index only by its name; None if it is of no help."""
    words = [word.replace('"', '""') for word in words if len(word) >= TRIGRAM]
    if connection.vendor != "sqlite" or not words:
        return None
    return condition(SQLITE_INDEX, " ".join(f'"{word}"' for word in words))


def condition(sql, param):
    return Q(RawSQL(sql, [param], output_field=BooleanField()))  # noqa: S611  no value is in it
