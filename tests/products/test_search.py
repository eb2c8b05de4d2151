"""A search finds parts of words, whatever their case, accents and apostrophes."""

import random
import unicodedata
from importlib import import_module
from urllib.parse import quote

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from products.models import Product
from products.search import normalize, split_words
from tests import factories

# Characters special to LIKE or SQL, and non-ASCII letters.
ALPHABET = [*"aBbäÄßéΣÅﬁ%_\\'\"*- ", "e\u0301", "’", "İ"]


def search(client, text):
    response = client.get(f"/api/products/?items_per_page=100&search={quote(text)}")
    assert response.status_code == 200, response.json()
    return [product["name"] for product in response.json()["results"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("San Sebastián", "sebastian"),
        ("San Sebastián", "SEBASTIÁN"),
        ("San Sebastian", "sebastián"),
        ("Café crème", "cafe CREME"),
        ("L’Arbre", "l'arbre"),
        ("L'Arbre", "l’arbre"),
        ("L'Arbre d'Or", "d’or l’arbre"),
        ("Große Tasse", "GROSSE"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("ΦΙΛΤΡΟΣ", "φιλτρος"),
        ("Ångström", "angstrom"),
        ("ﬁlter", "FILTER"),
        ("Søren Łódź Đà Ísafjörður ÆÐÞ Œ", '"soren lodz da isafjordur aedth oe"'),
        ("Soren", "SØREN"),
        ('Tube 12"', '"'),
        ('Tube 12"', '12"'),
        ("50% off_season", "50% f_s"),
        ("Back\\slash", "k\\s"),
        ("Two  blanks", '"two  blanks"'),
    ],
)
def test_product_is_found(api, name, text):
    factories.products.make(name=name)
    factories.products.make(name="Another")
    assert search(api, text) == [name]


@pytest.mark.parametrize(
    ("name", "text"), [("100", "1_0"), ("abc", "a%c"), ("Moka pot", '"moka  pot"'), ("cup", '"')]
)
def test_product_is_not_found_by_text_it_does_not_contain(api, name, text):
    factories.products.make(name=name)
    assert search(api, text) == []


@pytest.mark.parametrize("text", ["\u0301", "moka \u0301"])
def test_search_for_an_accent_alone_is_refused(api, text):
    factories.products.make(name="Moka")
    response = api.get(f"/api/products/?search={quote(text)}")
    assert response.status_code == 400
    assert [error["parameter"] for error in response.json()["errors"]] == ["search"]


def test_search_does_not_match_across_two_fields(api):
    factories.products.make(name="Moka", description="Pot", sku="S-1")
    factories.products.make(name="Mo\nka", description="Cup", sku="S-2")
    assert search(api, '"mokas"') == search(api, "1pot") == []
    assert search(api, '"mo\nka"') == ["Mo\nka"]


@pytest.mark.slow
def test_product_is_found_by_any_part_of_its_texts(api):
    chance = random.Random(1)
    for number in range(40):
        texts = ("".join(chance.choices(ALPHABET, k=12)) for _ in range(2))
        factories.products.make(
            **dict(zip(("name", "description"), texts, strict=True)), sku=f"S-{number}"
        )
    for _ in range(300):
        product = chance.choice(Product.objects.all())
        text = chance.choice((product.name, product.description, product.sku))
        start = chance.randint(0, len(text) - 1)
        part = chance.choice((str.upper, str.lower, str))(text[start : start + 5])
        words = split_words(part)
        if words and all(map(normalize, words)):
            assert product.name in search(api, part), (part, text)


def test_search_text_follows_the_row_however_it_is_saved(db):
    product = Product.objects.create(name="Kenya", price=1)
    assert [*Product.objects.search(["kenya"])] == [product]
    product.update_fields(name="Perú")
    product.name = "Überholt"  # not saved yet, so the update below does not see it
    Product.objects.get(pk=product.pk).update_fields(description="Süß")
    assert [*Product.objects.search(["peru", "suss"])] == [product]
    product.save()
    assert [*Product.objects.search(["uberholt"])] == [product]
    Product.objects.bulk_create([Product(name="Yemen", price=1)])
    assert Product.objects.search(["yemen"]).exists()


def test_migration_writes_texts_of_earlier_releases_anew(db):
    product = factories.products.make(name="Søren", sku="S-1", description="")
    Product.objects.update(search_text="søren\ns-1\n")
    migration = import_module("products.migrations.0011_plain_letters")
    migration.write_plain_letters(apps, None)
    assert Product.objects.get().search_text == product.search_text == "soren\ns-1\n"


def test_fixture_and_seed_have_search_texts(db):
    call_command("loaddata", "customers", "products", verbosity=0)
    call_command("seed_shop", products=70, orders=5, verbosity=0)
    for product in Product.objects.all():
        sources = (product.name, product.sku or "", product.description)
        assert product.search_text == normalize("\n".join(sources))


def test_composed_and_decomposed_letters_are_equal(db):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert normalize(unicodedata.normalize(form, "Ὀδυσσεύς, ﬃ Ǆ é")) == normalize(
            "Ὀδυσσεύς, ﬃ Ǆ é"
        )


def test_every_worker_finds_a_new_name_at_once(shop, clerk, product):
    def fetch_counts():
        return {anyone.call("GET", path).body["count"] for _ in range(40)}

    anyone, path = shop.client(), "/api/products/?search=yemen"
    assert fetch_counts() == {0}
    shop.client(clerk).call("PATCH", f"/api/products/{product.pk}/", {"name": "Yémen Haraz"})
    assert fetch_counts() == {1}


def test_search_uses_the_trigram_index(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite compares every text")
    sql, params = Product.objects.search(["kenya"]).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute(f"EXPLAIN {sql}", params)
        assert "product_search" in str(cursor.fetchall())
