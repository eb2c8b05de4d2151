"""Pictures of a product: staff add, describe, order and delete them, and everybody sees them."""

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from changes.models import Change
from products.models import Product, ProductImage
from tests import factories, pictures

COLORS = [(index * 20, 200, 100) for index in range(13)]


def run_tasks():
    call_command("db_worker", batch=True, startup_delay=False, interval=0, verbosity=0)


def get_images(client, product):
    return client.get(f"/api/products/{product.pk}/").json()["images"]


def colors(product):
    return [image.alt for image in product.images.all()]


@pytest.fixture
def gallery(product, clerk):
    """The images `a`, `b` and `c` of the product."""
    return [
        pictures.add(product, clerk, color, alt=alt)
        for alt, color in zip("abc", COLORS, strict=False)
    ]


def test_picture_is_added_and_shown(api, as_clerk, product):
    response = pictures.upload(as_clerk, product, pictures.draw((8, 6)))
    assert response.status_code == 201
    image = response.json()
    assert (image["alt"], image["width"], image["height"]) == ("A bag", 8, 6)
    assert image["url"].startswith("http://testserver/media/")
    assert image["thumbnail_url"] == image["url"]
    assert get_images(api, product) == [image]
    assert response["Location"] == f"http://testserver/api/products/{product.pk}/"


def test_picture_is_in_the_list_the_feed_and_the_cached_page(api, as_clerk, product):
    assert api.get("/api/products/").json()["results"][0]["images"] == []
    image = pictures.upload(as_clerk, product, pictures.draw()).json()
    assert api.get("/api/products/").json()["results"][0]["images"] == [image]
    assert api.get("/api/products/?search=coffee").json()["results"][0]["images"] == [image]


def test_uploads_are_replayed_by_their_key(as_clerk, product):
    first = pictures.upload(as_clerk, product, pictures.draw(), key="one")
    again = pictures.upload(as_clerk, product, pictures.draw(), key="one")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert product.images.count() == 1


def test_key_with_another_picture_is_rejected(as_clerk, product):
    pictures.upload(as_clerk, product, pictures.draw(), key="one")
    response = pictures.upload(as_clerk, product, pictures.draw((3, 3)), key="one")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_thirteenth_picture_is_refused(as_clerk, clerk, product):
    for color in COLORS[:12]:
        pictures.add(product, clerk, color)
    response = pictures.upload(as_clerk, product, pictures.draw())
    assert (response.status_code, response.json()["code"]) == (409, "too_many_images")


def test_picture_is_described_and_moved(as_clerk, product, gallery):
    path = f"/api/products/{product.pk}/images/{gallery[2].pk}/"
    response = as_clerk.patch(path, {"alt": "C", "position": 1})
    assert (response.status_code, response.json()["alt"]) == (200, "C")
    assert colors(product) == ["C", "a", "b"]
    as_clerk.patch(path, {"position": 12})
    assert [(image.alt, image.position) for image in product.images.all()] == [
        *(("a", 1), ("b", 2), ("C", 3)),
    ]


def test_what_was_read_can_be_sent_back(as_clerk, product, gallery):
    images = get_images(as_clerk, product)
    path = f"/api/products/{product.pk}/images/{images[0]['id']}/"
    assert as_clerk.patch(path, images[0]).json() == images[0]


def test_deleted_picture_is_gone_and_the_others_move_up(as_clerk, product, gallery):
    path = f"/api/products/{product.pk}/images/{gallery[0].pk}/"
    assert as_clerk.delete(path).status_code == 204
    assert [(image.alt, image.position) for image in product.images.all()] == [("b", 1), ("c", 2)]
    assert as_clerk.delete(path).status_code == 404


def test_picture_of_another_product_is_not_found(as_clerk, gallery):
    other = factories.products.make()
    path = f"/api/products/{other.pk}/images/{gallery[0].pk}/"
    assert as_clerk.patch(path, {"alt": "x"}).status_code == 404


@pytest.mark.parametrize("body", [{"position": 0}, {"position": "1"}, {"alt": "x" * 251}])
def test_bad_change_is_named(as_clerk, product, gallery, body):
    response = as_clerk.patch(f"/api/products/{product.pk}/images/{gallery[0].pk}/", body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{next(iter(body))}"


@pytest.mark.parametrize("verb", ["post", "patch", "delete"])
def test_customers_change_no_pictures(as_alice, api, product, gallery, verb):
    path = f"/api/products/{product.pk}/images/"
    if verb != "post":
        path += f"{gallery[0].pk}/"
    assert getattr(as_alice, verb)(path).status_code == 403
    assert getattr(api, verb)(path).status_code == 401


def test_permission_to_change_products_is_needed(settings, as_clerk, product):
    settings.STAFF_API_PERMISSIONS = True
    response = pictures.upload(as_clerk, product, pictures.draw())
    assert response.status_code == 403
    assert "products.change_product" in response.json()["detail"]


@pytest.mark.parametrize("change", ["add", "describe", "remove"])
def test_each_change_raises_the_revision_and_is_in_the_feed(clerk, product, gallery, change):
    before = Product.objects.get(pk=product.pk)
    last = Change.objects.latest("pk").pk
    if change == "add":
        pictures.add(product, clerk)
    elif change == "describe":
        gallery[0].change(alt="new")
    else:
        gallery[0].remove()
    after = Product.objects.get(pk=product.pk)
    assert after.revision == before.revision + 1
    assert after.modified > before.modified
    events = Change.objects.filter(pk__gt=last, type="product", object_id=product.pk)
    assert [row.event for row in events] == ["changed"]


def test_stale_etag_keeps_from_overwriting(as_clerk, clerk, product):
    etag = as_clerk.get(f"/api/products/{product.pk}/")["ETag"]
    pictures.add(product, clerk)
    path = f"/api/products/{product.pk}/"
    assert as_clerk.patch(path, {"name": "x"}, headers={"If-Match": etag}).status_code == 412


def test_product_that_is_created_again_by_its_key_has_no_pictures(as_clerk, clerk):
    body = {"name": "Cup", "price": "3.00"}
    first = as_clerk.post("/api/products/", body, headers={"Idempotency-Key": "cup"})
    pictures.add(Product.objects.get(pk=first.json()["id"]), clerk)
    again = as_clerk.post("/api/products/", body, headers={"Idempotency-Key": "cup"})
    assert again.json() == first.json()


def test_deleted_product_takes_its_pictures_along(as_clerk, product, gallery):
    assert as_clerk.delete(f"/api/products/{product.pk}/").status_code == 204
    assert not ProductImage.objects.exists()


@pytest.mark.parametrize(
    "path", ["/api/products/?ordering=name&items_per_page=100", "/api/products/?items_per_page=100"]
)
def test_query_count_does_not_grow_with_the_pictures(api, clerk, product, path):
    pictures.add(product, clerk)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path).status_code == 200
        counts.append(len(queries))
        for color in COLORS[:3]:
            pictures.add(factories.products.make(), clerk, color)
            pictures.add(product, clerk, color)
    assert counts[0] == counts[1]


# --- Thumbnails ---------------------------------------------------------------------------------


def test_thumbnail_is_made_by_a_task(transactional_db, api, as_clerk, product):
    pictures.upload(as_clerk, product, pictures.draw((900, 600)))
    before = Product.objects.get(pk=product.pk)
    run_tasks()
    image = get_images(api, product)[0]
    assert image["thumbnail_url"] != image["url"]
    with product.images.get().thumbnail.open() as file, Image.open(file) as thumbnail:
        assert (thumbnail.size, thumbnail.format) == ((400, 267), "WEBP")
    after = Product.objects.get(pk=product.pk)
    assert after.modified > before.modified
    assert after.revision == before.revision  # nobody who edits the product is disturbed


def test_products_share_the_file_and_the_thumbnail_of_one_picture(
    transactional_db, as_clerk, product
):
    other = factories.products.make()
    pictures.upload(as_clerk, product, pictures.draw())
    run_tasks()
    first, second = product.images.get(), pictures.upload(as_clerk, other, pictures.draw()).json()
    assert second["url"] == f"http://testserver{first.url}"
    assert second["thumbnail_url"] == f"http://testserver{first.thumbnail_url}"


# --- The files ----------------------------------------------------------------------------------


def test_file_is_served_for_ever_and_as_nothing_but_a_picture(client, product, clerk):
    response = client.get(pictures.add(product, clerk).url)
    assert response.status_code == 200
    assert response["Content-Type"] == "image/webp"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.getvalue().startswith(b"RIFF")
    response.close()


@pytest.mark.parametrize(
    "name", ["", "ab/", f"ab/{'0' * 64}.webp", "../settings.py", f"ab/{'0' * 64}.svg", "%2e%2e/x"]
)
def test_no_other_file_is_served(client, name):
    assert client.get(f"/media/{name}").status_code == 404


def test_media_folder_is_git_and_docker_ignored():
    assert "/media/" in (settings.BASE_DIR / ".gitignore").read_text().splitlines()
    docker = (settings.BASE_DIR / ".dockerignore").read_text().splitlines()
    assert docker[1] == "/*"
    assert "!/media" not in docker
