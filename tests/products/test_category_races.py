"""Two moves of categories at once make no circle."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from products.categories import Category

pytestmark = pytest.mark.django_db(transaction=True)


def move(slug, parent):
    category = Category.objects.get(slug=slug)
    category.update_fields(parent=Category.objects.get(slug=parent))


def move_each_below_the_other():
    """Move a below b, and b below a while that is not committed; return the errors of the second.

    They wait for each other, or not, but each is checked by the API's rule alone before.
    """
    errors = []

    def move_second():
        try:
            move("b", "a")
        except IntegrityError as exc:
            errors.append(str(exc))
        finally:
            connection.close()

    second = threading.Thread(target=move_second)
    with transaction.atomic():
        move("a", "b")
        second.start()
        second.join(0.5)
    second.join()
    return errors


@pytest.fixture(autouse=True)
def categories():
    for slug in "ab":
        Category.objects.create(name=slug, slug=slug)


@pytest.fixture
def unlocked():
    """PostgreSQL, whose trigger does not lock the tree."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('products_check_categories'::regproc)")
        (function,) = cursor.fetchone()
        lock = "PERFORM pg_advisory_xact_lock"
        assert lock in function
        cursor.execute(function.replace(lock, "-- "))
        yield
        cursor.execute(function)


def test_second_of_two_moves_is_refused():
    (error,) = move_each_below_the_other()
    assert "category_tree" in error
    assert [category.slug for category in Category.objects.all().as_tree()] == ["b", "a"]


def test_without_the_lock_they_make_a_circle(unlocked):
    """The negative control: the test above can detect a circle."""
    assert move_each_below_the_other() == []
    assert Category.objects.all().as_tree() == []
