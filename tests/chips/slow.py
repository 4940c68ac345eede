"""Plain NumPy twins of the chip kernels, written from reference/pipeline.md sections 7 and 8."""
import numpy as np


def candidates(width, height, size, stride):
    w, h, s = width, height, size
    found = [(max(w - s, 0), 0, w - 1, min(s, h - 1)), (0, max(h - s, 0), min(s, w - 1), h - 1),
             (max(w - s, 0), max(h - s, 0), w - 1, h - 1)]
    columns, rows = range(0, max(w - s, 0), stride), range(0, max(h - s, 0), stride)
    found += [(x, y, x + s - 1, y + s - 1) for x in columns for y in rows]
    found += [(max(w - s - 1, 0), y, w - 1, y + s - 1) for y in rows]
    found += [(x, max(h - s - 1, 0), x + s - 1, h - 1) for x in columns]
    return np.array(found, dtype=np.float32)


def clipped(boxes, width, height):
    boxes = np.array(boxes, dtype=np.float32)
    boxes[:, 0::2] = np.maximum(np.minimum(boxes[:, 0::2], width - 2), 0)
    boxes[:, 1::2] = np.maximum(np.minimum(boxes[:, 1::2], height - 2), 0)
    return boxes


def containment(chips, boxes):
    """(C, 4), (N, 4) float32 -> (C, N) bool, the share of the box in the chip rounds to one."""
    chips, boxes = chips[:, None].astype(np.float32), boxes[None]
    iw = np.minimum(chips[..., 2], boxes[..., 2]) - np.maximum(chips[..., 0], boxes[..., 0]) + np.float32(1)
    ih = np.minimum(chips[..., 3], boxes[..., 3]) - np.maximum(chips[..., 1], boxes[..., 1]) + np.float32(1)
    area = (boxes[..., 2] - boxes[..., 0] + 1) * (boxes[..., 3] - boxes[..., 1] + 1)
    return (iw > 0) & (ih > 0) & (iw * ih / area == 1)


def cover(boxes, width, height, size, stride, order):
    """Greedy cover with ties to the first in order -> (M, 4) float32."""
    chips = candidates(width, height, size, stride)[order]
    inside, chosen = containment(chips, clipped(boxes, width, height)), []
    while inside.any():
        best = inside.sum(axis=1).argmax()
        chosen.append(chips[best])
        inside = inside & ~inside[best]
    return np.array(chosen, dtype=np.float32).reshape(-1, 4)


def sides(boxes):
    w, h = (boxes[:, 2] - boxes[:, 0]).astype(np.int32), (boxes[:, 3] - boxes[:, 1]).astype(np.int32)
    return w, h, np.sqrt(w.astype(np.float64) * h), np.maximum(w, h)


def seed_mask(boxes, low, high, limit, first, last):
    w, h, side, longer = sides(boxes)
    if last:
        return (side >= low) | (longer >= limit)
    if first:
        return (side < high) & (longer < limit) & (w >= 2) & (h >= 2)
    return (side >= low) & (side < high) & (longer < limit)


def assigned(boxes, chips, low, high, limit, last):
    w, h, side, longer = sides(boxes)
    may = (side >= low) | (longer >= limit) if last else (side < high) & (longer < limit) & (w >= 2) & (h >= 2)
    result = np.full(len(boxes), -1)
    for row in np.nonzero(may)[0]:
        box, shares = boxes[row].astype(np.float64), []
        for chip in chips:
            iw = min(chip[2], box[2]) - max(chip[0], box[0]) + 1
            ih = min(chip[3], box[3]) - max(chip[1], box[1]) + 1
            area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
            shares.append(iw * ih / area if iw > 0 and ih > 0 else 0)
        if not shares:
            continue
        chip = chips[int(np.argmax(shares))]
        iw, ih = min(chip[2], box[2]) - max(chip[0], box[0]), min(chip[3], box[3]) - max(chip[1], box[1])
        if iw >= 1 and ih >= 1 and (np.sqrt(iw * ih) >= low or max(iw, ih) >= limit if last
                                    else np.sqrt(iw * ih) <= high):
            result[row] = np.argmax(shares)
    return result
