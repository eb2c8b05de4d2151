"""Finding the orders that match the terms of a search, among millions.

Nobody knows beforehand how many match. To look at the newest orders one by one is quick if many do,
and to ask the index is quick if few do.
"""

import operator
from contextlib import contextmanager
from functools import reduce
from itertools import islice

from django.db import connection, transaction
from django.db.models import OuterRef, Q, Subquery

from orders.search import SearchEntry
from orders.search_terms import Phrase, open_ends
from products.managers import MAX_ID

SAMPLE_SIZE, SAMPLE_MATCHES = 1_000, 10  # many match if so many of the newest orders do
INDEX_LIMIT = 5_000  # entries that are read by the index
WALK_SIZE, PAGE_SIZE = 10_000, 50  # where more match, orders to look at; and results that suffice
CHUNK_SIZE = 1_000
RESULT_LIMIT = 1_000


@contextmanager
def plan_for_values():
    """Have PostgreSQL plan each statement for its values: a plan for all words fits none."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        yield


def find_newest(orders, terms, newest):
    """Return the ids of the newest of `orders` that match all `terms`, and whether these are all.

    If there are none, terms that no order at all matches are taken for beginnings of words.
    """
    if not terms:
        return [], True
    ids, is_all = find_matches(orders, ("&", terms), newest)
    if ids:
        return ids, is_all
    everything = orders.model.objects.all()
    opened = [term if is_known(everything, term) else open_ends(term) for term in terms]
    return find_matches(orders, ("&", opened), newest) if opened != terms else (ids, is_all)


def is_known(everything, term):
    condition = to_condition(term)
    return bool(walk(everything, condition, "-pk", SAMPLE_SIZE)[0] or read_index(condition))


def find_matches(orders, tree, newest):
    condition = to_condition(tree)
    ids, is_all = walk(orders, condition, newest, SAMPLE_SIZE)
    if is_all:
        return ids, is_all
    if len(ids) < SAMPLE_MATCHES:
        entries = read_index(condition)
        if len(entries) <= INDEX_LIMIT:
            return cut(among(orders, sorted(entries, reverse=True)))
    ids, is_all = walk(orders, condition, newest, WALK_SIZE)
    if is_all or len(ids) >= PAGE_SIZE:
        return ids, is_all
    # Many match, but hardly any of the newest do: they are in an old part of the shop's life.
    # The limit keeps PostgreSQL from walking through all orders instead.
    older = orders.filter(pk__in=list_entries(condition)[:MAX_ID]).order_by(newest)
    return cut(older.values_list("pk", flat=True)[: RESULT_LIMIT + 1])


def walk(orders, condition, newest, size):
    """Look at the newest orders, about as many as `size`; return as `find_newest` does."""
    orders, field = orders.order_by(newest), newest.removeprefix("-")
    last = list(orders.values_list(field, flat=True)[size : size + 1])
    if last:
        orders = orders.filter(**{f"{field}__gt": last[0]})
    entry = SearchEntry.objects.filter(pk=OuterRef("pk")).annotate(is_match=condition)
    # A subquery for a value, which PostgreSQL runs for each order: it cannot make a join of it.
    matches = orders.alias(is_match=Subquery(entry.values("is_match"))).filter(is_match=True)
    ids, is_all = cut(matches.values_list("pk", flat=True)[: RESULT_LIMIT + 1])
    return ids, is_all and not last


def among(orders, ids):
    """Yield those of the ids that are of these `orders`."""
    for start in range(0, len(ids), CHUNK_SIZE):
        chunk = orders.filter(pk__in=ids[start : start + CHUNK_SIZE]).order_by("-pk")
        yield from chunk.values_list("pk", flat=True)


def cut(ids):
    """Return at most RESULT_LIMIT of the ids, and whether these are all."""
    ids = list(islice(ids, RESULT_LIMIT + 1))
    return ids[:RESULT_LIMIT], len(ids) <= RESULT_LIMIT


def list_entries(condition):
    return SearchEntry.objects.filter(condition).values_list("pk", flat=True)


def read_index(condition):
    # With a small limit, PostgreSQL would hope to come by some without the index.
    return list(list_entries(condition)[: INDEX_LIMIT + 1])


def to_condition(tree):
    """Return the condition on a SearchEntry that its order matches the tree."""
    if connection.vendor == "postgresql":
        return Q(words__matches=to_tsquery(tree))
    if isinstance(tree, Phrase):
        return Q(words__contains=f" {' '.join(tree.words)}{'' if tree.is_open else ' '}")
    sign, trees = tree
    return reduce({"&": operator.and_, "|": operator.or_}[sign], map(to_condition, trees))


def to_tsquery(tree):
    if isinstance(tree, Phrase):
        return " <-> ".join(f"'{word}'" for word in tree.words) + ":*" * tree.is_open
    sign, trees = tree
    return f"({f' {sign} '.join(map(to_tsquery, trees))})"
