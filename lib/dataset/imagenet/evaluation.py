"""What a test on `imagenet` writes and reports: the text files of DET, average precision by class."""
import logging
import os
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.imagenet.result_files import Rows, as_written, prediction_paths, write_rows
from lib.dataset.imagenet.scoring import NO_TRUTH, DetScores, imagenet_det_ap
from lib.dataset.metrics_file import class_tables, write_metrics
from lib.dataset.truth import Truth
from lib.utils.counted import counted

logger = logging.getLogger(__name__)

LEAST_SCORE = 1e-3      # of what stays where classes become those of DET


def write_predictions(results_dir: str, name: str, detections: Detections, numbers: np.ndarray,
                      det_classes: np.ndarray) -> Rows:
    """Write det_<name>_pred.txt and, where any class is one of DET, modified_det_<name>_pred.txt -> what is scored: the
    lines of the latter, else of the former with labels from 1.

    numbers: see as_written; det_classes (N,): class of DET, from 1, of each class of the data set, 0 for none.
    """
    plain, modified = prediction_paths(results_dir, name)
    rows = as_written(detections.take(detections.label > 0), numbers)
    write_rows(plain, rows)
    logger.info('%s of %s written to %s', counted(len(rows.score), 'detection', 'detections'),
                counted(len(numbers), 'picture', 'pictures'), plain)
    if not det_classes.any():
        return rows._replace(label=rows.label + 1)
    rows = rows._replace(label=det_classes[rows.label])
    rows = rows.take((rows.label > 0) & (rows.score >= LEAST_SCORE))
    write_rows(modified, rows)
    logger.info('%d of them, of %s of DET, written to %s', len(rows.score), counted(
        len(np.unique(det_classes[det_classes > 0])), 'class', 'classes'), modified)
    return rows


def score(rows: Rows, numbers: np.ndarray, truth: Truth, det_classes: np.ndarray) -> DetScores:
    """rows: what write_predictions gives; truth: labels of the data set, boxes as in its XML files, which the official
    program takes as they are, and so without the pixel by which the result files are moved."""
    if det_classes.any():
        truth = truth._replace(label=det_classes[truth.label - 1])
        truth = truth.take(truth.label > 0)
    return imagenet_det_ap(truth._replace(image=np.asarray(numbers)[truth.image]), Detections(
        rows.image, rows.label, rows.box, rows.score))


def metrics_of(scores: DetScores, names: Dict[int, str]) -> Dict[str, Any]:
    """{'mAP', 'classes': that have truths, 'truths', 'detections', 'recall': of truths, 'per_class': {name: AP}}."""
    truths = int(scores.truths.sum())
    return {'mAP': scores.mean, 'classes': len(scores.label), 'truths': truths, 'detections': int(scores.found.sum()),
            'recall': float(scores.right.sum() / truths) if truths else NO_TRUTH,
            'per_class': {names[label]: ap for label, ap in zip(scores.label.tolist(), scores.ap.tolist())}}


def class_names(classes: Sequence[str], det_classes: np.ndarray) -> Dict[int, str]:
    """{scored label: name}; of several classes that are one of DET, their names joined."""
    if not det_classes.any():
        return dict(enumerate(classes[1:], 1))
    names: Dict[int, List[str]] = {}
    for name, label in zip(classes[1:], det_classes.tolist()):
        names.setdefault(label, []).append(name)
    return {label: ', '.join(of_label[:3]) + (', ...' if len(of_label) > 3 else '') + f' (DET {label})'
            for label, of_label in names.items()}


def report(metrics: Dict[str, Any], path: str) -> List[str]:
    """Lines for people: all classes, or of many the best and the worst; path: where all are."""
    per_class = metrics['per_class']
    lines = class_tables(per_class, 'AP per class by the rules of ILSVRC DET')
    if per_class:
        values = np.array(list(per_class.values()))
        low, middle, high = np.percentile(values, (25, 50, 75))
        lines.append(f'AP of {counted(len(values), "class", "classes")}: quartiles {low:.3f}, {middle:.3f}, '
                     f'{high:.3f}; {int((values == 0).sum())} at 0; all in {path}')
    lines.append(f'mean AP (ILSVRC DET) = {metrics["mAP"]:.4f} of {counted(len(per_class), "class", "classes")}, '
                 f'{counted(metrics["truths"], "truth", "truths")}, '
                 f'{counted(metrics["detections"], "detection", "detections")} of these classes')
    return lines


def evaluate(results_dir: str, name: str, classes: Sequence[str], detections: Detections, numbers: np.ndarray,
             truth: Optional[Truth], det_classes: np.ndarray) -> Optional[Dict[str, Any]]:
    """Write all files and score -> metrics_of, also written to det_<name>_metrics.json; None without truth."""
    rows = write_predictions(results_dir, name, detections, numbers, det_classes)
    if truth is None:
        return None
    metrics = metrics_of(score(rows, numbers, truth, det_classes), class_names(classes, det_classes))
    path = os.path.join(results_dir, f'det_{name}_metrics.json')
    write_metrics(path, metrics)
    for line in report(metrics, path):
        logger.info('%s', line)
    return metrics
