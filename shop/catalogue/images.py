"""Pictures: uploads made harmless, and where a product's picture is found.

`Product.image` is empty, `static:<path>` (ships with the code) or `media:<name>` (uploaded).
"""

import io
import uuid
from typing import IO, Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.templatetags.static import static
from PIL import Image, ImageOps

from shop.catalogue.errors import NotAPicture, PictureTooLarge, TooManyPixels

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_PIXELS: Final = 24_000_000
MAX_SIDE: Final = 1600
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
# Pillow's decoders raise all of these on damaged or hostile files.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def url(image: str) -> str | None:
    """The path of a picture on this server, or its whole URL where the storage gives one."""
    kind, _, name = image.partition(":")
    if not name:
        return None
    return static(name) if kind == "static" else default_storage.url(name)


def keep(upload: IO[bytes], size: int) -> str:
    """Store an upload under a random name and return what `Product.image` then holds.

    Raises PictureTooLarge, NotAPicture or TooManyPixels.
    """
    if size > MAX_BYTES:
        raise PictureTooLarge
    content = ContentFile(reencode(upload))
    return "media:" + default_storage.save(f"catalogue/{uuid.uuid4().hex}.webp", content)


def discard(image: str) -> None:
    """Delete an uploaded picture; the ones that ship with the code stay."""
    kind, _, name = image.partition(":")
    if kind == "media":
        default_storage.delete(name)


def reencode(upload: IO[bytes]) -> bytes:
    """The picture as WebP of at most 1600 x 1600: no metadata, nothing hidden in it survives."""
    try:
        with Image.open(upload, formats=_FORMATS) as picture:
            # The header says how large it is; decoding comes after the refusal.
            if picture.width * picture.height > MAX_PIXELS:
                raise TooManyPixels
            return _as_webp(picture)
    except _DAMAGED as error:
        raise NotAPicture from error


def _as_webp(picture: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    out = io.BytesIO()
    upright.save(out, "WEBP", quality=85)
    return out.getvalue()
