from urllib.parse import urlsplit

from tests import factories


def names(response):
    return [customer["username"] for customer in response.json()]


def test_staff_see_all_customers(as_clerk, alice, bob, clerk):
    assert sorted(names(as_clerk.get("/api/customers/"))) == ["alice", "bob", "clerk"]


def test_customer_sees_only_their_own_row(as_alice, bob):
    assert names(as_alice.get("/api/customers/")) == ["alice"]


def test_anonymous_caller_sees_an_empty_array(api, alice):
    assert api.get("/api/customers/").json() == []


def test_staff_follow_the_link_header_through_all_pages(as_clerk):
    factories.customers.make(_quantity=6)
    path, seen = "/api/customers/?items_per_page=3", []
    while path:
        response = as_clerk.get(path)
        assert len(response.json()) <= 3
        seen += names(response)
        links = dict(reversed(link.split("; rel=")) for link in response["Link"].split(", "))
        assert {'"first"', '"last"'} <= links.keys()
        next_link = links.get('"next"')
        path = next_link and "/api/customers/?" + urlsplit(next_link.strip("<>")).query
    assert len(seen) == len(set(seen)) == 7


def test_page_holds_at_most_100(as_clerk):
    factories.customers.make(_quantity=101)
    assert len(as_clerk.get("/api/customers/").json()) == 100
    assert len(as_clerk.get("/api/customers/?items_per_page=500").json()) == 100


def test_list_contains_no_passwords(as_clerk, alice):
    assert all("password" not in row for row in as_clerk.get("/api/customers/").json())
