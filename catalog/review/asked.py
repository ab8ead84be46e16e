"""What a review is about: the options of the command line, as values."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.keeping import DEFAULT, KeepRules
from catalog.queries.criteria import ONE_PICTURE, Criteria
from catalog.queries.selection import EVERYTHING, Selection


@dataclass(frozen=True, slots=True)
class Review:
    """Groups of which photos, and what of each is suggested to be kept.

    ``selection`` is without the paths ``against``: these are looked up at each answer, with
    ``queries.duplicates.selected``, as are ``paths``; all were known when the server started.
    """

    catalog: bytes  # the file
    paths: tuple[bytes, ...] = ()  # none: everywhere
    criteria: Criteria = ONE_PICTURE
    selection: Selection = EVERYTHING
    against: tuple[bytes, ...] = ()
    keep: KeepRules = DEFAULT
