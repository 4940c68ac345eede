"""What a test on Open Images writes and reports: the official CSV of predictions, average precision by class, in the
form of version 2 and, where there is a hierarchy of classes, that of the challenges."""
import logging
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.base import PrecisionRecall
from lib.dataset.metrics_file import MOST_IN_TABLE, class_tables
from lib.dataset.openimages.hierarchy import Hierarchy, expand
from lib.dataset.openimages.labels import VerifiedLabels
from lib.dataset.openimages.scoring import RECALLS, OpenImagesScores, openimages_ap
from lib.dataset.truth import Truth
from lib.utils.counted import counted

logger = logging.getLogger(__name__)

ROWS = 1 << 20          # detections that are expanded at a time


class Scores(NamedTuple):
    """challenge: None without a hierarchy of classes."""

    plain: OpenImagesScores
    challenge: Optional[OpenImagesScores]


def score(truth: Truth, detections: Detections, labels: Optional[VerifiedLabels], hierarchy: Optional[Hierarchy],
          expand_detections: bool = True) -> Scores:
    """truth: boxes around groups are `crowd`. labels: of whole pictures; None: every class counts in every picture.

    In the form of the challenges, boxes and labels of what is there hold for all classes above theirs too, labels of
    what is not there for all below. expand_detections: so do detections; False if a file has these already.
    """
    pairs = None if labels is None else np.stack([labels.image, labels.label], axis=1)
    plain = openimages_ap(truth, detections, pairs)
    if hierarchy is None:
        return Scores(plain, None)
    if pairs is not None and labels is not None:
        seen, others = pairs[labels.present], pairs[~labels.present]
        pairs = np.concatenate([_expanded(seen, hierarchy.above), _expanded(others, hierarchy.below)])
    rows, label = _row_by_row(truth.label, hierarchy)
    wider = Truth.of(truth.image[rows], label, truth.box[rows], ignored=truth.ignored[rows], crowd=truth.crowd[rows])
    if pairs is not None:
        pairs = np.concatenate([pairs, np.stack([wider.image, wider.label], axis=1)])
    found = with_ancestors(detections, hierarchy, pairs) if expand_detections else detections
    return Scores(plain, openimages_ap(wider, found, pairs, group_weight=1.0))


def with_ancestors(detections: Detections, hierarchy: Hierarchy, pairs: Optional[np.ndarray] = None) -> Detections:
    """Detections, and each again as every class above its own. Of one box that several classes lend to one above them,
    the best is left: a box whose class is in doubt would count several times.

    pairs (v, 2): image and label of those that are wanted, None for all; a small part of what millions expand to.
    """
    wanted = np.zeros((0, 2), np.int64) if pairs is None else pairs
    span = 1 + max(max(hierarchy.above, default=0), *(int(labels.max(initial=0)) for labels in (
        detections.label, wanted[:, 1])))
    keys, parts = np.unique(_keys(wanted[:, 0], wanted[:, 1], span)), [Detections.empty()]
    time, times = _time(detections), [np.zeros(0, np.int64)]
    for first in range(0, len(detections), ROWS):
        part = detections.take(np.arange(first, min(first + ROWS, len(detections)))).replace(mask=None)
        rows, label = _row_by_row(part.label, hierarchy)
        if pairs is not None:
            kept = _among(_keys(part.image[rows], label, span), keys)
            rows, label = rows[kept], label[kept]
        parts.append(part.take(rows).replace(label=label))
        times.append(time[first + rows])
    return _without_doubles(Detections.concatenate(parts), np.concatenate(times))


def _row_by_row(label, hierarchy):
    """(rows, labels): each row as its own class and those above it, before the next row. Of boxes that a detection
    overlaps as much the first counts, and so has the official program them."""
    rows, label = expand(label, hierarchy.above)
    order = np.argsort(rows, kind='stable')
    return rows[order], label[order]


def _keys(image, label, span) -> np.ndarray:
    return image.astype(np.int64) * span + label


def _among(values, keys) -> np.ndarray:
    """(n,) bool; keys ascending."""
    place = np.searchsorted(keys, values)
    return np.append(keys, -1)[place] == values


def _time(found) -> np.ndarray:
    """(n,) the how-manieth detection each is of its image, class and box, the best 0: a box that a class has twice is
    two detections above it too."""
    order, new = _alike(found.image, found.label, *found.box.T, last=-found.score)
    place = np.arange(len(order))
    time = np.empty(len(order), np.int64)
    time[order] = place - np.maximum.accumulate(np.where(new, place, 0))
    return time


def _without_doubles(found, time) -> Detections:
    """Of one image, class, box and time the highest score. The order stays."""
    order, new = _alike(found.image, found.label, time, *found.box.T, last=-found.score)
    return found.take(np.sort(order[new]))


def _alike(*columns, last):
    """(order, new) (n,): rows that agree in all columns one behind the other, by `last`; whether a row is the first."""
    order = np.lexsort([last, *columns])
    new = np.zeros(len(order), bool)
    new[:1] = True
    for values in columns:
        values = values[order]
        new[1:] |= values[1:] != values[:-1]
    return order, new


def _expanded(pairs, others) -> np.ndarray:
    """(n, 2) image, label -> (m, 2)."""
    rows, label = expand(pairs[:, 1], others)
    return np.stack([pairs[rows, 0], label], axis=1)


def metrics_of(scores: Scores, names: Sequence[str]) -> Dict[str, Any]:
    """{'mAP', 'challenge_mAP', 'classes': that have truths, 'truths', 'groups', 'detections': that count, 'per_class',
    'challenge_per_class': {name: AP}}; what is of the challenges is there only if it was scored."""
    plain = scores.plain
    metrics = {'mAP': plain.mean, 'classes': len(plain.label), 'truths': int(plain.truths.sum()),
               'groups': int(plain.groups.sum()), 'detections': int(plain.found.sum()),
               'per_class': _per_class(plain, names)}
    if scores.challenge is not None:
        metrics.update(challenge_mAP=scores.challenge.mean, challenge_per_class=_per_class(scores.challenge, names))
    return metrics


def _per_class(scores, names):
    return {names[label]: ap for label, ap in zip(scores.label.tolist(), scores.ap.tolist())}


def curves_of(scores: Scores) -> List[PrecisionRecall]:
    """The mean over classes in either form: hundreds of curves of single ones would be no picture."""
    return [PrecisionRecall(f'{form}, mean of {counted(len(of_form.label), "class", "classes")}', RECALLS,
                            of_form.precision, of_form.mean)
            for form, of_form in (('V2', scores.plain), ('Challenge', scores.challenge))
            if of_form is not None and len(of_form.label)]


def report(metrics: Dict[str, Any], path: str = '') -> List[str]:
    """Lines for people: all classes, or of many the best and the worst; path: where all are, '' nowhere."""
    per_class = metrics['per_class']
    lines = class_tables(per_class, 'AP per class by the rules of Open Images')
    if len(per_class) > MOST_IN_TABLE:
        lines.append(f'AP of all {len(per_class)} classes: {path}' if path
                     else f'{len(per_class)} classes have objects')
    lines.append(f'mean AP (Open Images V2) = {metrics["mAP"]:.4f} of {counted(len(per_class), "class", "classes")}, '
                 f'{counted(metrics["truths"], "object", "objects")}, {counted(metrics["groups"], "group", "groups")}, '
                 f'{counted(metrics["detections"], "detection", "detections")} of classes that somebody looked for')
    if 'challenge_mAP' in metrics:
        lines.append(f'mean AP (Open Images Challenge) = {metrics["challenge_mAP"]:.4f} of '
                     f'{counted(len(metrics["challenge_per_class"]), "class", "classes")}, with those above them')
    return lines
