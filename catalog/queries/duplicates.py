"""Groups and pairs: of verified matches (see ``verified``), or of plain hashes, as here.

Contents with equal hashes are one node of the search, so that a thousand copies of one file, or
ten thousand blank pages, are one value in it; files come in when groups are put together. All
that grows with the catalog is held as arrays: photos become records as they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import combinations, islice, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import UsageError
from catalog.keeping import DEFAULT, KeepRules
from catalog.model import Duplicates, HashKind, Kind, Pair
from catalog.progress import SILENT, Phase, Progress
from catalog.queries import ranking, verified
from catalog.queries.apart import NOTHING_APART, Apart
from catalog.queries.criteria import ONE_PICTURE, Criteria
from catalog.queries.groups import Members, StoredGroups
from catalog.queries.scope import Scope, scope_of
from catalog.queries.selection import EVERYTHING, Selection
from catalog.search.blocks import Plan, plan
from catalog.search.grouping import Edges, Stars, hold, stars, stars_within
from catalog.search.hamming import PairBlock
from catalog.search.join import pairs_within
from catalog.store import contents, hashes, holders
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.hashes import HashTable
from catalog.store.holders import Holders

_WORTH_A_WORD: Final = 60.0  # seconds of searching on one core
_PAIRS_AT_ONCE: Final = 2_000  # whose photos are looked up together


def duplicates(
    database: Database,
    paths: Sequence[bytes] = (),
    criteria: Criteria | None = None,
    selection: Selection = EVERYTHING,
    *,
    keep: KeepRules = DEFAULT,
    pairs: bool = False,
    progress: Progress = SILENT,
    executor: Executor | None = None,
    jobs: int = 1,
    live: Collection[int] = (),
) -> Duplicates:
    """The groups of the same picture below ``paths`` (none: everywhere).

    With ``pairs``, every pair of photos that matches besides; of plain hashes, those that brute
    force would find. ``selection`` leaves out some; of what it compares with, the photos are kept,
    and else those that come first by ``keep``. ``executor`` searches, on threads; ``jobs``
    processes compare files where only these can tell. ``live`` are the ids of roots that a daemon
    has just brought in line with the disk. Groups and pairs are read as they are asked for, so
    ``database`` and ``executor`` stay open for that long. Raises UsageError for paths that the
    catalog does not follow, and for a selection that plain hashes do not know.
    """
    criteria = criteria or ONE_PICTURE
    scope = scope_of(database, paths)
    if criteria.grade is not Kind.HASH:
        return verified.duplicates(
            database,
            scope,
            criteria,
            selection,
            keep=keep,
            pairs=pairs,
            progress=progress,
            executor=executor,
            jobs=jobs,
            live=live,
        )
    selection.check_plain()
    table = table_in(database, scope, criteria.hash, progress)
    nodes = _Nodes.of(table, criteria)
    progress.start(Phase.SEARCHING)
    search = _Search.of(nodes, criteria, executor, progress)
    edges = search.edges()
    files = _files(database, scope, table, nodes, edges)
    files = files.only(ranking.order(database, files, keep))
    apart = NOTHING_APART if selection.kept_both else Apart.of(database)
    found = _Found.of(files, nodes.node_of(table, files), search, edges, apart)
    members = found.members()
    return Duplicates(
        StoredGroups(database, members, keep=keep),
        found.pairs(database) if pairs else None,
        fresh=scope.is_live(live),
        last_scan_ns=scope.last_scan_ns,
        offline=scope.offline,
        totals=members.totals,
    )


def selected(database: Database, selection: Selection, against: Sequence[bytes]) -> Selection:
    """``selection``, compared with what is below the paths ``against``, where there are any.

    Raises UsageError for one that the catalog does not follow.
    """
    if not against:
        return selection
    if selection.across:
        raise UsageError("against and across compare other photos with each other: choose one")
    return replace(selection, against=scope_of(database, against))


def table_in(
    database: Database, scope: Scope, kind: HashKind, progress: Progress = SILENT
) -> HashTable:
    """The hashes of the contents that files in ``scope`` hold, and of some others perhaps."""
    table = hashes.load(database, kind, progress)
    if not scope.everything:
        asked = holders.of_places(database, scope.folders, scope.files)
        table = table.only(np.isin(table.contents, asked))
    if kind is HashKind.WHASH:
        table.hashes[:] = _wavelet_hashes(database, table.contents, progress)
    return table


def _wavelet_hashes(
    database: Database, ids: NDArray[np.int64], progress: Progress
) -> NDArray[np.uint64]:
    from catalog.imaging.hashes import whash  # Pillow and PyWavelets, for those who ask

    progress.start(Phase.HASHING, len(ids))
    found = np.zeros(len(ids), dtype=np.uint64)
    for position, pixels in enumerate(contents.signatures(database, ids.tolist())):
        found[position] = whash(np.frombuffer(pixels, dtype=np.uint8).reshape(1, -1))[0]
        progress.advance()
    return found


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Contents as nodes: those whose hashes may be compared share one where these are equal.

    ``values`` (uint64, rising) are the hashes of the first nodes; each node after these is a
    content that matches by its bytes only. ``node`` (int64) tells that of each content.
    """

    values: NDArray[np.uint64]
    node: NDArray[np.int64]

    @classmethod
    def of(cls, table: HashTable, criteria: Criteria) -> _Nodes:
        usable = ~table.flat | criteria.flat
        if criteria.radius is None:
            usable[:] = False
        node = np.empty(len(table), dtype=np.int64)
        values, node[usable] = np.unique(table.hashes[usable], return_inverse=True)
        node[~usable] = np.arange(len(values), len(values) + np.count_nonzero(~usable))
        return cls(values, node)

    @property
    def count(self) -> int:
        return int(self.node.max(initial=-1)) + 1

    def node_of(self, table: HashTable, files: Holders) -> NDArray[np.int64]:
        """The node of each file."""
        return self.node[np.searchsorted(table.contents, files.content)]


@dataclass(frozen=True, slots=True)
class _Search:
    """The join over the values of all nodes."""

    values: NDArray[np.uint64]
    radius: int
    plan: Plan
    executor: Executor | None

    @classmethod
    def of(
        cls, nodes: _Nodes, criteria: Criteria, executor: Executor | None, progress: Progress
    ) -> _Search:
        radius = criteria.radius or 0
        chosen = plan(nodes.values, radius)
        if chosen.seconds > _WORTH_A_WORD:
            progress.note(_words(len(nodes.values), radius, chosen.seconds))
        return cls(nodes.values, radius, chosen, executor)

    def edges(self) -> Edges | None:
        """All pairs of nodes; None where these are too many to hold."""
        return hold(pairs_within(self.values, self.radius, self.executor, self.plan))


def _words(count: int, radius: int, seconds: float) -> str:
    minutes = seconds / 60
    time = f"{minutes:,.0f} minutes" if minutes < 120 else f"{minutes / 60:,.0f} hours"
    return (
        f"comparing {count:,} different hashes within {radius} bits takes about {time} of one "
        "core; a smaller --radius is faster"
    )


def _files(
    database: Database, scope: Scope, table: HashTable, nodes: _Nodes, edges: Edges | None
) -> Holders:
    """The files of all contents that can stand in a group or a pair."""
    involved = np.bincount(nodes.node, minlength=nodes.count) > 1
    if edges is None:
        involved[: len(nodes.values)] = True
    else:
        involved[edges.first] = True
        involved[edges.second] = True
    copied = np.isin(table.contents, holders.held_several_times(database))
    files = holders.of_contents(database, table.contents[involved[nodes.node] | copied])
    if scope.everything:
        return files
    return holders.among(database, files, scope.folders, scope.files)


@dataclass(frozen=True, slots=True)
class _Found:
    """The files, the one to keep first, and the nodes they are in.

    ``files`` are in order of rank; ``node`` (int64) is that of each, among the nodes that files
    of the answer hold, ``values`` the hash of each such node that has one to compare.
    """

    files: Holders
    node: NDArray[np.int64]
    values: NDArray[np.uint64]
    search: _Search
    edges: Edges | None
    apart: Apart

    @classmethod
    def of(
        cls,
        files: Holders,
        node: NDArray[np.int64],
        search: _Search,
        edges: Edges | None,
        apart: Apart,
    ) -> _Found:
        present, node = np.unique(node, return_inverse=True)
        values = search.values[present[: np.searchsorted(present, len(search.values))]]
        edges = _among(edges, present, len(search.values))
        return cls(files, node, values, search, edges, apart)

    def members(self) -> Members:
        """The files of all groups, group by group."""
        if not len(self.files):
            return Members.none()
        found = self._stars()
        # The first file of a centre is the best of its star, as files are in order of rank.
        centre = self.apart.split(self.files, found.centre[self.node])
        return Members.of(self.files, centre, found.distance[self.node])

    def _stars(self) -> Stars:
        _, first_file = np.unique(self.node, return_index=True)
        rank = np.empty(len(first_file), dtype=np.int64)
        rank[np.argsort(first_file)] = np.arange(len(first_file))
        if self.edges is not None:
            return stars(rank, self.edges)
        count = len(self.values)
        among = np.argsort(np.argsort(rank[:count]))
        close = stars_within(self.values, self.search.radius, among, self.search.executor)
        alone = np.arange(count, len(rank))
        return Stars(
            np.concatenate((close.centre, alone)),
            np.concatenate((close.distance, np.zeros(len(alone), dtype=np.uint8))),
        )

    def pairs(self, database: Database) -> Iterator[Pair]:
        """Every pair of files that matches: equal hashes first."""
        pairs, places = filter(self._is_no_decision, self._pairs()), Places(database)
        while some := list(islice(pairs, _PAIRS_AT_ONCE)):
            rows = {file for first, second, _ in some for file in (first, second)}
            chosen = [int(self.files.photo[row]) for row in rows]
            photos = holders.records(database, chosen, places)
            for first, second, distance in some:
                one = photos.get(int(self.files.photo[first]))
                other = photos.get(int(self.files.photo[second]))
                if one is not None and other is not None:  # both are still there
                    yield Pair(one, other, distance)

    def _is_no_decision(self, pair: tuple[int, int, int]) -> bool:
        """Whether nobody said that the two are no duplicates of each other."""
        if not self.apart:
            return True
        ends = self.files.content[[pair[0]]], self.files.content[[pair[1]]]
        return not self.apart.between(*ends)[0]

    def _pairs(self) -> Iterator[tuple[int, int, int]]:
        by_node = np.argsort(self.node, kind="stable")
        begins = np.searchsorted(self.node[by_node], np.arange(self.node.max(initial=-1) + 2))
        for node in np.flatnonzero(np.diff(begins) > 1).tolist():
            inside = by_node[begins[node] : begins[node + 1]].tolist()
            yield from ((one, other, 0) for one, other in combinations(inside, 2))
        for first, second, distance in self._node_pairs():
            ours = by_node[begins[first] : begins[first + 1]].tolist()
            theirs = by_node[begins[second] : begins[second + 1]].tolist()
            yield from ((one, other, distance) for one, other in product(ours, theirs))

    def _node_pairs(self) -> Iterator[tuple[int, int, int]]:
        stream: Iterator[Edges | PairBlock]
        if self.edges is not None:
            stream = iter([self.edges])
        else:
            stream = pairs_within(self.values, self.search.radius, self.search.executor)
        for some in stream:
            columns = (some.first, some.second, some.distance)
            yield from zip(*(column.tolist() for column in columns), strict=True)


def _among(edges: Edges | None, present: NDArray[np.int64], values: int) -> Edges | None:
    """The edges between nodes that are present, told by their number among these."""
    if edges is None:
        return None
    number = np.full(max(values, int(present.max(initial=-1)) + 1), -1, dtype=np.int32)
    number[present] = np.arange(len(present))
    first, second = number[edges.first], number[edges.second]
    both = (first >= 0) & (second >= 0)
    return Edges(first[both], second[both], edges.distance[both])
