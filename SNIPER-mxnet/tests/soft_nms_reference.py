"""Soft-NMS of one set in plain NumPy, a loop over the chosen rows (Bodla et al., ICCV 2017)."""
import numpy as np


def soft_nms(dets, sigma=0.5, iou_thresh=0.3, score_thresh=0.001, method='gaussian'):
    """(N, 5) x1, y1, x2, y2, score -> (M, 5) float32 survivors in order of selection.

    Rows that are not finite or start below score_thresh are left out.
    """
    rows = np.array(dets, dtype=np.float32).reshape(-1, 5)
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows[rows[:, 4] >= np.float32(score_thresh)]
    areas = (rows[:, 2] - rows[:, 0] + 1) * (rows[:, 3] - rows[:, 1] + 1)
    place = 0
    while place < len(rows):
        best = place + int(np.argmax(rows[place:, 4]))  # the first among equals
        rows[[place, best]], areas[[place, best]] = rows[[best, place]], areas[[best, place]]
        top, behind = rows[place], rows[place + 1:]
        width = np.minimum(top[2], behind[:, 2]) - np.maximum(top[0], behind[:, 0]) + 1
        height = np.minimum(top[3], behind[:, 3]) - np.maximum(top[1], behind[:, 1]) + 1
        touched = (width > 0) & (height > 0)
        shared = width[touched] * height[touched]
        overlap = shared / (areas[place] + areas[place + 1:][touched] - shared)
        if method == 'gaussian':
            weight = np.exp(-(overlap * overlap).astype(np.float64) / np.float32(sigma)).astype(np.float32)
        else:
            over = overlap > np.float32(iou_thresh)
            weight = np.where(over, 1 - overlap if method == 'linear' else 0, 1).astype(np.float32)
        behind[touched, 4] *= weight
        keep = ~touched | (behind[:, 4] >= np.float32(score_thresh))
        order = place + 1 + closed_up(keep)
        rows, areas = (np.concatenate([array[:place + 1], array[order]]) for array in (rows, areas))
        place += 1
    return rows


def closed_up(keep):
    """Order of the kept rows when, from the front on, the last live row takes the place of a dropped one."""
    order, last, row = [], len(keep) - 1, 0
    source = list(range(len(keep)))
    while row <= last:
        if keep[source[row]]:
            order.append(source[row])
            row += 1
        else:
            source[row] = source[last]
            last -= 1
    return np.array(order, dtype=int)
