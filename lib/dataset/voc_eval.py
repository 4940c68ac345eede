"""Results files and average precision as in the PASCAL VOC development kit (reference/pipeline.md 14).

The score is that of the results files: coordinates of one decimal, scores of three; equal scores keep the order of
the file. Two rules: precision averaged over eleven recalls (challenges before 2010), and the area under the curve
made monotone (since 2010). Both are computed; that of the set's year counts, for a folder without a year the area.
"""
import logging
import os
from typing import Mapping, NamedTuple

import numpy as np

from lib.bbox.boxes import ignore_overlaps
from lib.bbox.detections import Detections, check_range
from lib.dataset.base import per_class_table
from lib.dataset.metrics_file import write_metrics
from lib.utils.files import text_writer

logger = logging.getLogger(__name__)

FIRST_YEAR_OF_AREA = 2010
THRESHOLDS = (0.5, 0.7)  # a detection is right if its IoU with an object is greater
# Doubles of exactly these values decide whether a recall of 0.3 reaches the fourth of them (it does not).
ELEVEN_RECALLS = np.arange(0.0, 1.1, 0.1)
RULES = ('11point', 'area')


class Matches(NamedTuple):
    """The object that each detection of a class overlaps most; best detection first, ties in the file's order."""
    overlap: np.ndarray    # (N,) IoU with it, 0 in an image without objects
    index: np.ndarray      # (N,) its number among all objects of the class
    difficult: np.ndarray  # (N,) bool
    inside: np.ndarray     # (N,) largest share of the detection that lies in a region of no class


def evaluate(dataset, detections, results_dir):
    """Write the results files; score them if the set has ground truth.

    dataset: lib.dataset.pascal_voc.PascalVocDataset; detections: see lib.dataset.base.Dataset.evaluate.
    Returns None without ground truth, else a dict, which is also written to metrics_<set>.json beside the files:
        rule                    '11point' or 'area': what AP50, AP70 and per_class are made by
        AP50, AP70              mean over the classes of AP at IoU 0.5 and 0.7; a class without objects counts as 0
        AP50_present, AP70_present  the same over the classes that have objects, 0 if none has
        AP50_11point, AP50_area, AP70_11point, AP70_area    the same by each rule
        per_class               {class: AP at 0.5}; per_class_AP70: at 0.7
        classes_without_objects names of classes without an object that counts
        difficult_objects       how many do not count, found or not
        images_left_out         images of the set that cannot be scored, for their truth cannot be read
    """
    check_range(detections, dataset.num_classes, len(dataset.image_ids))
    year = dataset.folder.year
    folder = os.path.join(results_dir, f'VOC{"" if year is None else year}', 'Main')
    files = [os.path.join(folder, f'comp4_det_{dataset.folder.image_set}_{_file_part(name)}.txt')
             for name in dataset.classes[1:]]
    of_classes, none = dict(detections.in_class_order().by_class()), Detections.empty()
    rows = [rounded_rows(of_classes.get(label, none)) for label in range(1, dataset.num_classes)]
    for path, of_class in zip(files, rows):
        write_results(path, dataset.image_ids, of_class)
    logger.info('%d detections of %d images written to %s', sum(len(images) for images, _ in rows),
                len(dataset.image_ids), os.path.join(folder, f'comp4_det_{dataset.folder.image_set}_*.txt'))
    if not dataset.has_annotations:
        logger.info('%s has no annotations: nothing to score against', dataset.name)
        return None
    of_year = 'area' if year is None or year >= FIRST_YEAR_OF_AREA else '11point'
    metrics = score(dataset, rows, dataset.rule or of_year)
    write_metrics(os.path.join(folder, f'metrics_{dataset.folder.image_set}.json'), metrics)
    for line in _report(metrics):
        logger.info('%s', line)
    return metrics


def rounded_rows(detections):
    """Detections of a class, pixels from 0, image by image -> (image numbers (N,), rows (N, 5) float64).

    Rows as a results file holds them: x1 y1 x2 y2 with pixels from 1 and one decimal, score with three.
    """
    stacked = detections.rows()
    stacked[:, :4] += 1  # in single precision, as in the original: it decides a few last digits
    texts = (_row_text(row) for row in stacked.tolist())
    rounded = np.array([[float(number) for number in text.split()] for text in texts]).reshape(-1, 5)
    return detections.image, rounded[:, [1, 2, 3, 4, 0]]


def write_results(path, image_ids, rows):
    """Lines 'id score x1 y1 x2 y2' from what `rounded_rows` gives."""
    with text_writer(path) as stream:
        for image, row in zip(*rows):
            stream.write(f'{image_ids[image]} {_row_text(row)}\n')


def score(dataset, rows, rule):
    """Metrics as in `evaluate`. rows[label - 1]: what `rounded_rows` gives."""
    ap = {name: np.zeros((len(THRESHOLDS), dataset.num_classes - 1)) for name in RULES}
    without, difficult_objects, truth = [], 0, dataset.objects_by_class()[1:]
    regions = {image: boxes for image, boxes in enumerate(dataset.regions()) if len(boxes)}
    for index, name in enumerate(dataset.classes[1:]):
        positives = sum(int(np.count_nonzero(~difficult)) for _, difficult in truth[index].values())
        difficult_objects += sum(len(difficult) for _, difficult in truth[index].values()) - positives
        if not positives:
            without.append(name)
            continue
        matches = match(*rows[index], truth[index], regions)
        for number, thresh in enumerate(THRESHOLDS):
            recall, precision = precision_recall(matches, positives, thresh)
            ap['11point'][number, index] = eleven_point_ap(recall, precision)
            ap['area'][number, index] = area_ap(recall, precision)
    metrics = {'rule': rule}
    present = np.array([name not in without for name in dataset.classes[1:]], bool)
    for number, name in enumerate(('AP50', 'AP70')):
        metrics[name] = float(ap[rule][number].mean())
        metrics[name + '_present'] = float(ap[rule][number][present].mean()) if present.any() else 0.0
        metrics.update((f'{name}_{other}', float(ap[other][number].mean())) for other in RULES)
    metrics['per_class'] = dict(zip(dataset.classes[1:], ap[rule][0].tolist()))
    metrics['per_class_AP70'] = dict(zip(dataset.classes[1:], ap[rule][1].tolist()))
    metrics['classes_without_objects'] = without
    metrics['difficult_objects'] = difficult_objects
    metrics['images_left_out'] = dataset.left_out
    return metrics


def precision_recall(matches: Matches, positives: int, thresh: float) -> tuple:
    """Curve of one class, best detection first -> recall (N,), precision (N,).

    matches: what `match` gives; positives: objects that count, > 0. The first detection of an object is right, further
    ones are wrong; those of difficult objects are neither, nor are those that hit nothing and lie in a region of no
    class by more than `thresh` of their area.
    """
    hit = matches.overlap > thresh
    candidates = np.flatnonzero(hit & ~matches.difficult)
    _, first = np.unique(matches.index[candidates], return_index=True)
    right = np.zeros(len(hit), bool)
    right[candidates[first]] = True
    neither = np.where(hit, matches.difficult, matches.inside > thresh)
    right, wrong = np.cumsum(right), np.cumsum(~right & ~neither)
    return right / positives, right / np.maximum(right + wrong, np.finfo(np.float64).eps)


def match(images, rows, truth, regions: Mapping[int, np.ndarray]):
    """-> Matches. images (N,) ascending, rows (N, 5): what `rounded_rows` gives; truth: {image: (boxes, difficult)};
    regions: {image: boxes (n, 4) that belong to no class}."""
    overlap, index = np.zeros(len(images)), np.zeros(len(images), np.int64)
    hard, inside = np.zeros(len(images), bool), np.zeros(len(images))
    for image, boxes in regions.items():
        place = slice(*np.searchsorted(images, [image, image + 1]))
        inside[place] = ignore_overlaps(boxes, rows[place, :4]).max(axis=0)
    numbers = np.array(sorted(truth), np.int64)
    starts, ends = np.searchsorted(images, numbers), np.searchsorted(images, numbers, side='right')
    before = 0
    for image, start, end in zip(numbers.tolist(), starts, ends):
        boxes, difficult = truth[image]
        if end > start:
            pairs = _overlaps(rows[start:end, :4], boxes)
            best = pairs.argmax(axis=1)
            overlap[start:end] = pairs[np.arange(end - start), best]
            index[start:end], hard[start:end] = before + best, difficult[best]
        before += len(boxes)
    order = np.argsort(-rows[:, 4], kind='stable')
    return Matches(overlap[order], index[order], hard[order], inside[order])


def eleven_point_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Mean over recalls 0, 0.1, ..., 1 of the best precision at that recall or above."""
    return float(np.mean([precision[recall >= level].max(initial=0.0) for level in ELEVEN_RECALLS]))


def area_ap(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area under the curve whose precision at a recall is the best one at that recall or above."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _overlaps(boxes, others):
    """IoU of boxes (n, 4) with others (k, 4), inclusive corners -> (n, k)."""
    sides = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2]) + 1
    common = np.prod(np.maximum(sides, 0), axis=2)
    areas, other_areas = (np.prod(rows[:, 2:] - rows[:, :2] + 1, axis=1) for rows in (boxes, others))
    return common / (areas[:, None] + other_areas - common)


def _row_text(row):
    return f'{row[4]:.3f} {row[0]:.1f} {row[1]:.1f} {row[2]:.1f} {row[3]:.1f}'


def _file_part(name):
    """A class name for the name of a file."""
    return ''.join('_' if letter in '/\\\0' else letter for letter in name)


def _report(metrics):
    lines = per_class_table(metrics['per_class'], 'AP at IoU 0.5 per class')
    if metrics['classes_without_objects']:
        lines.append('{} classes have no object in this set; their AP counts as 0 in the means. Over the others: '
                     'mean AP at IoU 0.5 = {:.4f}, at IoU 0.7 = {:.4f}'.format(
                         len(metrics['classes_without_objects']), metrics['AP50_present'], metrics['AP70_present']))
    if metrics['difficult_objects']:
        lines.append(f'{metrics["difficult_objects"]} objects are marked as difficult: they do not count, found or not')
    if metrics['images_left_out']:
        lines.append(f'{metrics["images_left_out"]} images are left out of the score: they or their annotations cannot '
                     'be read, as said at the start')
    for name, thresh in zip(('AP50', 'AP70'), THRESHOLDS):
        lines.append('mean AP at IoU {} = {:.4f} (11 points {:.4f}, area {:.4f}; {} counts)'.format(
            thresh, metrics[name], metrics[name + '_11point'], metrics[name + '_area'],
            'the area' if metrics['rule'] == 'area' else 'that of 11 points'))
    return lines
