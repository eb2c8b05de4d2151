"""GET /api/changes/"""

import time
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from changes.metrics import FeedCollector
from changes.models import DATABASE, Change, Cursor, Feed, Position
from products.models import Product
from tests import factories
from tests.changes.follower import PATH, Follower, wait_until_shown
from tests.contract import operations

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def follower(as_clerk):
    return Follower(as_clerk)


def make_changes(count):
    """Make products, and return the changes as a follower reads them."""
    products = factories.products.make(_quantity=count)
    wait_until_shown()
    return [("product", product.pk, "created") for product in products]


def assert_unknown(response):
    assert response.status_code == 400
    data = response.json()
    (error,) = data["errors"]
    assert (data["code"], error["parameter"]) == ("validation_error", "after")
    assert error["code"] == "unknown_cursor"
    assert "anew" in error["detail"]


def age(days=31):
    """Let all changes be older."""
    Change.objects.update(at=timezone.now() - timedelta(days=days))
    wait_until_shown()


# --- Pages ----------------------------------------------------------------------------------------


def test_feed_begins_with_the_oldest_change(as_clerk):
    changes = make_changes(3)
    results = as_clerk.get(PATH).json()["results"]
    assert [(change["type"], change["id"], change["event"]) for change in results][-3:] == changes
    assert set(results[0]) == {"cursor", "type", "id", "at", "event"}


def test_pages_follow_each_other_even_within_a_transaction(follower):
    make_changes(2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_product SET price = 1, name = 'x', is_active = false")
    wait_until_shown()
    pages = [follower.read_page("items_per_page=3") for _ in range(4)]
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    assert len({*sum(pages, [])}) == 8


def test_every_change_has_a_cursor_to_go_on_from(as_clerk, follower):
    changes = make_changes(3)
    results = follower.get(f"after={follower.cursor}")["results"]
    rest = as_clerk.get(f"{PATH}?after={results[0]['cursor']}").json()
    assert [change["id"] for change in rest["results"]] == [pk for _, pk, _ in changes[1:]]
    assert rest["cursor"] == results[-1]["cursor"]


def test_empty_page_has_the_same_cursor(follower):
    data = follower.get(f"after={follower.cursor}")
    assert data == {"results": [], "cursor": follower.cursor}


def test_feed_that_is_empty_has_a_cursor_after_which_all_follows(as_clerk):
    Change.objects.all().delete()
    for query in ("", "?after=latest"):
        cursor = as_clerk.get(f"{PATH}{query}").json()["cursor"]
        ((_, pk, _),) = make_changes(1)
        results = as_clerk.get(f"{PATH}?after={cursor}").json()["results"]
        assert results[-1]["id"] == pk


def test_documented_example_has_the_members_of_a_change(follower):
    make_changes(1)
    content = operations()["GET", PATH]["responses"]["200"]["content"]["application/json"]
    (example,) = content["examples"].values()
    data = follower.get(f"after={follower.cursor}")
    assert example["value"].keys() == data.keys()
    assert example["value"]["results"][0].keys() == data["results"][0].keys()
    assert Cursor.parse(example["value"]["results"][0]["cursor"])


# --- Expansion ------------------------------------------------------------------------------------


def test_expanded_change_has_the_object_as_it_is_now(follower, as_clerk, alice, product):
    order = factories.place(alice, {product: 2})
    deleted = factories.products.make(quantity_in_stock=0)
    Product.objects.filter(pk=deleted.pk).delete()
    wait_until_shown()
    results = as_clerk.get(f"{PATH}?after={follower.cursor}&expand=true").json()["results"]
    objects = {(change["type"], change["id"]): change["object"] for change in results}
    assert objects == {
        ("customer", alice.pk): as_clerk.get(f"/api/customers/{alice.pk}/").json(),
        ("product", product.pk): as_clerk.get(f"/api/products/{product.pk}/").json(),
        ("order", order.pk): as_clerk.get(f"/api/orders/{order.pk}/").json(),
        ("product", deleted.pk): None,
    }


def test_expansion_costs_as_many_queries_for_more_changes(follower, as_clerk, alice):
    counts = []
    for size in (1, 20):
        for product in factories.products.make(_quantity=size):
            factories.place(alice, {product: 1})
        factories.customers.make(_quantity=size)
        wait_until_shown()
        with CaptureQueriesContext(connection) as queries:
            data = follower.get(f"after={follower.cursor}&expand=true")
        assert len(data["results"]) > 3 * size
        follower.cursor = data["cursor"]
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- Cursors that are unknown ---------------------------------------------------------------------


def test_text_that_is_no_cursor_is_unknown(as_clerk):
    for cursor in ("", "x", "0", "LATEST", "A" * 42, "A" * 43, "-" * 43, "A" * 44):
        assert_unknown(as_clerk.get(f"{PATH}?after={cursor}"))


def test_position_that_never_was_is_unknown(as_clerk):
    make_changes(1)
    epoch = Feed.objects.current().epoch
    for number in (1, -1, 2**63 - 1, -(2**63)):
        for position in (Position(0, number), Position(number, 0), Position(number, number)):
            if not Change.objects.filter(transaction_id=position[0], pk=position[1]).exists():
                assert_unknown(as_clerk.get(f"{PATH}?after={Cursor(epoch, position)}"))


def test_expand_is_true_or_false(as_clerk):
    for expand in ("", "1", "True", "yes"):
        (error,) = as_clerk.get(f"{PATH}?expand={expand}").json()["errors"]
        assert error["parameter"] == "expand"


def test_cursor_of_another_epoch_is_unknown(as_clerk, follower):
    make_changes(2)
    follower.read()
    Feed.objects.all().delete()
    assert_unknown(as_clerk.get(f"{PATH}?after={follower.cursor}"))
    follower = Follower(as_clerk)
    changes = make_changes(1)
    assert follower.read() == changes


def test_cursor_from_before_a_restore_is_unknown(as_clerk, follower):
    """The runbook's own commands restore in tests/deploy/backup.py."""
    if connection.vendor == "sqlite":
        pytest.skip("a file of SQLite does not know that it was copied")
    make_changes(2)
    Change.objects.update(transaction_id=2**62)
    Feed.objects.update(database="of another server")
    assert read_lag() == 0
    assert_unknown(as_clerk.get(f"{PATH}?after={follower.cursor}"))
    assert not Change.objects.exists()
    assert Feed.objects.count() == 1
    changes = make_changes(1)
    assert Follower(as_clerk).read() == []
    assert as_clerk.get(PATH).json()["results"][0]["id"] == changes[0][1]


def test_role_without_privileges_can_identify_the_database():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no roles")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE changes_reader")
        try:
            cursor.execute("SET ROLE changes_reader")
            cursor.execute(DATABASE)
            assert cursor.fetchone()[0].count(".") == 3
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP ROLE changes_reader")


# --- Retention ------------------------------------------------------------------------------------


def test_old_changes_are_removed_when_the_feed_is_read(as_clerk, follower):
    make_changes(3)
    first = follower.cursor
    follower.read_page("items_per_page=2")
    second = follower.cursor
    follower.read()
    age()
    changes = make_changes(2)
    assert follower.read() == changes
    follower.read()
    assert [(c.type, c.object_id, c.event) for c in Change.objects.order_by("pk")] == changes
    for cursor in (first, second):
        assert_unknown(as_clerk.get(f"{PATH}?after={cursor}"))


def test_cursor_of_the_last_change_that_was_removed_is_known(follower):
    make_changes(3)
    follower.read()
    age()
    assert follower.read() == []
    assert not Change.objects.exists()
    changes = make_changes(1)
    assert follower.read() == changes


def test_younger_change_keeps_those_after_it(follower):
    """Its transaction ran long: with the later ones gone, its cursor would lead past them."""
    make_changes(3)
    age()
    oldest = Change.objects.order_by("transaction_id", "pk").first()
    Change.objects.filter(pk=oldest.pk).update(at=timezone.now())
    count = Change.objects.count()
    follower.read()
    assert Change.objects.count() == count


def test_changes_are_kept_for_ever_with_0_days(follower, settings):
    settings.CHANGES_DAYS = 0
    make_changes(1)
    age(10_000)
    follower.read()
    assert Change.objects.exists()


def test_poll_removes_a_bounded_number(follower, monkeypatch):
    monkeypatch.setattr("changes.models.BATCH_SIZE", 2)
    make_changes(5)
    follower.read()
    age()
    count = Change.objects.count()
    follower.read()
    assert Change.objects.count() == count - 2


# --- Cost and lag ---------------------------------------------------------------------------------


def test_poll_reads_an_index(follower):
    make_changes(1)
    many = " UNION ALL ".join(["SELECT 1"] * 500)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO changes_change (transaction_id, type, object_id, event, at)"  # noqa: S608
            " SELECT a.transaction_id, 'product', a.object_id, 'stock', a.at"
            f" FROM changes_change a, ({many}) AS many"
        )
        cursor.execute("ANALYZE changes_change")
    with CaptureQueriesContext(connection) as queries:
        follower.get(f"after={follower.cursor}")
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    (poll,) = [query["sql"] for query in queries if "(transaction_id, id) >=" in query["sql"]][:1]
    with connection.cursor() as cursor:
        cursor.execute(explain + poll)
        plan = str(cursor.fetchall())
    assert "change_by_commit" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_lag_is_how_long_a_transaction_has_held_back_a_change():
    wait_until_shown()
    assert read_lag() < 60
    if connection.vendor == "sqlite":
        return
    rival = connections.create_connection("default")
    rival.set_autocommit(False)
    try:
        with rival.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
        factories.products.make()
        time.sleep(0.5)
        assert read_lag() >= 0.5
    finally:
        rival.rollback()
        rival.close()
    wait_until_shown()
    Change.objects.all().delete()
    assert read_lag() == 0


def read_lag():
    metrics = {metric.name: metric for metric in FeedCollector().collect()}
    (sample,) = metrics["shopply_changes_lag_seconds"].samples
    return sample.value
