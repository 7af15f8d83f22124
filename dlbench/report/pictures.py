"""Images of a grid as files: enlarged to a size that can be looked at, with their boxes drawn in."""

import base64
from html import escape

import vl_convert

from dlbench.schema.blocks import Box, Picture

COLOURS = {"normal": "#f07800", "good": "#1f9d62", "warning": "#d99a00", "error": "#d3342a"}
"""Of a box, by its tone: each stands out on light and on dark images."""


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, as the file's header says.

    Raises:
        ValueError: the bytes are no PNG.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise ValueError("the image of a report is no PNG")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def data_url(png: bytes) -> str:
    """The image as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def drawn(picture: Picture, width_px: int) -> bytes:
    """The picture as PNG of that width; pixels of small ones stay square, labels of boxes stand inside them."""
    width, height = size(picture.png)
    height_px = max(1, round(width_px * height / width))
    look = 'image-rendering="optimizeSpeed"' if width < width_px else ""
    boxes = "".join(_box(box, width_px, height_px) for box in picture.boxes)
    return bytes(
        vl_convert.svg_to_png(
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width_px}" height="{height_px}">'
            f'<image width="{width_px}" height="{height_px}" preserveAspectRatio="none" {look} '
            f'xlink:href="{data_url(picture.png)}"/>{boxes}</svg>'
        )
    )


def _box(box: Box, width_px: int, height_px: int) -> str:
    x, y = box.left * width_px, box.top * height_px
    colour = COLOURS[box.tone]
    label = "".join(character for character in box.label if character.isprintable())
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width * width_px:.1f}" height="{box.height * height_px:.1f}" '
        f'fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{x + 3:.1f}" y="{y + 12:.1f}" font-family="sans-serif" font-size="10" fill="white" '
        f'stroke="{colour}" stroke-width="3" paint-order="stroke">{escape(label)}</text>'
    )
