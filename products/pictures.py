"""Files of strangers into pictures of the shop: nothing of what came in is kept.

A file is decoded by its content, within bounds, and drawn anew: a WebP without metadata, in sRGB,
upright, of at most MAX_SIDE pixels a side. What else it held (a script, a position, an archive) is
gone, and its name is the hash of what was drawn.
"""

import hashlib
import re
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageCms, ImageFile, ImageOps

from shopply.api.slots import Slots

MAX_PIXELS = 25_000_000  # a WebP of as many takes 400 MB while it is drawn, others 250
MAX_SIDE = 2_000  # pixels, of what is kept
THUMBNAIL_SIDE = 400
QUALITY = 82
# Progressive JPEGs have about ten. Each is decoded over all pixels, and costs a few bytes only.
MAX_SCANS = 100
FORMATS = ("JPEG", "PNG", "WEBP")
# What makes another program take the file for a page, a document, a script or an archive.
OTHER_CONTENT = re.compile(
    rb"<script|<html|<!doctype|<iframe|<svg\s|<\?php|<\?xml-|#!/|%PDF-1|PK\x05\x06\0\0\0\0|Rar!\x1a\x07"
    rb"|7z\xbc\xaf\x27\x1c|<%@|javascript:",
    re.IGNORECASE,
)
NAME = "[0-9a-f]{2}/[0-9a-f]{64}[.]webp"

# At most one at a time in a process, since it takes so much memory.
decoding = Slots(1)


class InvalidPicture(Exception):
    """The file is no picture that the shop takes; `code` is one of ERROR_CODES."""

    MESSAGES = {  # noqa: RUF012
        "empty_file": "The file is empty.",
        "unsupported_picture": "Must be a JPEG, PNG or WebP picture.",
        "animated_picture": "Must be a picture that does not move.",
        "too_many_pixels": f"Must have at most {MAX_PIXELS // 10**6} megapixels.",
        "mixed_picture": "The file holds a page, script or archive beside the picture.",
        "broken_picture": "The picture is damaged or incomplete.",
    }

    def __init__(self, code):
        super().__init__(self.MESSAGES[code])
        self.code = code


@dataclass(frozen=True)
class Picture:
    content: bytes  # of a WebP
    width: int
    height: int

    @property
    def name(self):
        """The name of its file: in one of 256 folders."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"{digest[:2]}/{digest}.webp"


def redraw(content, side=MAX_SIDE):
    """Return the Picture of an uploaded file. Raises InvalidPicture and, at once, Busy."""
    if not content:
        raise InvalidPicture("empty_file")
    with decoding.acquire(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metadata, which is left out anyway
        ImageFile.LOAD_TRUNCATED_IMAGES = False  # WeasyPrint sets it for the whole process
        image = open_image(content)
        try:
            image = draw(image, side)
        # Decoders raise many kinds of exceptions, of which Pillow has no list.
        except Exception as exc:
            raise InvalidPicture("broken_picture") from exc
        return encode(image)


def open_image(content):
    """Return the image, of which the header is read and nothing decoded. Raises InvalidPicture."""
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise InvalidPicture("too_many_pixels") from None
    except Image.UnidentifiedImageError:
        raise InvalidPicture("unsupported_picture") from None
    except Exception as exc:
        raise InvalidPicture("broken_picture") from exc
    if image.width * image.height > MAX_PIXELS:
        raise InvalidPicture("too_many_pixels")
    # Several pictures in a JPEG (MPO) are those of a camera; the first is the one to show.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise InvalidPicture("animated_picture")
    if OTHER_CONTENT.search(content):
        raise InvalidPicture("mixed_picture")
    if image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > MAX_SCANS:
        raise InvalidPicture("broken_picture")
    return image


def draw(image, side):
    """Return the image in RGB or RGBA, in sRGB, upright and within `side` pixels."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which `convert` would cut off
        image = image.point(lambda value: value / 256).convert("L")
    elif image.mode in ("1", "P"):  # which can only be shrunk as colours
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((side, side))  # a JPEG is decoded at about this size
    ImageOps.exif_transpose(image, in_place=True)
    image = to_srgb(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def to_srgb(image):
    """Return the image in sRGB, if its colour profile is a sound one of its mode."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = image.mode if image.mode in ("RGB", "RGBA") else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError):
        return image


def encode(image):
    output = BytesIO()
    image.info.clear()
    image.save(output, "WEBP", quality=QUALITY, method=4)
    return Picture(output.getvalue(), *image.size)
