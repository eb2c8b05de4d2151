"""Search text: without case, accents and forms of apostrophes. Used by filters and the admin."""

import operator
import re
import unicodedata
from functools import reduce

from django.db import models

STRAIGHT_QUOTES = str.maketrans("‘’‛ʼ`´“”„‟", "''''''\"\"\"\"")
# Small letters that Unicode does not decompose, as plain ones. `ß` is casefolded.
PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ŋ": "n"}
    | {"æ": "ae", "œ": "oe", "þ": "th"}
)


WORD = re.compile(r'"([^"]+)"|([^\s,]+)')  # or a phrase in double quotes


def split_words(text):
    """Return the words and quoted phrases of a search, each once."""
    return [*dict.fromkeys(phrase or word for phrase, word in WORD.findall(text))]


def normalize(text):
    """Return `text` as searches compare it: `Café L’Arbre` and `cafe l'arbre` are the same.

    Unicode's compatibility caseless matching (The Unicode Standard, 3.13, D146), less the marks
    that combine with letters, with straight quotes and PLAIN_LETTERS.
    """
    if text.isascii():  # the same, at a quarter of the time
        return text.lower().replace("`", "'")
    folded = unicodedata.normalize("NFKD", text.translate(STRAIGHT_QUOTES)).casefold()
    decomposed = unicodedata.normalize("NFKD", folded)
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return plain.translate(PLAIN_LETTERS)


def has_special_letters(field):
    """Return the condition that a text of an earlier release has a letter of PLAIN_LETTERS."""
    letters = map(chr, PLAIN_LETTERS)
    return reduce(operator.or_, (models.Q((f"{field}__contains", item)) for item in letters))


class SearchTextField(models.TextField):
    """The normalized text of the fields named in `sources`, written whenever a row is saved."""

    def __init__(self, *args, sources=(), **kwargs):
        self.sources = sources
        super().__init__(*args, **kwargs | {"editable": False, "default": "", "db_default": ""})

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"sources": self.sources}

    def pre_save(self, instance, add):
        text = self.get_text(instance)
        setattr(instance, self.attname, text)
        return text

    def get_text(self, instance):
        """Return the text of an instance, a line for each field, so that no word spans two."""
        return normalize("\n".join(getattr(instance, name) or "" for name in self.sources))
