"""Small pictures for tests, drawn when they are needed."""

from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from products.models import ProductImage


def draw(size=(8, 6), mode="RGB", picture_format="PNG", color=None, **options):
    """Return the bytes of a picture of one colour."""
    output = BytesIO()
    Image.new(mode, size, color or 0).save(output, picture_format, **options)
    return output.getvalue()


def draw_noise(size):
    """Return a PNG that no compression makes small."""
    output = BytesIO()
    Image.effect_noise(size, 100).save(output, "PNG", compress_level=1)
    return output.getvalue()


def as_file(content, name="bag.png"):
    return SimpleUploadedFile(name, content, "image/png")


def upload(client, product, content, alt="A bag", key=None, name="bag.png"):
    headers = {"Idempotency-Key": key} if key else {}
    data = {"file": as_file(content, name), "alt": alt}
    path = f"/api/products/{product.pk}/images/"
    return client.post(path, data, format="multipart", headers=headers)


def send(client, method, path, body):
    """Send JSON, or a form with a picture if the body is `{a picture}`."""
    extra = {}
    if body == "{a picture}":
        body, extra = {"file": as_file(draw())}, {"format": "multipart"}
    return getattr(client, method.lower())(path, body, **extra)


def fill_in(path, product, clerk):
    """Return the path with the id of an image of the product, if it needs one."""
    if "{image}" in path:
        image = product.images.first() or add(product, clerk)
        path = path.replace("{image}", str(image.pk))
    return path


def add(product, clerk, color=(1, 2, 3), **fields):
    return ProductImage.objects.add(product, draw(color=color), by=clerk, **fields)
