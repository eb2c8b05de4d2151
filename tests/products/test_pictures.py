"""What comes in is drawn anew: 64 hostile files are refused or made harmless, and none is kept."""

import io
import struct
import zipfile
import zlib

import pytest
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image, ImageCms

from products import pictures as drawing
from products.pictures import InvalidPicture, redraw
from products.uploads import UploadParser
from tests import pictures
from tests.pictures import draw

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><script>alert(document.domain)</script></html>"
PHP = b"<?php system($_GET['c']); ?>"
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"
JPEG = {"picture_format": "JPEG"}
WEBP = {"picture_format": "WEBP"}
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def archive():
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as file:
        file.writestr("META-INF/MANIFEST.MF", "Main-Class: Evil")
    return output.getvalue()


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, data=None, depth=8, color=0, extra=b""):
    """A PNG by hand: of any size, and with any data."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    data = zlib.compress(b"\0" * 1000, 9) if data is None else data
    return PNG_HEAD + head + extra + chunk(b"IDAT", data) + chunk(b"IEND")


def frames(picture_format):
    output = io.BytesIO()
    first, *others = (Image.new("RGB", (8, 8), (index * 80, 0, 0)) for index in range(3))
    first.save(output, picture_format, save_all=True, append_images=others)
    return output.getvalue()


def with_segment(marker, data):
    """A JPEG with a segment of any content behind its first two bytes."""
    jpeg = draw(**JPEG)
    return jpeg[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


def resized(content, width, height):
    """A JPEG whose frame header has another size."""
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def riff(*chunks):
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def hostile_files():
    """Return `{name: (code, content)}`; the code is None of what is drawn anew, and harmless."""
    jpeg, webp, flat = draw(**JPEG), draw(**WEBP), draw()
    big = draw((300, 200), color=(1, 2, 3))
    noise = draw((64, 64), "RGB", "JPEG", color=(9, 9, 9), progressive=True)
    refused = {
        "empty_file": {"empty": b""},
        "unsupported_picture": {
            "svg": SVG,
            "svg with xml": b'<?xml version="1.0"?>' + SVG,
            "html": HTML,
            "php": PHP,
            "pdf": PDF,
            "zip": archive(),
            "gif": draw(picture_format="GIF"),
            "moving gif": frames("GIF"),
            "gif of one byte": b"GIF89a",
            "bmp": draw(picture_format="BMP"),
            "tiff": draw(picture_format="TIFF"),
            "moving tiff": frames("TIFF"),
            "ico": draw((16, 16), picture_format="ICO"),
            "tga": draw(picture_format="TGA"),
            "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n",
            "xbm": b"#define x_width 9\n#define x_height 9\nstatic char x_bits[] = {0};",
            "ppm": b"P6 9999 9999 255\n",
            "psd": b"8BPS\0\1" + b"\0" * 40,
            "heic": b"\0\0\0\x18ftypheic" + b"\0" * 40,
            "mp4": b"\0\0\0\x18ftypmp42" + b"\0" * 40,
            "executable": b"\x7fELF" + b"\0" * 60,
            "script": b"#!/bin/sh\nrm -rf /\n",
            "text": b"not a picture",
            "nulls": b"\0" * 1000,
            "png head alone": PNG_HEAD,
            "png without size": PNG_HEAD + chunk(b"IDAT", b"x") + chunk(b"IEND"),
            "png behind a script": HTML + flat,
            "png of no width": png(0, 5),
            "jpeg head alone": b"\xff\xd8\xff",
            "riff that is no webp": riff((b"fmt ", b"\0" * 16)),
        },
        "too_many_pixels": {
            "png bomb": png(30_000, 30_000),
            "png of the largest size": png(2**31 - 1, 2**31 - 1),
            "png line": png(2**31 - 1, 1),
            "png just too large": png(5_000, 5_001),
            "jpeg bomb": resized(jpeg, 65_500, 65_500),
            "palette bomb": png(8_000, 8_000, depth=1, color=3, extra=chunk(b"PLTE", b"\0\0\0")),
            "webp bomb": riff(
                (b"VP8X", b"\x10\0\0\0" + b"\xfe\x3f\0" * 2), (b"VP8L", b"\x2f\0\0\0\0\0\0\0")
            ),
        },
        "animated_picture": {"moving png": frames("PNG"), "moving webp": frames("WEBP")},
        "mixed_picture": {
            "png and html": flat + HTML,
            "jpeg and html": jpeg + HTML,
            "webp and svg": webp + SVG,
            "jpeg and php in a comment": with_segment(0xFE, PHP),
            "jpeg and script in a profile": with_segment(0xE2, b"ICC_PROFILE\0\1\1" + HTML),
            "png and archive": flat + archive(),
            "jpeg and pdf": jpeg + PDF,
            "png and text chunk": flat[:33] + chunk(b"tEXt", b"Comment\0" + HTML) + flat[33:],
        },
        "broken_picture": {
            "truncated png": big[:-40],
            "truncated jpeg": draw((300, 200), **JPEG)[:-60],
            "truncated webp": draw((300, 200), color=(1, 2, 3), **WEBP)[:-10],
            "png with wrong data": png(100, 100, b"\xff" * 50),
            "png with too little data": png(100, 100, zlib.compress(b"\0" * 50)),
            "png with a wrong sum": flat[:-20] + bytes([flat[-20] ^ 1]) + flat[-19:],
            "jpeg of a thousand scans": noise[:-2] + noise[noise.index(b"\xff\xda") : -2] * 300,
            "jpeg cut within its head": jpeg[:120],
        },
        None: {
            "jpeg with a place": draw(exif=exif({0x8825: {1: "N", 2: (52.0, 31.0, 12.0)}}), **JPEG),
            "jpeg with a false profile": with_segment(0xE2, b"ICC_PROFILE\0\1\1" + b"x" * 200),
            "jpeg with a comment": with_segment(0xFE, b"onerror=alert(1)"),
            "jpeg with bytes behind it": jpeg + b"\0" * 5000 + b"MOTION",
            "png with a compressed text": flat[:33]
            + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 100_000))
            + flat[33:],
            "jpeg with false exif": with_segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
            "webp with xmp": draw(xmp=b"<x:xmpmeta>secret</x:xmpmeta>", **WEBP),
            "picture named as a script": flat,
        },
    }
    return {name: (code, file) for code, files in refused.items() for name, file in files.items()}


def exif(tags):
    result = Image.Exif()
    for tag, value in tags.items():
        result[tag] = value
    return result


FILES = hostile_files()


def test_there_are_64_hostile_files():
    assert len(FILES) == 64
    assert len({content for _, content in FILES.values()}) == 64


@pytest.mark.parametrize("name", FILES)
def test_hostile_file_is_refused_or_drawn_anew(settings, tmp_path, as_clerk, product, name):
    settings.MEDIA_ROOT = str(tmp_path)
    code, content = FILES[name]
    response = pictures.upload(as_clerk, product, content, name="../../evil.php")
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    if code:
        assert response.status_code == 400
        (error,) = response.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/file", code)
        assert stored == []
    else:
        assert response.status_code == 201
        (file,) = stored
        assert file != content
        assert not set(chunks(file)) - {b"VP8X", b"ALPH", b"VP8 ", b"VP8L"}


def chunks(webp):
    """Yield the names of the chunks of a WebP: pixels only, if it has no metadata."""
    position = 12
    while position < len(webp):
        yield webp[position : position + 4]
        size = struct.unpack("<I", webp[position + 4 : position + 8])[0]
        position += 8 + size + size % 2
    assert position == len(webp)


# --- Kinds of pictures --------------------------------------------------------------------------


def pixel(picture, at=(0, 0)):
    return Image.open(io.BytesIO(picture.content)).convert("RGBA").getpixel(at)


def is_near(color, other):
    return all(abs(one - two) <= 6 for one, two in zip(color, other, strict=True))


@pytest.mark.parametrize(
    ("content", "color"),
    [
        (draw(mode="RGB", color=(200, 40, 40)), (200, 40, 40, 255)),
        (draw(mode="L", color=128), (128, 128, 128, 255)),
        (draw(mode="1", color=1), (255, 255, 255, 255)),
        (draw(mode="LA", color=(90, 0)), (90, 90, 90, 0)),
        (draw(mode="RGBA", color=(10, 200, 30, 255)), (10, 200, 30, 255)),
        (draw(mode="I;16", color=128 * 257), (128, 128, 128, 255)),
        (draw(mode="CMYK", color=(0, 255, 255, 0), **JPEG), (254, 0, 0, 255)),
        (draw(mode="P", color=0, transparency=0), (0, 0, 0, 0)),
        (draw(mode="RGB", color=(10, 20, 200), transparency=(10, 20, 200)), (10, 20, 200, 0)),
    ],
)
def test_every_kind_of_picture_keeps_its_colour(content, color):
    drawn = pixel(redraw(content))
    assert drawn[3] == color[3]
    assert color[3] == 0 or is_near(drawn, color)


def test_picture_of_a_camera_is_turned_upright():
    image = Image.new("RGB", (40, 20), (255, 255, 255))
    image.paste((200, 0, 0), (0, 0, 20, 20))
    output = io.BytesIO()
    image.save(output, "JPEG", exif=exif({0x0112: 6}))  # turned by 90° to the right
    picture = redraw(output.getvalue())
    assert (picture.width, picture.height) == (20, 40)
    assert is_near(pixel(picture, (10, 5)), (200, 0, 0, 255))
    assert is_near(pixel(picture, (10, 35)), (255, 255, 255, 255))


def test_colours_of_another_profile_are_converted():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    picture = redraw(draw(color=(30, 90, 200), icc_profile=lab.tobytes()))
    assert is_near(pixel(picture), (30, 90, 200, 255))


def test_large_picture_is_made_smaller():
    picture = redraw(draw((3000, 300)))
    assert (picture.width, picture.height) == (2000, 200)


def test_same_picture_has_the_same_name():
    assert redraw(draw()).name == redraw(draw()).name
    assert redraw(draw()).name != redraw(draw((8, 7))).name


# --- Limits of the request ----------------------------------------------------------------------


def test_larger_request_is_refused_unread(as_clerk, product):
    response = pictures.upload(as_clerk, product, b"\0" * (10 * 2**20))
    assert (response.status_code, response.json()["code"]) == (413, "request_too_large")


def test_chunked_upload_needs_a_length(as_clerk, product):
    path = f"/api/products/{product.pk}/images/"
    data = {"file": pictures.as_file(draw())}
    response = as_clerk.post(path, data, format="multipart", HTTP_TRANSFER_ENCODING="chunked")
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


def test_file_of_a_customer_is_not_even_read(as_alice, product, monkeypatch):
    monkeypatch.setattr(UploadParser, "parse", None)
    assert pictures.upload(as_alice, product, draw()).status_code == 403


def test_file_is_refused_everywhere_else(as_clerk, client, product):
    data = {"name": "x", "file": io.BytesIO(draw())}
    assert client.post("/admin/login/", data).status_code == 400
    assert as_clerk.post("/api/obtain-token/", data, format="multipart").status_code == 413


def test_form_that_is_not_utf8_is_refused(as_clerk, product):
    form = {"alt": "T@te Kaffee", "file": pictures.as_file(draw())}
    content = encode_multipart(BOUNDARY, form).replace(b"T@te", "Tüte".encode("latin-1"))
    path = f"/api/products/{product.pk}/images/"
    response = as_clerk.generic("POST", path, content, MULTIPART_CONTENT)
    assert response.status_code == 400
    assert response.json()["detail"] == "The form is not UTF-8, or it has the character U+FFFD."
    assert not product.images.exists()


def test_second_decoder_of_a_process_is_asked_to_come_again(as_clerk, product):
    with drawing.decoding.acquire():
        response = pictures.upload(as_clerk, product, draw())
    assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
    assert response["Retry-After"] == "1"


@pytest.mark.parametrize("data", [{}, {"file": "text"}, {"alt": "x"}])
def test_missing_file_is_named(as_clerk, product, data):
    path = f"/api/products/{product.pk}/images/"
    response = as_clerk.post(path, data, format="multipart")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/file"


def test_field_that_nobody_knows_or_that_comes_twice_is_refused(as_clerk, product):
    path = f"/api/products/{product.pk}/images/"
    twice = as_clerk.post(path, {"file": [io.BytesIO(draw())] * 2}, format="multipart")
    assert (twice.status_code, twice.json()["code"]) == (400, "parse_error")
    other = as_clerk.post(path, {"file": io.BytesIO(draw()), "Alt": "x"}, format="multipart")
    assert other.json()["errors"][0]["code"] == "unknown_field"


def test_json_is_no_upload(as_clerk, product):
    response = as_clerk.post(f"/api/products/{product.pk}/images/", {"file": "x"})
    assert response.status_code == 415


def test_pixels_are_counted_before_any_is_decoded(monkeypatch):
    monkeypatch.setattr(drawing, "draw", None)
    with pytest.raises(InvalidPicture, match="megapixels"):
        redraw(png(5_000, 5_001))
