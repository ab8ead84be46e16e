"""Fixtures that several folders share."""

from tests.matching.albums import album, inline
from tests.matching.shelves import shelf
from tests.support import database, mounts, open_place

__all__ = ["album", "database", "inline", "mounts", "open_place", "shelf"]
