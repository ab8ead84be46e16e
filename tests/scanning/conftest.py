"""Fixtures that several folders share."""

from tests.support import database, library, mounts, open_place, reader

__all__ = ["database", "library", "mounts", "open_place", "reader"]
