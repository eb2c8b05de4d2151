"""The `search` parameter of lists."""

from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter, search_smart_split

from shopply.api.filters import EMPTY_PARAMETER
from shopply.api.schema import NOT_BLANK


class LimitedSearchFilter(SearchFilter):
    """DRF's search, with a limited number of words; a blank one is a 400."""

    MAX_LENGTH, MAX_WORDS = 200, 10
    search_description = (
        f"At most {MAX_WORDS} words, of {MAX_LENGTH} characters; a phrase goes in double quotes."
    )

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param)
        if text is None:
            return []
        if not text.strip():
            raise self.error(EMPTY_PARAMETER, "blank")
        if len(text) > self.MAX_LENGTH:
            raise self.error(f"At most {self.MAX_LENGTH} characters.", "max_length")
        words = self.split_words(text)
        if len(words) > self.MAX_WORDS:
            raise self.error(f"At most {self.MAX_WORDS} words.", "too_many_words")
        return words

    def split_words(self, text):
        return search_smart_split(text)

    def error(self, message, code):
        return ValidationError({self.search_param: message}, code)

    def get_schema_operation_parameters(self, view):
        (search,) = super().get_schema_operation_parameters(view)
        search["schema"] |= {"maxLength": self.MAX_LENGTH, "pattern": NOT_BLANK}
        return [search]
