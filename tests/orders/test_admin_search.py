"""What staff find orders by in the admin, on both databases."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import search_query
from orders.models import Order
from orders.search import SearchEntry
from tests import factories

ADDRESS = {
    "name": "Zoë O’Brien-Núñez",
    "contact_number": "+45 (0)86 12-34 56",
    "street_1": "Rue de l'Église 22 b",
    "street_2": "Hinterhaus, 3. Stock",
    "city": "Saint-Étienne",
    "state": "Loire",
    "postal_code": "SW1A 1AA",
    "country": "Côte d’Ivoire",
}


@pytest.fixture
def order(db):
    customer = factories.customers.make(
        username="lena.vogt", email="lena@vogt.example", first_name="Léna", last_name="Vögt"
    )
    moka = factories.products.make(name="Grand Moka, 500 g", sku="KAF-01/B")
    cup = factories.products.make(name="Tasse à café", sku="TC 77")
    order = factories.place(
        customer, {moka: 1, cup: 2}, shipping_address=ADDRESS, reference="PO 4711/22"
    )
    clerk = factories.customers.make(username="packer", is_staff=True)
    order.confirm(by=clerk)
    order.ship(by=clerk, carrier="UPS", tracking_number="1Z 999 AA1 01 2345 6784")
    return order


@pytest.fixture
def other(bob):
    """An order without digits, with which any number of an order could be mistaken for them."""
    bob.update_fields(last_name="Bose")
    address = {"street_1": "Ny Vej", "city": "Aarhus", "country": "Denmark", "postal_code": "DK"}
    product = factories.products.make(name="Filter paper", sku="FP")
    return factories.place(bob, {product: 1}, shipping_address=address)


def search(browser, text, **filters):
    page = browser.get("/admin/orders/order/", {"q": text} | filters)
    assert page.status_code == 200
    return [order.pk for order in page.context["cl"].result_list]


FOUND = {
    "number": [
        "{pk}",
        "#{pk}",
        "# {pk}",
        "Order {pk}",
        "order #{pk}",
        "ORDER NO. {pk}",
        "Order{pk}",
    ],
    "customer": ["Léna", "lena vögt", "vogt, lena", "LENA.VOGT", "lena@vogt.example", "@vogt"],
    "recipient": ["Zoë", "zoe o'brien", "zoe o’brien", "OBRIEN nunez", '"Zoe O\'Brien-Nunez"'],
    "street": ["Rue de l'Église 22", "eglise", "22 b", "hinterhaus"],
    "city": ["Saint-Étienne", "saint etienne", "ETIENNE", "loire", "cote d'ivoire"],
    "postal code": ["SW1A 1AA", "sw1a1aa", "1aa", "SW 1A 1AA"],
    "phone": [
        *("+45 86 12 34 56", "+4586123456", "0045 86123456", "86 12 34 56", "086-123456"),
        *("(86) 12.34.56", "86123456", "123456"),
    ],
    "tracking number": ["1Z 999 AA1 01 2345 6784", "1z999aa10123456784", "6784"],
    "product": ["Grand Moka", '"grand moka"', "tasse a cafe", "moka 500"],
    "SKU": [
        *("KAF-01/B", "kaf-01-b", "kaf01b", "TC 77", "tc77", "KAF"),
        *("KAF 01 B", "kaf - 01 - b", "moka KAF 01 B zoe", "kaf 0"),
    ],
    "reference": ["PO 4711/22", "po471122", "4711", "po 4711 22"],
    "several words": [
        "lena moka etienne",
        "{pk} zoe",
        "22 86123456",
        "lena 4711 {pk}",
        "vogt 1z999aa10123456784",
    ],
    "beginnings": ["hinterh", "lena mok", "saint-eti", "kaf-0", "lena.v", "1Z999AA"],
}


@pytest.mark.parametrize("part", FOUND)
def test_search_finds_the_order(in_the_admin, order, other, part, subtests):
    for text in FOUND[part]:
        with subtests.test(text=text):
            assert search(in_the_admin, text.format(pk=order.pk)) == [order.pk]


NOT_FOUND = [
    *("nobody", "lena bob", "moka nobody", "#99999999", "Order 99999999", "#" + "9" * 18),
    *('"moka grand"', '"22 b Hinterhaus"', '"500 g tasse"', "86 12 34 57", "+46 86 12 34 56"),
    *("23456", "oka", "99999999999999999999", "9" * 200, "¿?", "-", "\u0301", '"'),
    *("lena & !bob", "lena & nobody", "moka | nobody", "'nobody':*", "\\", "%", "_", "m%"),
]


def test_search_finds_nothing(in_the_admin, order, other, subtests):
    for text in NOT_FOUND:
        with subtests.test(text=text):
            assert search(in_the_admin, text) == []


@pytest.mark.parametrize(
    "text",
    ["moka:*", "'moka'", "(moka)", "!moka", "moka <-> ", "moka\\", "moka'", '"moka', "moka & |"],
)
def test_operators_and_quotes_are_no_words(in_the_admin, order, other, text):
    assert search(in_the_admin, text) == [order.pk]


def test_long_searches_are_refused(in_the_admin, order):
    assert search(in_the_admin, "a " * 100) == [order.pk]  # "Tasse à café"
    twenty = [f"{number}a" for number in range(20)]
    assert search(in_the_admin, " ".join(twenty)) == []
    for text in (" ".join([*twenty, "b"]), "a " * 101):
        assert in_the_admin.get("/admin/orders/order/", {"q": text}).status_code == 400


def test_blank_search_lists_all_orders(in_the_admin, order, other):
    assert search(in_the_admin, "  ") == [other.pk, order.pk]


def test_customer_is_found_by_the_name_of_today(in_the_admin, order, other):
    order.customer.update_fields(last_name="Neumann", email="neu@example.com")
    assert search(in_the_admin, "neumann") == search(in_the_admin, "neu@example.com") == [order.pk]
    assert search(in_the_admin, "vögt") == []


def test_items_are_found_as_they_were_ordered(in_the_admin, order):
    item = order.items.get(sku="KAF-01/B")
    item.product.update_fields(name="Petit Mocha", sku="PM-2")
    assert search(in_the_admin, "grand moka") == search(in_the_admin, "KAF-01/B") == [order.pk]
    assert search(in_the_admin, "mocha") == search(in_the_admin, "PM-2") == []


def test_order_without_an_address_is_found(in_the_admin, alice, product, db):
    alice.update_fields(street_1="", city="", country="")
    order = factories.place(alice, {product: 1})
    assert order.shipping_address is None
    assert search(in_the_admin, f"alice {product.sku}") == [order.pk]


def test_corrected_address_is_found_and_the_old_one_is_not(in_the_admin, other, clerk):
    other.correct_address({"street_1": "Ny Vej 9", "city": "Odense", "country": "DK"}, by=clerk)
    assert search(in_the_admin, "odense") == [other.pk]
    assert search(in_the_admin, "aarhus") == []


def test_undone_shipping_takes_the_tracking_number_back(in_the_admin, order, clerk):
    assert search(in_the_admin, "1z999aa10123456784") == [order.pk]
    order.undo(by=clerk)
    assert search(in_the_admin, "1z999aa10123456784") == []


def test_closed_account_leaves_no_word_of_the_person(in_the_admin, order, clerk):
    order.customer.close()
    assert search(in_the_admin, "zoe") == [order.pk]  # the parcel is on its way
    order.deliver(by=clerk)
    for text in ("zoe", "lena", "eglise", "86123456", "sw1a1aa", "po471122", "1z999aa10123456784"):
        assert search(in_the_admin, text) == []
    assert search(in_the_admin, "cote d'ivoire moka") == [order.pk]


def test_filters_narrow_the_search(in_the_admin, alice, clerk, product):
    orders = [factories.place(alice, {product: 1}) for _ in range(3)]
    orders[1].confirm(by=clerk)
    Order.objects.filter(pk=orders[2].pk).update(created="2024-02-29T12:00:00Z")
    assert search(in_the_admin, "alice", status__exact="confirmed") == [orders[1].pk]
    for period in (
        {"year": 2024},
        {"year": 2024, "month": 2},
        {"year": 2024, "month": 2, "day": 29},
    ):
        dates = {f"created__{part}": value for part, value in period.items()}
        assert search(in_the_admin, "alice", **dates) == [orders[2].pk]
        assert search(in_the_admin, "", **dates) == [orders[2].pk]
    assert search(in_the_admin, "alice", created__year=2024, created__month=12) == []


LIMITS = {
    **dict.fromkeys(("SAMPLE_SIZE", "SAMPLE_MATCHES", "PAGE_SIZE", "CHUNK_SIZE"), 2),
    **{"WALK_SIZE": 4, "INDEX_LIMIT": 5, "RESULT_LIMIT": 6},
}


@pytest.fixture
def low_limits(monkeypatch):
    for name, value in LIMITS.items():
        monkeypatch.setattr(search_query, name, value)


@pytest.mark.parametrize(
    ("teas", "count", "is_all"),
    [
        ("t.......", 1, True),  # by the index
        ("ttttt...", 5, True),
        ("tttttt...", 6, True),  # more than the index is asked for, all of them old
        ("tttttttt...", 6, False),
        ("....ttttt", 4, False),  # among the newest
        ("t.t", 2, True),
        ("...", 0, True),
    ],
)
@pytest.mark.parametrize("newest", ["-pk", "-created"])
def test_newest_orders_are_found_however_they_are_spread(
    low_limits, alice, teas, count, is_all, newest
):
    tea, cup = factories.products.make(name="Tea"), factories.products.make(name="Cup")
    orders = [factories.place(alice, {tea if sort == "t" else cup: 1}) for sort in teas]
    matching = [order.pk for order, sort in zip(orders, teas, strict=True) if sort == "t"]
    result, complete = Order.objects.search("tea", newest)
    assert sorted(result.values_list("pk", flat=True)) == matching[-count:] * bool(count)
    assert complete == is_all
    others = Order.objects.exclude(pk__in=matching[:1])
    result, _ = others.search("tea", newest)
    assert set(result.values_list("pk", flat=True)) <= set(matching[1:])


def test_page_says_that_there_are_more(low_limits, in_the_admin, alice, product):
    for _ in range(9):
        factories.place(alice, {product: 1})
    page = in_the_admin.get("/admin/orders/order/?q=coffee")
    assert "More orders match the search." in page.content.decode()
    assert page.context["cl"].result_count == 4
    page = in_the_admin.get("/admin/orders/order/?q=coffee&_facets=True").content.decode()
    assert page.count("More orders match") == 1
    for query, is_said in (("coffee", True), ("bob", False)):
        page = in_the_admin.get(f"/admin/orders/order/export/?q={query}").content.decode()
        assert ("Only the newest of them are listed, selected and exported" in page) == is_said
    assert "More orders" not in in_the_admin.get("/admin/orders/order/?q=bob").content.decode()


def test_name_of_many_customers_is_found_on_the_orders(in_the_admin, product, monkeypatch):
    monkeypatch.setattr("orders.search_terms.MAX_CUSTOMERS", 1)
    customers = [
        factories.customers.make(first_name=first, last_name=last)
        for first, last in (("Ada", "Berg"), ("Ada", "Dahl"), ("Nils", "Berg"))
    ]
    orders = [factories.place(customer, {product: 1}) for customer in customers]
    assert search(in_the_admin, "ada") == [orders[1].pk, orders[0].pk]
    customers[2].update_fields(first_name="Ada", last_name="Costa")
    assert search(in_the_admin, "ada costa") == [orders[2].pk]


def test_number_of_queries_does_not_grow(in_the_admin, order, alice, product):
    def count(text):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            search(in_the_admin, text)
        return len(queries)

    texts = ("moka", "lena etienne", "nobody", "4711")
    before = [count(text) for text in texts]
    for _ in range(5):
        factories.place(order.customer, {product: 1}, shipping_address=ADDRESS)
    assert [count(text) for text in texts] == before


def test_orders_of_the_release_before_are_indexed_by_a_command(in_the_admin, order, other, capsys):
    SearchEntry.objects.filter(order=other).delete()
    assert search(in_the_admin, "bob paper") == []
    call_command("index_orders")
    assert capsys.readouterr().out.endswith("1 orders indexed.\n")
    assert search(in_the_admin, "bob paper") == [other.pk]
    call_command("index_orders")
    assert capsys.readouterr().out.endswith("0 orders indexed.\n")


def test_words_of_earlier_releases_are_written_anew(in_the_admin, other, capsys, monkeypatch):
    address = other.shipping_address | {"name": "Søren Łoś"}
    Order.objects.filter(pk=other.pk).update(shipping_address=address)
    with monkeypatch.context() as patch:
        patch.setattr("products.search.PLAIN_LETTERS", {})
        SearchEntry.objects.write(Order.objects.all())
    assert search(in_the_admin, "soren los") == []
    call_command("index_orders")
    assert capsys.readouterr().out.endswith("1 orders indexed.\n")
    assert search(in_the_admin, "soren los") == search(in_the_admin, "SØREN") == [other.pk]


def test_shipping_indexes_an_order_of_the_release_before(in_the_admin, other, clerk):
    SearchEntry.objects.filter(order=other).delete()
    other.confirm(by=clerk)
    other.ship(by=clerk)
    assert search(in_the_admin, "aarhus") == [other.pk]


def test_search_is_not_logged(in_the_admin, order, capfd):
    search(in_the_admin, "etienne")
    out, err = capfd.readouterr()
    assert "etienne" not in out + err
