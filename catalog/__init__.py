"""imgcat: a catalog of all your pictures that always knows which ones are the same.

``from catalog import Catalog`` is the way in for programs; records and errors are here too.
Each is imported when it is asked for, so that ``import catalog`` costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.api import Catalog
    from catalog.errors import (
        Busy,
        CatalogAbsent,
        CatalogDamaged,
        CatalogError,
        CatalogForeign,
        CatalogNewer,
        CatalogReadOnly,
        CatalogUnusable,
        DiskFull,
        Forgotten,
        GaveUp,
        Refused,
        UsageError,
    )
    from catalog.model import (
        Action,
        ActionPlan,
        Alignment,
        Companion,
        Comparison,
        DaemonStanding,
        DaemonState,
        Deed,
        Drift,
        Duplicates,
        Explanation,
        Group,
        HashKind,
        Kind,
        Likeness,
        Match,
        Order,
        Pair,
        Photo,
        Picture,
        Planned,
        PlannedGroup,
        Problem,
        Reason,
        Receipt,
        Recipe,
        Refusal,
        Removal,
        RootState,
        Rule,
        Setting,
        Side,
        Spared,
        Stages,
        Stamp,
        Standing,
        State,
        Status,
        Summary,
        Verification,
    )
    from catalog.progress import Phase, Progress
else:  # a type checker that saw this would believe in any name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in __all__:
            for module in map(import_module, _HOMES):
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


_HOMES = ("catalog.errors", "catalog.model", "catalog.progress", "catalog.api")

__all__ = [
    "Action",
    "ActionPlan",
    "Alignment",
    "Busy",
    "Catalog",
    "CatalogAbsent",
    "CatalogDamaged",
    "CatalogError",
    "CatalogForeign",
    "CatalogNewer",
    "CatalogReadOnly",
    "CatalogUnusable",
    "Companion",
    "Comparison",
    "DaemonStanding",
    "DaemonState",
    "Deed",
    "DiskFull",
    "Drift",
    "Duplicates",
    "Explanation",
    "Forgotten",
    "GaveUp",
    "Group",
    "HashKind",
    "Kind",
    "Likeness",
    "Match",
    "Order",
    "Pair",
    "Phase",
    "Photo",
    "Picture",
    "Planned",
    "PlannedGroup",
    "Problem",
    "Progress",
    "Reason",
    "Receipt",
    "Recipe",
    "Refusal",
    "Refused",
    "Removal",
    "RootState",
    "Rule",
    "Setting",
    "Side",
    "Spared",
    "Stages",
    "Stamp",
    "Standing",
    "State",
    "Status",
    "Summary",
    "UsageError",
    "Verification",
]
