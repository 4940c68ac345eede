"""The hierarchy of the classes of Open Images, `bbox_labels_600_hierarchy.json`: an apple is fruit, and fruit is food.

Nodes are {"LabelName": code, "Subcategory": [nodes], "Part": [nodes]}; a class may have several parents, and stand
below each of them. What a class is a part of says nothing of what it is. The root is no class.
"""
import json
import os
from typing import Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

import numpy as np

from lib.dataset.base import shortened
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

MOST_BYTES = 1 << 24
DEEPEST = 64        # levels; the real one has five
MOST_NODES = 100000


class Hierarchy(NamedTuple):
    """above, below: {label: labels that it belongs to; that belong to it}, of all levels, without itself, ascending."""

    above: Mapping[int, Tuple[int, ...]]
    below: Mapping[int, Tuple[int, ...]]


def read_hierarchy(path: str, mids: Sequence[str], listed: Sequence[str] = ()) -> Hierarchy:
    """mids: code of each label, '' for the background; listed: codes of the list of classes, of which some may have no
    label. SniperError: the file cannot be used, or has a class that the list lacks."""
    root, known = _read(path), set(listed)
    label = {mid: place for place, mid in enumerate(mids) if mid}
    above: Dict[int, Set[int]] = {}
    unknown: List[str] = []
    count = 0
    pending: List[Tuple[dict, Tuple[int, ...], int]] = [(node, (), 1) for node in _children(path, root)]
    while pending:
        node, parents, depth = pending.pop()
        count += 1
        if depth > DEEPEST or count > MOST_NODES:
            raise SniperError(f'{path} has more than {DEEPEST} levels or {MOST_NODES} entries: it is no hierarchy of '
                              'Open Images')
        mid = node.get('LabelName')
        if not isinstance(mid, str) or mid not in label and mid not in known:
            unknown.append(f'{mid!s:.40}')
            continue
        if mid in label:
            above.setdefault(label[mid], set()).update(parents)
            parents = (*parents, label[mid])
        pending += [(child, parents, depth + 1) for child in _children(path, node)]
    if unknown:
        raise SniperError(f'{path} has {counted(len(unknown), "class", "classes")} that the list of classes lacks: '
                          f'{shortened(unknown)}; '
                          'take both files from one version of the data')
    return _closed(path, above, mids)


def _closed(path, above, mids) -> Hierarchy:
    """Of a class that stands below several parents, and whose parents do, all that is above any of these."""
    below: Dict[int, Set[int]] = {own: set() for own in above}
    changed = True
    while changed:
        changed = False
        for own, parents in above.items():
            wider = parents.union(*(above[parent] for parent in parents))
            changed |= len(wider) > len(parents)
            above[own] = wider
    for own, parents in above.items():
        if own in parents:
            raise SniperError(f'{path}: the class {mids[own]} is below itself')
        for parent in parents:
            below[parent].add(own)
    return Hierarchy(*({own: tuple(sorted(others)) for own, others in kind.items()} for kind in (above, below)))


def expand(label: np.ndarray, others: Mapping[int, Sequence[int]]) -> Tuple[np.ndarray, np.ndarray]:
    """Labels (n,) -> (rows, labels) (m,): each row with its own label, then all rows again for each label that `others`
    has for theirs."""
    label = np.asarray(label, np.int64)
    count = int(label.max(initial=0)) + 1
    lists = [np.asarray(others.get(own, ()), np.int64) for own in range(count)]
    counts = np.array([len(own) for own in lists])
    flat, starts = np.concatenate([np.zeros(0, np.int64)] + lists), np.concatenate([[0], np.cumsum(counts)])
    rows = np.repeat(np.arange(len(label)), counts[label])
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts[label]) - counts[label], counts[label])
    return (np.concatenate([np.arange(len(label)), rows]),
            np.concatenate([label, flat[starts[label[rows]] + within]]))


def _read(path) -> dict:
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'hierarchy of classes {path} {reason}')
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise SniperError(f'{path} has more than {MOST_BYTES >> 20} MB: it is no hierarchy of Open Images')
        with open(path, encoding='utf-8-sig') as stream:
            root = json.load(stream)
    except OSError as error:
        raise SniperError(f'hierarchy of classes {path} cannot be read: {error.strerror or error}') from None
    except (ValueError, RecursionError) as error:
        raise SniperError(f'hierarchy of classes {path} is no JSON ({str(error):.100})') from None
    if not isinstance(root, dict) or not _children(path, root):
        raise SniperError(f'{path} is no hierarchy of Open Images: {{"LabelName": ..., "Subcategory": [...]}} is '
                          'wanted')
    return root


def _children(path, node) -> List[dict]:
    found = node.get('Subcategory', [])
    if not isinstance(found, list) or not all(isinstance(child, dict) for child in found):
        raise SniperError(f'{path}: Subcategory of {str(node.get("LabelName"))!r:.60} is no list of classes')
    return found
