"""The files of pictures are swept once no row names them, and the storage can be a bucket."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from products import media
from tests import factories, pictures

OLD = (media.SWEEP_AGE + timedelta(hours=1)).total_seconds()


@pytest.fixture
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def make_old(path):
    then = time.time() - OLD
    os.utime(path, (then, then))


def sweep(monkeypatch, file):
    """Sweep when it is the turn of the file's folder."""
    turn = int(Path(file).parent.name, 16) * media.SWEEP_INTERVAL
    with monkeypatch.context() as patch:
        patch.setattr(media.time, "time", lambda: turn)
        return media.sweep_files()


@pytest.fixture
def image(folder, product, clerk):
    """An image whose file is old."""
    image = pictures.add(product, clerk)
    make_old(image.file.path)
    return image


def test_file_that_a_row_names_is_kept(monkeypatch, image):
    assert sweep(monkeypatch, image.file.name) == 0
    assert Path(image.file.path).exists()


def test_file_of_a_deleted_picture_is_swept(monkeypatch, image):
    image.remove()
    assert sweep(monkeypatch, image.file.name) == 1
    assert not Path(image.file.path).exists()


def test_file_that_another_product_shares_is_kept(monkeypatch, image, clerk):
    pictures.add(factories.products.make(), clerk)
    image.remove()
    assert sweep(monkeypatch, image.file.name) == 0


def test_young_file_is_kept(monkeypatch, folder, product, clerk):
    image = pictures.add(product, clerk)
    image.remove()
    assert sweep(monkeypatch, image.file.name) == 0


def test_thumbnail_is_kept(monkeypatch, image):
    path = Path(image.file.path).with_name(f"{'0' * 64}.webp")
    path.write_bytes(b"RIFF")
    make_old(path)
    image.thumbnail = f"{path.parent.name}/{path.name}"
    image.save()
    assert sweep(monkeypatch, image.thumbnail.name) == 0
    image.delete()
    assert sweep(monkeypatch, image.thumbnail.name) == 2


def test_a_day_of_sweeps_comes_to_every_folder():
    assert media.FOLDERS * media.SWEEP_INTERVAL <= 24 * 3600


def test_sweep_looks_at_a_bounded_number_of_files(monkeypatch, folder):
    for number in range(5):
        path = folder / "ab" / f"{number:064}.webp"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        make_old(path)
    monkeypatch.setattr(media, "SWEEP_SIZE", 3)
    assert sweep_named(monkeypatch) == 3
    assert sweep_named(monkeypatch) == 2


def sweep_named(monkeypatch):
    monkeypatch.setattr(media, "named_among", lambda files: set())
    return sweep(monkeypatch, "ab/x")


def test_picture_that_is_uploaded_while_its_file_is_swept_has_its_file(
    monkeypatch, image, product, clerk
):
    image.remove()
    named_among = media.named_among

    def upload_in_between(files):
        """The sweep asks before and after it deletes; the upload comes before the deletion."""
        named = named_among(files)
        if not product.images.exists():
            pictures.add(product, clerk)
        return named

    monkeypatch.setattr(media, "named_among", upload_in_between)
    assert sweep(monkeypatch, image.file.name) == 0
    assert Path(product.images.get().file.path).exists()


def test_file_that_was_swept_before_its_row_came_is_saved_again(monkeypatch, image, product, clerk):
    image.remove()
    append = type(image).append

    def sweep_before(new):
        media.sweep_file(new.file.name)
        append(new)

    monkeypatch.setattr(type(image), "append", sweep_before)
    assert Path(pictures.add(product, clerk).file.path).exists()


def test_half_written_file_has_another_name(folder, monkeypatch):
    def fail(*args):
        raise OSError

    monkeypatch.setattr(media.os, "replace", fail)
    storage = media.MediaStorage()
    with pytest.raises(OSError):  # noqa: PT011
        storage.save("ab/name.webp", media.ContentFile(b"x"))
    assert not storage.exists("ab/name.webp")
