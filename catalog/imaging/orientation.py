"""The eight ways a picture can lie, numbered as in EXIF, and how to stand it up."""

from __future__ import annotations

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = frozenset((5, 6, 7, 8))
_LEFT_RIGHT = frozenset((2, 3, 6, 7))  # of the upright picture, counted from the other side
_TOP_BOTTOM = frozenset((3, 4, 7, 8))


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it was meant to be seen."""
    turn = _TURN.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(width, height) of the picture once upright."""
    return (size[1], size[0]) if orientation in _SIDES_SWAPPED else size


def upright_extent(extent: tuple[float, float], size: tuple[int, int], orientation: int) -> Box:
    """Where the top left ``extent`` of an image of ``size`` lies once the image is upright."""
    width, height = extent
    full_width, full_height = size
    if orientation in _SIDES_SWAPPED:
        width, height = height, width
        full_width, full_height = full_height, full_width
    left = full_width - width if orientation in _LEFT_RIGHT else 0.0
    top = full_height - height if orientation in _TOP_BOTTOM else 0.0
    return (left, top, left + width, top + height)
