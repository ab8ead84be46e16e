"""Groups and pairs of verified matches: what ``duplicates`` answers, plain hashes aside.

Nodes are contents, or, where photos are only compared across a border (``Selection``), contents on
one side of it. What only the files can tell is asked of the judge when a group depends on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.keeping import DEFAULT, KeepRules
from catalog.matching import judge
from catalog.matching.judge import Judge
from catalog.model import Duplicates, HashKind, Kind, Pair, Rule, Stages
from catalog.progress import SILENT, Progress
from catalog.queries import ranking
from catalog.queries.apart import NOTHING_APART, Apart
from catalog.queries.criteria import Criteria
from catalog.queries.groups import Members, StoredGroups
from catalog.queries.relations import Relations
from catalog.queries.scope import Scope
from catalog.queries.selection import EVERYTHING, Selection
from catalog.search.grouping import Asked, stars_asking
from catalog.store import hashes, holders, matches
from catalog.store.database import Database
from catalog.store.folders import Places
from catalog.store.holders import Holders
from catalog.store.matches import PERHAPS_SAME, RULES, SAME, Matches

_PAIRS_AT_ONCE: Final = 2_000  # whose photos are looked up together
_IDENTICAL: Final = -1  # the place among known matches of those that need none

_ALIKE: Final = SAME | np.array([rule.kind is Kind.SIMILAR for rule in RULES])
_STAMP_ON_FIRST: Final = matches.code_of(Rule.STAMP_ON_FIRST)
_FLIPPED: Final = np.array([matches.code_of(rule.flipped) for rule in RULES])


def duplicates(
    database: Database,
    scope: Scope,
    criteria: Criteria,
    selection: Selection = EVERYTHING,
    *,
    keep: KeepRules = DEFAULT,
    pairs: bool = False,
    progress: Progress = SILENT,
    executor: Executor | None = None,
    jobs: int = 1,
    live: Collection[int] = (),
) -> Duplicates:
    """As ``queries.duplicates``, of equal bytes, of one picture, or of what looks alike."""
    with contextlib.ExitStack() as open_:
        called = None
        if criteria.verified:
            called = open_.enter_context(judge.called_in(database, progress, executor, jobs=jobs))
        known = matches.NONE if called is None else called.known
        files = _files(database, scope, selection, known, keep)
        relations = Relations(known, hashes.load(database, HashKind.PHASH, progress))
        graph, asking, stars = _starred(files, called, known, criteria.grade)
        if pairs:
            asking.holds(np.arange(len(graph.known)))  # while the judge is here
        members = _members(graph, asking, stars, relations)
    asked = [scope] if selection.against is None else [scope, selection.against]
    scans = [each.last_scan_ns for each in asked if each.last_scan_ns is not None]
    return Duplicates(
        StoredGroups(database, members, relations, keep, had=selection.against is not None),
        _pairs(database, graph, asking, relations) if pairs else None,
        fresh=all(each.is_live(live) for each in asked),
        last_scan_ns=min(scans) if len(scans) == len(asked) else None,
        offline=tuple(dict.fromkeys(gone for each in asked for gone in each.offline)),
        totals=members.totals,
        stages=Stages() if called is None else called.stages,
    )


@dataclass(frozen=True, slots=True)
class _Files:
    """Files in order of rank; ``side`` (int64) tells those apart that are not compared.

    ``walled`` says that only files of different sides are; ``recent`` (bool) which of them a group
    has to hold one of. Files of one ``level`` (int64, rising) are apart in nothing that counts more
    than a stamp does. ``apart`` are contents that are no duplicates of each other.
    """

    holders: Holders
    side: NDArray[np.int64]
    walled: bool
    recent: NDArray[np.bool_]
    level: NDArray[np.int64]
    apart: Apart

    def demoted(self, stamped: NDArray[np.int64]) -> _Files:
        """The same, files of these contents behind the others of their level."""
        behind = np.isin(self.holders.content, stamped)
        order = np.lexsort((np.arange(len(behind)), behind, self.level))
        return _Files(
            self.holders.only(order),
            self.side[order],
            self.walled,
            self.recent[order],
            self.level[order],
            self.apart,
        )


def _files(
    database: Database, scope: Scope, selection: Selection, known: Matches, keep: KeepRules
) -> _Files:
    """The files that can stand in a group or a pair."""
    copied = holders.held_several_times(database)
    files = holders.of_contents(
        database, np.unique(np.concatenate([known.first, known.second, copied]))
    )
    files = files.only(files.size >= selection.min_size)
    side = selection.sides(database, files, scope)
    inside = side >= 0
    files, side = files.only(inside), side[inside]
    ranked = ranking.ranked(database, files, keep)
    order, level = ranked.order, ranked.level
    if selection.against is not None:  # what is kept is what one has already
        by_side = np.argsort(side[order], kind="stable")
        order, level = order[by_side], level[by_side]
    files, side = files.only(order), side[order]
    recent = files.arrived_ns >= selection.since_ns
    rises = np.diff(level, prepend=0) != 0
    if selection.against is not None:
        rises |= np.diff(side, prepend=0) != 0
    apart = NOTHING_APART if selection.kept_both else Apart.of(database)
    return _Files(files, side, selection.walled, recent, np.cumsum(rises), apart)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Nodes, and the edges between them that hold or may.

    ``node`` (int64) is that of each file, nodes are numbered by the rank of their first file;
    ``content`` (int64) is that of each node, ``level`` that of its first file. ``first``,
    ``second`` (nodes) and ``known`` (a place among known matches, or -1 for equal bytes) are the
    edges.
    """

    files: _Files
    node: NDArray[np.int64]
    content: NDArray[np.int64]
    level: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    known: NDArray[np.int64]

    @classmethod
    def of(cls, files: _Files, known: Matches, grade: Kind) -> _Graph:
        content, side = files.holders.content, files.side
        keys = np.stack([content, side if files.walled else np.zeros_like(side)], axis=1)
        nodes, begins, node = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        by_rank = np.argsort(begins)
        number = np.empty(len(nodes), dtype=np.int64)
        number[by_rank] = np.arange(len(nodes))
        nodes, node = nodes[by_rank], number[node.ravel()]
        first, second, edge = _edges(nodes, known, PERHAPS_SAME if grade is Kind.SAME else _ALIKE)
        if files.walled:
            across = nodes[first, 1] != nodes[second, 1]
            first, second, edge = first[across], second[across], edge[across]
        if files.apart:
            together = ~files.apart.between(nodes[first, 0], nodes[second, 0])
            first, second, edge = first[together], second[together], edge[together]
        level = files.level[np.sort(begins)]
        return cls(files, node, nodes[:, 0], level, first, second, edge)


def _edges(
    nodes: NDArray[np.int64], known: Matches, possible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The edges between all nodes of matching contents, and between those of one content."""
    order = np.argsort(nodes[:, 0], kind="stable")
    content = nodes[order, 0]
    wanted = np.flatnonzero(possible[known.rule])
    ends = [
        (np.searchsorted(content, ids, "left"), np.searchsorted(content, ids, "right"))
        for ids in (known.first[wanted], known.second[wanted])
    ]
    (begin, end), (begin_2, end_2) = ends
    ours, theirs, of = _products(begin, end - begin, begin_2, end_2 - begin_2)
    same, other = _within(content)
    return (
        order[np.concatenate([ours, same])],
        order[np.concatenate([theirs, other])],
        np.concatenate([wanted[of], np.full(len(same), _IDENTICAL)]),
    )


def _products(
    begin: NDArray[np.int64],
    count: NDArray[np.int64],
    begin_2: NDArray[np.int64],
    count_2: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of two ranges each, and which two it is of."""
    pairs = count * count_2
    of = np.repeat(np.arange(len(pairs)), pairs)
    within = np.arange(len(of)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    return begin[of] + within // count_2[of], begin_2[of] + within % count_2[of], of


def _within(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of each pair of equal values; the values are sorted."""
    ends = np.searchsorted(values, values, "right")
    count = ends - np.arange(len(values)) - 1
    first = np.repeat(np.arange(len(values)), count)
    return first, first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)


class _Asking:
    """Whether edges hold; the judge is asked where that is not known."""

    def __init__(
        self, called: Judge | None, known: Matches, graph: _Graph, *, similar: bool
    ) -> None:
        self._judge = called
        self._known = known
        self._graph = graph
        self._similar = similar

    def holds(self, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each of these edges of the graph."""
        at = self._graph.known[edges]
        verified = at != _IDENTICAL
        self.decide(at[verified])
        good = ~verified
        good[verified] = (_ALIKE if self._similar else SAME)[self._known.rule[at[verified]]]
        return np.asarray(good)

    def decide(self, at: NDArray[np.int64]) -> None:
        """See that these known matches are decided."""
        if self._judge is not None and len(at):
            self._judge.decide(at)

    def costs_of(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of these edges of the graph, which hold."""
        return self.costs(self._graph.known[edges])

    def costs(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """How far two are from one another.

        All that are the same picture are equally near, whatever their scores: so they gather
        round the best photo of it, and not in halves round two of its copies.
        """
        verified = at != _IDENTICAL
        cost = np.full(len(at), -1.0)
        known = at[verified]
        alike = 2.0 - self._known.score[known]
        cost[verified] = np.where(SAME[self._known.rule[known]], 0.0, alike)
        return cost


def _starred(
    files: _Files, called: Judge | None, known: Matches, grade: Kind
) -> tuple[_Graph, _Asking, Asked]:
    """The nodes, their edges, and the stars they make, no stamped photo in the middle of one.

    That a photo is stamped is known when it was compared with one that is not: then that one takes
    its place, if nothing else is between them.
    """
    stamped = np.empty(0, dtype=np.int64)  # contents
    while True:
        graph = _Graph.of(files, known, grade)
        asking = _Asking(called, known, graph, similar=grade is Kind.SIMILAR)
        stars = stars_asking(
            np.arange(len(graph.content)),
            graph.first,
            graph.second,
            asking.costs_of,
            asking.holds,
        )
        more = np.setdiff1d(_stamped(graph, stars, known), stamped)
        if not len(more):
            return graph, asking, stars
        stamped = np.union1d(stamped, more)
        files = files.demoted(stamped)


def _stamped(graph: _Graph, stars: Asked, known: Matches) -> NDArray[np.int64]:
    """The contents of centres that are stamped where a member of the same level is not."""
    node = np.flatnonzero(stars.edge >= 0)
    at = graph.known[stars.edge[node]]
    node, at = node[at != _IDENTICAL], at[at != _IDENTICAL]
    centre = stars.centre[node]
    content = graph.content[centre]
    rule = np.where(known.first[at] == content, known.rule[at], _FLIPPED[known.rule[at]])
    stamped = (rule == _STAMP_ON_FIRST) & (graph.level[centre] == graph.level[node])
    return np.asarray(content[stamped])


def _members(graph: _Graph, asking: _Asking, stars: Asked, relations: Relations) -> Members:
    """The files of all groups, group by group."""
    files = graph.files.holders
    if not len(files):
        return Members.none()
    joined = stars.edge >= 0
    relation = np.full(len(joined), _IDENTICAL)
    relation[joined] = graph.known[stars.edge[joined]]
    centre = stars.centre[graph.node]
    distance = relations.distances(graph.content[stars.centre], graph.content)
    cost = asking.costs(relation)
    wanted = _wanted(graph, centre)
    if not wanted.any():
        return Members.none()
    node, files = graph.node[wanted], files.only(wanted)
    centre = graph.files.apart.split(files, centre[wanted])
    return Members.of(files, centre, distance[node], relation[node], cost[node])


def _wanted(graph: _Graph, centre: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The files of groups that hold a recent one; across a border, one file of the kept side."""
    recent = np.zeros(len(graph.content), dtype=np.bool_)
    np.logical_or.at(recent, centre, graph.files.recent)
    wanted = recent[centre]
    if graph.files.walled:
        _, first = np.unique(graph.node, return_index=True)
        is_first = np.zeros(len(graph.node), dtype=np.bool_)
        is_first[first] = True
        wanted &= is_first | (graph.node != centre)
    return wanted


def _pairs(
    database: Database, graph: _Graph, asking: _Asking, relations: Relations
) -> Iterator[Pair]:
    """Every pair of files that matches: equal bytes first."""
    stream, places = _file_pairs(graph, asking), Places(database)
    files = graph.files.holders
    while some := list(islice(stream, _PAIRS_AT_ONCE)):
        rows = {file for first, second, _ in some for file in (first, second)}
        photos = holders.records(database, [int(files.photo[row]) for row in rows], places)
        for first, second, at in some:
            one = photos.get(int(files.photo[first]))
            other = photos.get(int(files.photo[second]))
            if one is None or other is None:  # one went meanwhile
                continue
            ends = (np.array([one.content]), np.array([other.content]))
            match = relations.match(one, other, at, int(relations.distances(*ends)[0]))
            yield Pair(one, other, match.distance, match.kind, match.score)


def _file_pairs(graph: _Graph, asking: _Asking) -> Iterator[tuple[int, int, int]]:
    by_node = np.argsort(graph.node, kind="stable")
    begins = np.searchsorted(graph.node[by_node], np.arange(len(graph.content) + 1))
    recent = graph.files.recent

    def files(node: int) -> list[int]:
        members: list[int] = by_node[begins[node] : begins[node + 1]].tolist()
        return members

    if not graph.files.walled:
        alone = np.isin(graph.content, list(graph.files.apart.alone))
        for node in np.flatnonzero((np.diff(begins) > 1) & ~alone).tolist():
            for one, other in combinations(files(node), 2):
                if recent[one] or recent[other]:
                    yield one, other, _IDENTICAL
    every = np.arange(len(graph.known))
    good = every[asking.holds(every)]
    for edge in good[np.argsort(asking.costs(graph.known[good]), kind="stable")].tolist():
        first, second = int(graph.first[edge]), int(graph.second[edge])
        for one, other in product(files(first), files(second)):
            if recent[one] or recent[other]:
                yield one, other, int(graph.known[edge])
