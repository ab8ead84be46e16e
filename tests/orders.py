"""Rules for what is kept, of every kind and in every order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from catalog.keeping import KeepRule, KeepRules, Key
from catalog.model import FAMILIES

_ALONE = [key for key in Key if key not in (Key.PROTECTED, Key.FOLDER, Key.FORMAT)]


def orders(folders: Sequence[bytes]) -> st.SearchStrategy[KeepRules]:
    """Any rules there can be, about these folders."""
    some = st.lists(st.sampled_from(FAMILIES), min_size=1, unique=True).map(tuple)
    others = st.lists(
        st.sampled_from(_ALONE).map(KeepRule)
        | some.map(lambda formats: KeepRule(Key.FORMAT, formats=formats)),
        max_size=5,
        unique_by=lambda rule: rule.key,
    )
    below = st.lists(
        st.sampled_from(folders).map(lambda folder: KeepRule(Key.FOLDER, (folder,))), max_size=2
    )
    rules = st.tuples(others, below).flatmap(lambda both: st.permutations([*both[0], *both[1]]))
    protected = st.lists(st.sampled_from(folders), max_size=2, unique=True)
    return st.builds(KeepRules, rules.map(tuple), protected.map(tuple))
