"""The records that travel between the rooms of the house. No behaviour beyond their own fields.

readings  what one look at a file gives: stamp, hashes, fingerprint, failure
photos    photos in the catalog, and pictures that a question names
matches   how two pictures relate, what decided it, and groups of them
answers   what dupes, similar and explain answer
states    how the catalog and its daemon are, what index and verify came to
deeds     what is done with duplicates: plans, receipts, and the journal's rows
changes   what happens while the catalog is followed

Each knows only those above it; everybody else imports from here.

Names and paths are bytes, as the operating system gives them. Times are integers in
nanoseconds since 1970. Hashes are unsigned 64-bit integers: only ``store`` knows that
SQLite keeps them signed.
"""

from catalog.model.answers import Duplicates, Explanation, Likeness, Setting, Stages, Standing
from catalog.model.changes import AlreadyThere, Change, Happening
from catalog.model.deeds import (
    Action,
    ActionPlan,
    Choice,
    Companion,
    Deed,
    Order,
    Planned,
    PlannedGroup,
    Receipt,
    Refusal,
    Removal,
    Seen,
    Spared,
    State,
)
from catalog.model.matches import (
    Alignment,
    Comparison,
    Group,
    Kind,
    Match,
    Pair,
    Rule,
    Side,
    sides_of,
    weakest,
)
from catalog.model.photos import (
    BYTE_WORTH,
    FAMILIES,
    FAMILY_OF,
    RAW_FORMATS,
    Photo,
    Picture,
)
from catalog.model.readings import (
    HASH_BITS,
    SIGNATURE_SIDE,
    Failure,
    Fingerprint,
    HashKind,
    Outcome,
    Reading,
    Reason,
    Recipe,
    SameBytes,
    Stamp,
    signed64,
)
from catalog.model.states import (
    DaemonStanding,
    DaemonState,
    Drift,
    Problem,
    RootState,
    Status,
    Summary,
    Verification,
)

__all__ = [
    "BYTE_WORTH",
    "FAMILIES",
    "FAMILY_OF",
    "HASH_BITS",
    "RAW_FORMATS",
    "SIGNATURE_SIDE",
    "Action",
    "ActionPlan",
    "Alignment",
    "AlreadyThere",
    "Change",
    "Choice",
    "Companion",
    "Comparison",
    "DaemonStanding",
    "DaemonState",
    "Deed",
    "Drift",
    "Duplicates",
    "Explanation",
    "Failure",
    "Fingerprint",
    "Group",
    "Happening",
    "HashKind",
    "Kind",
    "Likeness",
    "Match",
    "Order",
    "Outcome",
    "Pair",
    "Photo",
    "Picture",
    "Planned",
    "PlannedGroup",
    "Problem",
    "Reading",
    "Reason",
    "Receipt",
    "Recipe",
    "Refusal",
    "Removal",
    "RootState",
    "Rule",
    "SameBytes",
    "Seen",
    "Setting",
    "Side",
    "Spared",
    "Stages",
    "Stamp",
    "Standing",
    "State",
    "Status",
    "Summary",
    "Verification",
    "sides_of",
    "signed64",
    "weakest",
]
