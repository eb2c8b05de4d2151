from customers.models import Customer
from shopply.api.filters import FilterSet, RegexFilter, RejectEmptyParamsForm
from shopply.api.search import LimitedSearchFilter


class CustomerFilter(FilterSet):
    """Finds one customer, regardless of case."""

    username = RegexFilter(
        method="filter_username",
        pattern="^[A-Za-z0-9_.@+-]{1,150}$",
        message="Must be a user name; write + as %%2B in a query.",
        label="The customer with this user name, in any case.",
    )
    email = RegexFilter(
        method="filter_email",
        pattern="^[!-?A-~]+@[!-?A-~]+$",
        message="Must be an e-mail address; write + as %%2B in a query.",
        label="The customer with this e-mail address, in any case.",
    )

    class Meta:
        model = Customer
        fields = ()
        form = RejectEmptyParamsForm

    def filter_username(self, customers, name, value):
        return customers.with_username(value)

    def filter_email(self, customers, name, value):
        return customers.with_email(value)


class CustomerSearchFilter(LimitedSearchFilter):
    search_description = (
        "Parts of the user name, first name, last name or e-mail address, in any case. "
        f"{LimitedSearchFilter.search_description}"
    )
