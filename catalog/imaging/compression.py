"""How strongly a JPEG was compressed, and whether that happened once only.

The quality is the setting of the IJG's library whose luma table is nearest to that in the file
(jcparam.c: the table of ITU T.81 K.1, scaled by 5000 / q below 50, and by 200 - 2q from there).
A file that was encoded finely says nothing of how coarsely it was encoded before. That is seen in
its coefficients, which still lie at multiples of the coarser steps. In 10 photos encoded at nine
pairs of qualities, 40 to 90 and again with steps no more than half as wide, it was seen each time.
Of 50 encoded once, 43 were found to be; of the other 7 nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from catalog.imaging.source import Source

Table = npt.NDArray[np.int64]  # (8, 8), the lowest frequency first

_STANDARD: Final = np.array(
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    )
)
_LOW: Final = ((0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0))
_BLOCKS: Final = 12_288  # that are looked at, from all over the picture
_COARSEST: Final = 60  # the widest step that is looked for
_WIDER: Final = 1.5  # times the step of the file, from which an earlier one is told apart
_FEW: Final = 60  # coefficients, that say nothing of a step
_ENOUGH: Final = 200  # coefficients of a frequency beyond zero, that would have shown one
_ALIGNED: Final = 0.5  # mean cosine, 1 where all lie at multiples of the step, and 0 anywhere
_MOST: Final = 4  # frequencies that have to agree


@dataclass(frozen=True, slots=True)
class Compression:
    """``once`` is False where an earlier, coarser encoding is seen, or could not be seen."""

    quality: int  # 1-100
    once: bool


def of_jpeg(source: Source) -> Compression | None:
    """None where the file has no tables; decodes all its pixels. Raises what Pillow does."""
    with Image.open(source.rewound(), formats=("JPEG",)) as image:
        table = _luma_table(image)
        if table is None:
            return None
        has_luma = image.mode == "L" or (
            image.mode == "RGB" and image.info.get("adobe_transform", 1) == 1
        )
        once = False
        if has_luma:
            image.draft("YCbCr", image.size)
            once = _is_once(np.asarray(image), table)
    return Compression(quality_of(table), once)


def _luma_table(image: Image.Image) -> Table | None:
    if not isinstance(image, JpegImageFile) or not image.layer:
        return None
    steps = image.quantization.get(image.layer[0][3])
    if steps is None or len(steps) != 64 or min(steps) < 1:
        return None
    return np.array(steps).reshape(8, 8)


def quality_of(table: Table) -> int:
    """The setting, 1-100, that makes a table most like this one."""
    apart = np.abs(np.log(_SCALED / table)).sum(axis=(1, 2))
    return int(apart.argmin()) + 1


def scale_of(quality: int) -> int:
    """How wide the steps of a quality are, in percent of the standard; at least 2."""
    return 5000 // quality if quality < 50 else max(2, 200 - 2 * quality)


def _scaled(quality: int) -> Table:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.asarray(((_STANDARD * scale + 50) // 100).clip(1, 255))


_SCALED: Final = np.stack([_scaled(quality) for quality in range(1, 101)])


def _is_once(pixels: npt.NDArray[np.uint8], table: Table) -> bool:
    """Whether there is enough to be seen, and nothing lies at multiples of coarser steps."""
    sizes = np.abs(_coefficients(pixels))
    telling = coarser = 0
    for row, column in _LOW:
        values, step = sizes[:, row, column], int(table[row, column])
        telling += int(np.count_nonzero(values > 0.9 * step)) >= _ENOUGH
        coarser += _has_coarser(values, step)
    return telling >= _MOST and coarser < _MOST


def _coefficients(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(blocks, 8, 8) of the luma, of blocks as the file has them."""
    rows, columns = (side // 8 for side in pixels.shape[:2])
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    whole = pixels[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8, bands)
    chosen = np.arange(0, rows * columns, max(1, rows * columns // _BLOCKS))
    some = whole.swapaxes(1, 2)[chosen // max(1, columns), chosen % max(1, columns)]
    luma = some[~_is_cut_off(some)][..., 0].astype(np.float32)
    from scipy.fft import dctn  # much, for who wants pictures only

    return np.asarray(dctn(luma - 128, axes=(1, 2), norm="ortho"))


def _is_cut_off(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where a channel of RGB is at its limit: such a block lies at multiples of nothing any more.

    ``blocks`` are (blocks, 8, 8, 1) of grey, or 3 of YCbCr.
    """
    values = blocks.astype(np.float32)
    channels = [values[..., 0]]
    if values.shape[-1] == 3:
        blue, red = values[..., 1] - 128, values[..., 2] - 128
        green = -0.344 * blue - 0.714 * red
        channels = [channels[0] + each for each in (1.402 * red, green, 1.772 * blue)]
    limits = [(each < 1) | (each > 254) for each in channels]
    return np.asarray(np.any(limits, axis=(0, 2, 3)))


def _has_coarser(values: npt.NDArray[np.float32], step: int) -> bool:
    values = np.sort(values)
    for wider in range(_COARSEST, max(2, int(np.ceil(_WIDER * step)) - 1), -1):
        beyond = values[np.searchsorted(values, 0.6 * wider) :]
        if len(beyond) >= _FEW and np.cos(2 * np.pi / wider * beyond).mean() > _ALIGNED:
            return True
    return False
