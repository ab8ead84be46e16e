"""What others ask of the daemon: how it is, and whether the catalog is up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.model import DaemonStanding, DaemonState
from catalog.store.locks import Locks
from catalog.watching.channel import NotListening, Silent, ask, can_be_asked


@dataclass(frozen=True, slots=True)
class Freshness:
    """The roots that are as the disk is now, and why others may not be.

    ``roots`` are ids; ``why_not`` is empty without a daemon, as nobody said otherwise.
    """

    roots: frozenset[int] = frozenset()
    why_not: str = ""


def synchronise(catalog: bytes, waiting: Callable[[], None] = lambda: None) -> Freshness:
    """Have the daemon, if there is one, bring the catalog in line with the disk of now.

    Takes as long as that takes, and ten seconds at most; ``waiting`` is called before that.
    """
    locks = Locks(catalog)
    if can_be_asked(locks):
        waiting()
    try:
        answer = ask(locks, "sync")
    except Silent as silent:
        return Freshness(why_not=str(silent))
    if answer is None:
        return Freshness()
    if not answer.get("fresh"):
        return Freshness(why_not=str(answer.get("why") or "it does not say why"))
    return Freshness(frozenset(answer.get("roots", ())))


def daemon_state(catalog: bytes) -> DaemonState:
    """How the daemon of this catalog is."""
    locks = Locks(catalog)
    try:
        answer = ask(locks, "status", patience=2.0)
    except Silent as silent:
        starts = isinstance(silent, NotListening)
        standing = DaemonStanding.STARTING if starts else DaemonStanding.DEGRADED
        return DaemonState(standing, locks.daemon().process(), problem=str(silent))
    if answer is None:
        return DaemonState()
    last = answer.get("last_rescan_ns")
    return DaemonState(
        state=DaemonStanding(answer["state"]),
        pid=int(answer["pid"]),
        pending=int(answer["pending"]),
        to_read=int(answer["to_read"]),
        lag=float(answer["lag"]),
        overflows=int(answer["overflows"]),
        last_rescan_ns=None if last is None else int(last),
        watched=int(answer["watched"]),
        unwatched=int(answer["unwatched"]),
        polling=str(answer["polling"]),
        problem=str(answer["problem"]),
    )
