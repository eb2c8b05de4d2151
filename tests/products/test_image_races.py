"""Simultaneous uploads for one product, each in a thread with a connection of its own."""

from functools import partial

import pytest
from django.db import connection

from products.images import MAX_IMAGES, TooManyImages
from products.models import ProductImage
from tests.servers import at_once


@pytest.fixture
def nearly_full(transactional_db, product):
    """The product with one place left."""
    for number in range(1, MAX_IMAGES):
        make(product, number).append()
    return product


def make(product, number):
    return ProductImage(product=product, file=f"00/{number}.webp", width=1, height=1)


def append(image):
    try:
        image.append()
    except TooManyImages:
        return False
    finally:
        connection.close()
    return True


def rush(product):
    """Append four pictures at once; return how many were."""
    images = [make(product, number) for number in range(20, 24)]
    return sum(at_once(*(partial(append, image) for image in images)))


def test_one_of_four_pictures_gets_the_last_place(nearly_full):
    assert rush(nearly_full) == 1
    positions = [image.position for image in nearly_full.images.all()]
    assert positions == [*range(1, MAX_IMAGES + 1)]


def test_without_the_lock_all_of_them_do(nearly_full, monkeypatch):
    """The negative control: the pictures are counted before the product is locked."""
    ids = [*nearly_full.images.values_list("pk", flat=True)]
    monkeypatch.setattr(ProductImage, "_lock_product", lambda image: [*ids])
    assert rush(nearly_full) == 4
