from django.core.files.storage import default_storage

from products.images import ProductImage
from products.media import save_file
from products.pictures import THUMBNAIL_SIDE, redraw
from shopply.api.tasks import retried_task


@retried_task
def make_thumbnail(file):
    """Make the thumbnail of a file of pictures, for all images that have it."""
    try:
        with default_storage.open(file) as opened:
            content = opened.read()
    except FileNotFoundError:  # it was removed and swept
        return
    picture = redraw(content, THUMBNAIL_SIDE)
    save_file(picture)
    ProductImage.objects.set_thumbnail(file, picture.name)
    save_file(picture)  # as in `ProductImage.objects.add`
