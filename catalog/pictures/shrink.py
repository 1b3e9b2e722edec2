"""Make a small picture of one that nobody vouches for. What comes out holds pixels and no more.

Pillow is imported inside: a web process has no use for it.
"""

import io
import warnings

PIXELS = 20_000_000
SIDE = 640  # pixels, at most
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
QUALITY = 82


class NotShrunk(Exception):
    """It is no picture, or one that would take more than it is worth. The text is for the log."""


def shrink(picture: bytes) -> bytes:
    """A JPEG of the first frame: upright, on white, without anything that was said beside it.

    Raises NotShrunk
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(picture), formats=FORMATS) as opened:
                width, height = opened.size
                if width * height > PIXELS:
                    raise NotShrunk("too many pixels")
                opened.draft("RGB", (SIDE, SIDE))  # a JPEG is read no larger than it is shown
                turned = ImageOps.exif_transpose(opened)
                return _as_jpeg(turned)
    except Exception as error:  # what damage makes a decoder raise is without end
        raise NotShrunk(type(error).__name__) from None


def _as_jpeg(picture) -> bytes:
    from PIL import Image

    picture.thumbnail((SIDE, SIDE))
    layer = picture.convert("RGBA")
    plain = Image.new("RGB", layer.size, "white")
    plain.paste(layer, mask=layer.getchannel("A"))
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
