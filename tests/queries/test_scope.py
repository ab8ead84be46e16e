"""What a question is about is live only where all of it is."""

from __future__ import annotations

import pytest

from catalog.queries.scope import Scope


@pytest.mark.parametrize(
    ("asked", "live", "is_live"),
    [
        ({1, 2}, {1, 2}, True),
        ({1, 2}, {1, 2, 3}, True),
        ({1, 2}, {1}, False),
        ({1, 2}, {3}, False),
        ({1, 2}, set(), False),
        (set(), {1}, False),
    ],
)
def test_r21_a_question_is_live_where_all_its_roots_are(
    asked: set[int], live: set[int], is_live: bool
) -> None:
    scope = Scope(frozenset(), frozenset(), (), None, roots=frozenset(asked))
    assert scope.is_live(live) == is_live
