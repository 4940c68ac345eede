"""ChipGenerator in plain NumPy: the rules of sniper/chip_grid.h, one image at a time."""
import numpy as np

from tests.chips.slow import candidates, clipped, containment

TRIALS = 8
BITS = 2 ** 64 - 1


def mix_bits(value):
    """Finaliser of SplitMix64."""
    value = (value + 0x9e3779b97f4a7c15) & BITS
    value = ((value ^ (value >> 30)) * 0xbf58476d1ce4e5b9) & BITS
    value = ((value ^ (value >> 27)) * 0x94d049bb133111eb) & BITS
    return value ^ (value >> 31)


def generate(boxes, height, width, chip_size=512, stride=56, seed=0):
    """(G, 4) boxes of one image -> (M, 4) chips, all of the cover."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    usable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
    boxes = boxes[usable & (boxes != -1).any(axis=1)]
    if len(boxes) == 0 or not (height >= 1 and width >= 1):
        return np.zeros((0, 4), np.float32)
    height, width = int(height), int(width)
    windows = candidates(width, height, chip_size, stride)
    boxes = clipped(boxes, width, height)
    inside = containment(windows, boxes)  # (candidates, boxes)
    boxes, inside = boxes[inside.any(axis=0)], inside[:, inside.any(axis=0)]
    chosen = []
    for group in groups(boxes, chip_size):
        chosen += smallest(inside[:, group], seed)
    everyone = np.isin(np.arange(len(windows)), chosen)
    return windows[greedy(inside & everyone[:, None], ranks(len(windows), seed))]


def ranks(count, seed):
    mixed = mix_bits(seed & BITS)
    return np.array([mix_bits(mixed ^ mix_bits(candidate)) for candidate in range(count)], dtype=np.uint64)


def greedy(inside, rank):
    inside, chosen = inside.copy(), []
    while inside.any():
        gains = inside.sum(axis=1)
        equal = np.nonzero(gains == gains.max())[0]
        best = equal[np.argmin(rank[equal])]
        chosen.append(best)
        inside[:, inside[best]] = False
    return chosen


def smallest(inside, seed):
    """The first of the smallest covers of one group."""
    best = None
    for trial in range(TRIALS):
        found = greedy(inside, ranks(len(inside), seed + trial))
        for candidate in reversed(list(found)):
            others = [other for other in found if other != candidate]
            if others and inside[others].any(axis=0).all():
                found = others
        if best is None or len(found) < len(best):
            best = found
    return best


def groups(boxes, chip_size):
    """Lists of boxes linked, directly or through others, by fitting into chip_size + 1 pixels together."""
    far = np.maximum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.minimum(boxes[:, None, :2], boxes[None, :, :2])
    linked = (far <= chip_size + 1).all(axis=2)
    left, found = set(range(len(boxes))), []
    while left:
        group, waiting = set(), [left.pop()]
        while waiting:
            box = waiting.pop()
            group.add(box)
            near = left & set(np.nonzero(linked[box])[0])
            left -= near
            waiting += near
        found.append(sorted(group))
    return found
