"""Fixtures that several folders share."""

from tests.support import compared_here, database, library, mounts, open_place, reader

__all__ = ["compared_here", "database", "library", "mounts", "open_place", "reader"]
