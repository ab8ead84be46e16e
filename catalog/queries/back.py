"""Photos that came after a copy of them had been thrown away: marked where they are shown."""

from __future__ import annotations

from dataclasses import replace

from catalog.model import Photo
from catalog.store.database import Database
from catalog.store.decisions import decisions_there
from catalog.store.thrown import came_back


class CameBack:
    """Which photos did, as it was noted when they were indexed."""

    def __init__(self, found: frozenset[tuple[bytes, bytes]]) -> None:
        self._found = found

    @classmethod
    def of(cls, database: Database) -> CameBack:
        """Nothing where no decision was ever made."""
        decisions = decisions_there(database.path)
        if decisions is None:
            return cls(frozenset())
        with decisions:
            return cls(came_back(decisions))

    def marked_all(self, photos: dict[int, Photo]) -> dict[int, Photo]:
        """The photos, those marked that came back."""
        if not self._found:
            return photos
        return {number: self.marked(photo) for number, photo in photos.items()}

    def marked(self, photo: Photo) -> Photo:
        """The photo, marked where it came back."""
        if (photo.path, photo.digest) in self._found:
            return replace(photo, came_back=True)
        return photo
