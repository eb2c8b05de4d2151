"""Staff add several pictures at once in the page of a product, describe, order and delete them."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tests import pictures
from tests.forms import form_data, submit


@pytest.fixture
def page(product):
    return f"/admin/products/product/{product.pk}/change/"


@pytest.fixture
def upload(in_the_admin, product):
    """A function that posts files, and returns the page that follows."""

    def post(*files, browser=in_the_admin):
        path = f"/admin/products/product/{product.pk}/images/"
        return browser.post(path, {"images": files}, follow=True)

    return post


def get_messages(response):
    return [str(message) for message in response.context["messages"]]


def get_alts(product):
    return [image.alt for image in product.images.all()]


def test_several_files_are_added_at_once(upload, product):
    files = [pictures.as_file(pictures.draw(color=(index, 0, 0))) for index in (10, 90, 200)]
    assert get_messages(upload(*files)) == ["Added 3 pictures."]
    assert product.images.count() == 3
    assert LogEntry.objects.get().change_message == "Added 3 pictures."


def test_bad_file_is_named_and_the_others_are_added(upload, product):
    bad = pictures.as_file(b"<svg/>", "logo.svg")
    response = upload(bad, pictures.as_file(pictures.draw()))
    assert get_messages(response) == [
        "logo.svg: Must be a JPEG, PNG or WebP picture.",
        "Added 1 picture.",
    ]


def test_thirteenth_picture_is_refused(upload, product):
    files = [pictures.as_file(pictures.draw(color=(index * 9, 0, 0))) for index in range(13)]
    assert "at most 12" in get_messages(upload(*files))[0]
    assert product.images.count() == 12


def test_files_that_are_too_large_together_are_refused_unread(upload, product):
    assert "over 10 MB" in get_messages(upload(pictures.as_file(b"\0" * 10 * 2**20)))[0]


def test_upload_needs_the_token_of_the_form_and_a_post(in_the_admin, product):
    path = f"/admin/products/product/{product.pk}/images/"
    in_the_admin.handler.enforce_csrf_checks = True
    assert in_the_admin.post(path, {"images": [pictures.as_file(b"x")]}).status_code == 403
    assert in_the_admin.get(path).status_code == 405
    assert in_the_admin.post("/admin/products/product/0/images/").status_code == 404


def test_pictures_are_described_ordered_and_deleted(in_the_admin, page, product, clerk):
    for alt, color in (("a", (10, 0, 0)), ("b", (90, 0, 0)), ("c", (200, 0, 0))):
        pictures.add(product, clerk, color, alt=alt)
    changes = {"images-0-position": "2", "images-1-position": "1", "images-2-alt": "C"}
    assert submit(in_the_admin, page, **changes).status_code == 302
    assert get_alts(product) == ["b", "a", "C"]
    assert submit(in_the_admin, page, **{"images-0-DELETE": "on"}).status_code == 302
    assert [(image.alt, image.position) for image in product.images.all()] == [("a", 1), ("C", 2)]


def test_saving_an_unchanged_form_changes_no_picture(in_the_admin, page, product, clerk):
    pictures.add(product, clerk)
    product.refresh_from_db()
    before = product.revision
    assert submit(in_the_admin, page).status_code == 302
    product.refresh_from_db()
    assert product.revision == before


def test_picture_that_was_deleted_meanwhile_is_no_server_error(in_the_admin, page, product, clerk):
    image = pictures.add(product, clerk)
    data = form_data(in_the_admin.get(page)) | {"images-0-alt": "new"}
    image.remove()
    assert in_the_admin.post(page, data).status_code in (200, 400, 409)


def test_those_who_only_adjust_the_stock_see_pictures_and_change_none(
    client, upload, page, product, clerk
):
    pictures.add(product, clerk, alt="A bag")
    names = ("view_product", "add_stockadjustment")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    content = client.get(page).content.decode()
    assert "product-image" in content
    assert "images-0-alt" not in content
    assert 'name="images"' not in content
    assert upload(pictures.as_file(pictures.draw()), browser=client).status_code == 403
