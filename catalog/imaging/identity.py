"""Which decoders are at work, as one string, told without importing any of them."""

from __future__ import annotations

from functools import cache

REVISION = 1  # rises when this package reads a file that it gave up on before
_DECODERS = ("pillow", "pillow-heif", "rawpy", "pillow-jxl-plugin")


@cache
def decoder_identity() -> str:
    """Changes whenever another attempt at a file that failed may end differently."""
    # a run that finds nothing to do never gets here, and need not pay for the import
    from importlib.metadata import PackageNotFoundError, version

    def found(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "none"

    return " ".join([f"imgcat={REVISION}", *(f"{name}={found(name)}" for name in _DECODERS)])
