"""Reading what staff search for into terms, each of which an order has to match.

A term is a tree of phrases: `("&", trees)` matches where all of the trees do, `("|", trees)` where
one of them does.
"""

import re
from collections import defaultdict
from typing import NamedTuple

from django.contrib.auth import get_user_model

from orders.search import FIELD_END, MAX_WORD, join_words, phone_digits, split_words

TERM = re.compile(
    r"""
    "(?P<phrase>[^"]+)"
    | (?:order\s*(?:no\.?|number)?\s*\#?|\#)\s*(?P<number>[0-9]{1,18})(?=[\s,"]|$)
    | (?P<digits>\+?\(?[0-9][0-9\s()/.+-]*)(?=[\s,"]|$)
    | (?P<word>[^\s,"]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
MIN_PHONE_DIGITS = 6  # fewer, from the end of a phone number, would fit too many
MAX_TERMS = 20
MAX_CODE_PARTS = 6  # of a code that is typed with blanks
MAX_NAMES = 10  # terms that are looked for among the customers
MAX_CUSTOMERS = 200  # that a term fits, for it to find their orders


class TooManyTerms(Exception):
    """A search has more than MAX_TERMS words."""


class Phrase(NamedTuple):
    """Words that follow each other; with `is_open`, the last may go on."""

    words: tuple[str, ...]
    is_open: bool = False


def read_search(text):
    """Return the terms of a search, each with the customers that it fits today.

    Raises TooManyTerms.
    """
    parts = [
        (match.lastgroup, match[match.lastgroup]) for match in TERM.finditer(" ".join(text.split()))
    ]
    if len(set(parts)) > MAX_TERMS:
        raise TooManyTerms
    terms, codes = [], join_neighbours(parts)
    for group, part in dict.fromkeys(parts):
        tree = READERS[group](part)
        if tree:
            tree = ("|", [tree, *codes[group, part]]) if codes[group, part] else tree
            ids = list_customers(group, part) if len(terms) < MAX_NAMES else []
            terms.append((tree, part, ids))
    return [add_customers(tree, ids) for tree, ids in narrow_down(terms)]


def join_neighbours(parts):
    """Return `{part: [phrase]}`: the codes that it may be a part of, such as CER 001 BLU."""
    words = [
        (part, "".join(split_words(part[1])) if part[0] in ("word", "digits") else FIELD_END)
        for part in parts
    ]
    words = [(part, word) for part, word in words if word]  # a dash between blanks has none
    codes = defaultdict(dict)
    for start in range(len(words)):
        for stop in range(start + 2, min(start + MAX_CODE_PARTS, len(words)) + 1):
            run = words[start:stop]
            code = "".join(word for _, word in run)
            if len(code) <= MAX_WORD and FIELD_END not in code:
                for part, _ in run:
                    codes[part][Phrase((code,))] = None
    return codes


def list_customers(group, part):
    """Return the ids of the customers whom a part of a search fits, or one more than the limit."""
    customers = get_user_model().objects
    if group == "number":
        return []
    return list_ids(
        customers.with_username(part) if group == "digits" else customers.search([part])
    )


def list_ids(customers):
    return list(customers.order_by().values_list("pk", flat=True)[: MAX_CUSTOMERS + 1])


def narrow_down(terms):
    """Yield the trees of `(tree, part, ids)`, and the ids of customers, never too many.

    Of those whom a common name fits, the customers count whom other parts of the search fit.
    """
    customers = get_user_model().objects
    common = [part for _, part, ids in terms if len(ids) > MAX_CUSTOMERS]
    few = {pk for *_, ids in terms if len(ids) <= MAX_CUSTOMERS for pk in ids}
    if len(common) > 1:
        ids = list_ids(customers.search(common))
        few.update(ids if len(ids) <= MAX_CUSTOMERS else [])
    for tree, part, ids in terms:
        if len(ids) > MAX_CUSTOMERS:
            ids = list_ids(customers.filter(pk__in=few).search([part])) if few else []
        yield tree, ids[:MAX_CUSTOMERS]


def add_customers(tree, ids):
    return ("|", [tree, *(Phrase((f"@{pk}",)) for pk in ids)]) if ids else tree


def read_text(text):
    """Return the tree of a word or a phrase, or None if it has neither letters nor digits."""
    words = split_words(text)
    if len(words) < 2:
        return Phrase(tuple(words)) if words else None
    return ("|", [Phrase(tuple(words)), Phrase((join_words(words),))])


def read_number(text):
    return Phrase((f"#{int(text)}",))


def read_digits(text):
    """Return the tree of numbers: each of its own, or all one code or phone number."""
    parts = [part for part in text.split() if split_words(part)]
    text = " ".join(parts)  # without dashes between blanks
    if len(parts) > 1:
        trees = [("&", [read_digits(part) for part in parts])]
        trees.append(Phrase((join_words(split_words(text)),)))
    else:
        trees = [read_text(text)]
        if text.isdigit():
            trees.append(read_number(text))
    digits = phone_digits(text)
    if digits:  # an order without a phone number has none
        trees.append(Phrase((f"~{digits}",), is_open=len(digits) >= MIN_PHONE_DIGITS))
    if text.startswith(("+", "00")):  # the customer's may be without the code of the country
        own = (digits[:-length] for length in (1, 2, 3))
        trees += [Phrase((f"~{part}",)) for part in own if len(part) >= MIN_PHONE_DIGITS]
    return ("|", trees)


READERS = {"phrase": read_text, "number": read_number, "digits": read_digits, "word": read_text}


def open_ends(tree):
    """Return the tree with the last words of its phrases as beginnings, if they are long enough."""
    if isinstance(tree, Phrase):
        last = tree.words[-1]
        is_long = last[0].isalnum() and len(last) >= (4 if last.isdigit() else 3)
        return tree._replace(is_open=tree.is_open or is_long)
    sign, trees = tree
    return sign, [open_ends(part) for part in trees]
