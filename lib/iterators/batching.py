"""Which windows of a test pass make a batch together, in two ways.

`order_crops`: batches of one number of windows by size, as the original (reference/pipeline.md 12.3); `bounded` makes
smaller ones of those that would be very large.

`plan_batches`: windows of many shapes in few shapes, little padding, little left over. Every input shape that is new to
the network costs time, and so does every pixel of padding and every slot that repeats a window. Windows are split, by
height or by width, into groups that share a shape, as long as a split saves more than it costs. Costs are counted in
pixels that could be processed in their time. Within a group windows keep their order, so that those of an image are
made at about the same time, from pixels decoded once.
"""
import heapq
import math
from typing import List, NamedTuple, Set, Tuple

import numpy as np

# Measured with sniper_tiny on a CPU, 0.13 us a pixel: binding and first pass of a shape 18 ms, a slot's and a batch's
# fixed part 2 ms each. With larger networks the first weighs less, and some more shapes would do.
SHAPE_COST, SLOT_COST, BATCH_COST = 140000, 15000, 15000
MAX_SLOTS = 64    # of a batch and device
MOST_PIXELS = 16000000  # of a batch and device, unless it is one image; sniper_tiny takes 85 bytes of memory a pixel


def order_crops(crops, batch_size: int) -> np.ndarray:
    """Crops (n, 4) in original pixels -> order, int64 crop numbers, a multiple of batch_size long.

    Crops are sorted by area, the wide ones (width >= height) before the tall ones, and each of these two groups is
    filled up with its own last entries; a group too small for that is repeated from its start as often as need be.
    """
    return np.concatenate([_fill_up(group, batch_size) for group in size_groups(crops)]).astype(np.int64)


def size_groups(crops) -> List[np.ndarray]:
    """Crops (n, 4) -> crop numbers by area, [of the wide ones (width >= height), of the tall ones]."""
    crops = np.asarray(crops, np.float64).reshape(-1, 4)
    widths, heights = crops[:, 2] - crops[:, 0], crops[:, 3] - crops[:, 1]
    by_area = np.argsort(widths * heights, kind='stable')
    wide = widths[by_area] >= heights[by_area]
    return [by_area[wide], by_area[~wide]]


def _fill_up(group, batch_size):
    """Repeat entries of `group` until its length is a multiple of `batch_size`."""
    if len(group) == 0:
        return group
    missing = -len(group) % batch_size
    filled = np.concatenate([group, group[max(0, len(group) - missing):]])
    missing = -len(filled) % batch_size
    return np.concatenate([filled, np.resize(group, missing)])


def bounded(batches, sizes, unit: int) -> List[np.ndarray]:
    """Batches (B, n) of crop numbers, and sizes (crops, 2) height, width in input pixels -> batches, in their order.

    One of more than MOST_PIXELS a device, with its padding, is split as far as need be, into multiples of `unit`
    (number of devices): large images gain nothing by being many in a batch, and those of other sizes pay for padding.
    What then only repeats crops of before is left out.
    """
    found: List[np.ndarray] = []
    seen: Set[int] = set()
    for batch in batches:
        large = sizes[batch].max(axis=0).prod() * len(batch) > MOST_PIXELS * unit
        for part in _split_batch(batch, sizes, unit) if large else [batch]:
            if not large or not seen.issuperset(part.tolist()):
                found.append(part)
            seen.update(part.tolist())
    return found


def _split_batch(batch, sizes, unit):
    first, largest = 0, np.zeros(2, np.int64)
    for place in range(0, len(batch), unit):
        of_place = sizes[batch[place:place + unit]].max(axis=0)
        largest = np.maximum(largest, of_place)
        if place > first and largest.prod() * (place + unit - first) > MOST_PIXELS * unit:
            yield batch[first:place]
            first, largest = place, of_place
    yield batch[first:]


def scaled_size(crop, scale_x: float, scale_y: float, rounded=math.ceil) -> Tuple[int, int]:
    """Height and width in the network input of a crop (x1, y1, x2, y2): whole pixels, not to the stride.

    rounded: how; up, as the original, unless the task says otherwise (Task.rounds_up).
    """
    return max(1, rounded((crop[3] - crop[1]) * scale_y)), max(1, rounded((crop[2] - crop[0]) * scale_x))


class ChipBatches(NamedTuple):
    """batches: arrays of chip numbers, those that only fill up repeat the last; shapes: (slots, height, width)
    of each."""
    batches: list
    shapes: list


class _Group(NamedTuple):
    chips: np.ndarray             # numbers, ascending
    shape: Tuple[int, int, int]   # slots, height, width of its batches
    cost: float


def plan_batches(sizes, unit: int, budget: int, max_shapes: int) -> ChipBatches:
    """Chips of `sizes` (n, 2) height, width in input pixels -> ChipBatches, the largest batch first.

    unit: a batch has `unit` times a power of two slots (number of devices). budget: pixels of a batch at most, unless
    `unit` chips are more already. max_shapes: different shapes at most. Memory for all is so taken with the first
    batch.
    """
    sizes = np.asarray(sizes, np.int64).reshape(-1, 2)
    if len(sizes) == 0:
        return ChipBatches([], [])
    batches = []
    for group in _split(sizes, unit, budget, max_shapes):
        slots, count = group.shape[0], len(group.chips)
        filled = group.chips[np.minimum(np.arange(-(-count // slots) * slots), count - 1)]
        batches += [(chips, group.shape) for chips in filled.reshape(-1, slots)]
    batches.sort(key=lambda batch: batch[0][0])
    largest = max(range(len(batches)), key=lambda index: np.prod(batches[index][1]))
    batches.insert(0, batches.pop(largest))
    return ChipBatches([chips for chips, _ in batches], [shape for _, shape in batches])


def _split(sizes, unit, budget, max_shapes):
    """Groups of chips: the best split first, until none saves anything or there are max_shapes groups."""
    whole = _group(np.arange(len(sizes)), sizes, unit, budget)
    groups = []
    gain, halves = _best_split(whole, sizes, unit, budget)
    open_splits = [(-gain, 0, whole, halves)]  # the number before a group only breaks ties
    count = number = 1
    while open_splits:
        cost, _, group, parts = heapq.heappop(open_splits)
        if cost >= 0 or count >= max_shapes:
            groups.append(group)
            continue
        count += 1
        for part in parts:
            gain, halves = _best_split(part, sizes, unit, budget)
            heapq.heappush(open_splits, (-gain, number, part, halves))
            number += 1
    return groups


def _best_split(group, sizes, unit, budget):
    """-> (cost saved, 0 or less if no split does, the two groups or None)."""
    best = (0.0, None)
    for axis in (0, 1):
        order = group.chips[np.argsort(sizes[group.chips, axis], kind='stable')]
        ordered = sizes[order]
        cuts = np.nonzero(np.diff(ordered[:, axis]))[0] + 1  # between chips that differ
        if len(cuts) == 0:
            continue
        below = np.maximum.accumulate(ordered)[cuts - 1]
        above = np.maximum.accumulate(ordered[::-1])[::-1][cuts]
        costs = (_best_slots(cuts, below[:, 0], below[:, 1], unit, budget)[1] +
                 _best_slots(len(order) - cuts, above[:, 0], above[:, 1], unit, budget)[1])
        lowest = int(np.argmin(costs))
        if group.cost - costs[lowest] > best[0]:
            best = (group.cost - costs[lowest], (order[:cuts[lowest]], order[cuts[lowest]:]))
    if best[1] is None:
        return best
    return best[0], [_group(np.sort(chips), sizes, unit, budget) for chips in best[1]]


def _group(chips, sizes, unit, budget):
    height, width = sizes[chips].max(axis=0)
    slots, cost = _best_slots(np.array([len(chips)]), height, width, unit, budget)
    return _Group(chips, (int(slots[0]), int(height), int(width)), float(cost[0]))


def _best_slots(counts, heights, widths, unit, budget):
    """Slots a batch and cost, arrays, of groups of `counts` chips with a common shape."""
    slots, cost = np.zeros(len(counts), np.int64), np.full(len(counts), np.inf)
    pixels = np.asarray(heights, np.float64) * widths
    tried = unit
    while tried <= MAX_SLOTS * unit:
        batches = -(-counts // tried)
        of_tried = batches * (tried * (pixels + SLOT_COST) + BATCH_COST) + SHAPE_COST
        better = (of_tried < cost) & ((tried * pixels <= budget) | (tried == unit))
        slots[better], cost[better] = tried, of_tried[better]
        tried *= 2
    return slots, cost
