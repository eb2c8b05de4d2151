"""The files of pictures: where they are kept, how they are served and swept.

A file is named by the hash of its content (`Picture.name`), and so never changes.
"""

import os
import random
import time
from datetime import timedelta
from secrets import token_hex

from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.http import FileResponse, Http404
from django.utils import timezone
from django.views.decorators.http import require_safe

IMMUTABLE = "public, max-age=31536000, immutable"
CONTENT_SECURITY_POLICY = "default-src 'none'; sandbox"
FOLDERS = 256
SWEEP_INTERVAL = 300  # seconds: all folders within a day
SWEEP_SIZE = 500  # files that one sweep looks at
SWEEP_AGE = timedelta(days=1)  # since a file is there before its row


class MediaStorage(FileSystemStorage):
    """Django's, in which a file is there whole or not at all."""

    def _save(self, name, content):
        temporary = super()._save(f"{name}.{token_hex(8)}", content)
        os.replace(self.path(temporary), self.path(name))
        return name

    def get_available_name(self, name, max_length=None):
        return name  # of the same content


@require_safe
def serve_picture(request, name):
    """Serve a picture of the MediaStorage. The URL matches the names of pictures only."""
    if not isinstance(storages["default"], MediaStorage):
        raise Http404
    try:
        file = default_storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(file, content_type="image/webp")
    response["Cache-Control"] = IMMUTABLE
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def save_file(picture):
    """Save a Picture under its name, unless the storage has it."""
    if not default_storage.exists(picture.name):
        default_storage.save(picture.name, ContentFile(picture.content))


def sweep_files():
    """Delete files that no row names and that are over SWEEP_AGE old: in one folder at a time.

    Returns how many. It takes no lock: if the same picture is uploaded in the meantime, either
    `ProductImage.objects.add` finds its file gone and saves it again, or its row is found here and
    the file is put back.
    """
    folder = f"{int(time.time() / SWEEP_INTERVAL) % FOLDERS:02x}"
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    files = [f"{folder}/{name}" for name in random.sample(names, min(len(names), SWEEP_SIZE))]
    unnamed = set(files) - named_among(files)
    limit = timezone.now() - SWEEP_AGE
    return sum(sweep_file(file) for file in unnamed if is_older(file, limit))


def is_older(file, limit):
    try:
        return default_storage.get_modified_time(file) < limit
    except FileNotFoundError:  # another process swept it
        return False


def sweep_file(file):
    """Delete the file, unless a row names it by now. Return whether it is gone."""
    with default_storage.open(file) as opened:
        content = opened.read()
    default_storage.delete(file)
    if named_among([file]):
        default_storage.save(file, ContentFile(content))
        return False
    return True


def named_among(files):
    return apps.get_model("products.ProductImage").objects.named_among(files)
