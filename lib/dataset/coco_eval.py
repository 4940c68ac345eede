"""COCO results files and the COCO tables of average precision (pycocotools), of boxes and of masks."""
import contextlib
import io
import json
import logging
import os

import numpy as np

from lib.bbox.detections import check_range
from lib.dataset.base import AnnotationWarnings, per_class_table
from lib.dataset.coco_masks import rings_of, run_length_mask
from lib.dataset.metrics_file import write_metrics
from lib.utils.files import text_writer

logger = logging.getLogger(__name__)

# The twelve numbers of the COCO table, in the order in which pycocotools gives them.
METRICS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
AREA_A_CALL = 4096  # codes
FAR = 2             # image sides; corners farther out are moved in, as pycocotools walks to them step by step


def evaluate(coco_file, image_set, classes, detections, results_dir):
    """Write the results files; score them if the annotation file has ground truth.

    coco_file: lib.dataset.coco_file.CocoFile, with segmentations if the detections have masks; detections: see
    lib.dataset.base.Dataset.evaluate.
    Returns a dict: the METRICS (-1 where nothing of that kind is annotated, as in COCO), 'per_class', a dict of AP by
    class name, and with masks 'segm', a dict of the same for masks. The dict is also written, to
    detections_<set>_metrics.json. None without ground truth.
    """
    check_range(detections, len(classes), len(coco_file.images))
    with_masks, detections = detections.mask is not None, detections.take(detections.label > 0).in_class_order()
    path = os.path.join(results_dir, f'detections_{image_set}_results.json')
    count = write_results(path, iterate_results(coco_file, detections), box_text)
    logger.info('%d detections of %d images written to %s', count, len(coco_file.images), path)
    if with_masks:
        path = os.path.join(results_dir, f'detections_{image_set}_segm_results.json')
        with_mask = write_results(path, iterate_masks(coco_file, detections), mask_text)
        logger.info('%d masks written to %s%s', with_mask, path,
                    '' if with_mask == count else f'; {count - with_mask} detections have none')
    if not coco_file.has_annotations:
        logger.info('%s has no annotations: nothing to score against', coco_file.path)
        return None
    metrics, lines = score(coco_file, classes, iterate_results(coco_file, detections))
    if with_masks and not any_outline(coco_file):
        logger.info('%s has no segmentations: masks are not scored', coco_file.path)
    elif with_masks:
        metrics['segm'], of_masks = score(coco_file, classes, iterate_masks(coco_file, detections), 'segm')
        lines += of_masks
    write_metrics(os.path.join(results_dir, f'detections_{image_set}_metrics.json'), metrics)
    for line in lines:
        logger.info('%s', line)
    return metrics


def iterate_results(coco_file, detections):
    """Detections in their order -> COCO results: dicts of bbox, category_id, image_id, score."""
    sizes = detections.box[:, 2:4] - detections.box[:, 0:2] + 1
    for label, image, box, size, score_ in zip(*(array.tolist() for array in (
            detections.label, detections.image, detections.box[:, :2], sizes, detections.score))):
        yield {'bbox': [round(number, 1) for number in box + size],
               'category_id': coco_file.categories[label - 1]['id'], 'image_id': coco_file.images[image]['id'],
               'score': round(score_, 8)}


_RECORD = '''    {
        "bbox": [
            %r,
            %r,
            %r,
            %r
        ],
        "category_id": %s,
        "image_id": %s,
        "score": %r
    }'''


def box_text(result):
    """A result of a box as JSON, the way json.dumps(sort_keys=True, indent=4) writes it within a list."""
    return _RECORD % (tuple(result['bbox']) + (
        json.dumps(result['category_id']), json.dumps(result['image_id']), result['score']))


def write_results(path, results, text):
    """Write results as json.dumps(list, sort_keys=True, indent=4) would, record by record.

    text: result -> its JSON. A test set gives millions of records: the whole is never in memory. Returns their number.
    """
    count = 0
    with text_writer(path) as stream:
        stream.write('[')
        for result in results:
            stream.write('\n' if not count else ',\n')
            stream.write(text(result))
            count += 1
        stream.write('\n]' if count else ']')
    return count


def score(coco_file, classes, results, kind='bbox'):
    """-> (metrics as in evaluate, of boxes or, by kind 'segm', of masks; lines of a report).

    Every id is replaced by a positive number: pycocotools takes a match with annotation id 0 for none, and cannot
    order ids of mixed types.
    """
    from lib.dataset.coco_many_classes import evaluator_of
    image_numbers = {image['id']: number for number, image in enumerate(coco_file.images, 1)}
    labels = coco_file.labels
    images = [{'id': number, 'height': int(image['height']), 'width': int(image['width'])}
              for number, image in enumerate(coco_file.images, 1)]
    categories = [{'id': label} for label in range(1, len(classes))]
    truth = true_masks(coco_file) if kind == 'segm' else _true_boxes(coco_file)
    found = found_masks(results) if kind == 'segm' else _found_boxes(results)
    truth, found = ([dict(record, image_id=image_numbers[record['image_id']], category_id=labels[record['category_id']])
                     for record in records] for records in (truth, found))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # pycocotools prints its progress
        evaluator = evaluator_of(_index(images, categories, truth), _index(images, categories, found), len(images),
                                 len(categories), kind)
        evaluator.evaluate()
        evaluator.accumulate()
        printed.seek(0)
        printed.truncate()
        evaluator.summarize()
    metrics = dict(zip(METRICS, map(float, evaluator.stats)))
    # precision: (IoU thresholds, recall levels, classes, area ranges, detection limits); all areas, 100 an image
    precision = evaluator.eval['precision'][:, :, :, 0, -1]
    metrics['per_class'] = {name: _mean_of_valid(precision[:, :, index]) for index, name in enumerate(classes[1:])}
    title = 'AP per class' if kind == 'bbox' else 'AP of masks per class'
    return metrics, per_class_table(metrics['per_class'], title) + printed.getvalue().rstrip().splitlines()


def _true_boxes(coco_file):
    for of_image in coco_file.annotations.values():
        for annotation in of_image:
            yield {'image_id': annotation['image_id'], 'category_id': annotation['category_id'],
                   'bbox': annotation['bbox'], 'iscrowd': annotation['iscrowd'], 'area': annotation['area']}
    yield from _true_regions(coco_file)


def _true_regions(coco_file):
    """Regions of no class, as a crowd of each: what lies in them for the most part is neither right nor wrong."""
    for image_id, regions in coco_file.regions.items():
        for region in regions:
            for category in coco_file.categories:
                yield {'image_id': image_id, 'category_id': category['id'], 'bbox': region['bbox'], 'iscrowd': 1,
                       'area': region['area']}


def _found_boxes(results):
    for result in results:
        yield dict(result, iscrowd=0, area=result['bbox'][2] * result['bbox'][3])


def _index(images, categories, annotations):
    """pycocotools' COCO object around lists of records; unlike its loadRes, it takes an empty list."""
    from pycocotools.coco import COCO
    for number, annotation in enumerate(annotations, 1):
        annotation['id'] = number
    coco = COCO()
    coco.dataset = {'images': images, 'categories': categories, 'annotations': annotations}
    coco.createIndex()
    return coco


def _mean_of_valid(values):
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else -1.0


def iterate_masks(coco_file, detections):
    """Detections in their order -> COCO results of those that have a mask: dicts of category_id, image_id, score and
    segmentation."""
    for label, image, score_, code in zip(detections.label.tolist(), detections.image.tolist(),
                                          detections.score.tolist(), detections.mask):
        if code:
            of_image = coco_file.images[image]
            yield {'category_id': coco_file.categories[label - 1]['id'], 'image_id': of_image['id'],
                   'score': round(score_, 8),
                   'segmentation': {'counts': code, 'size': [int(of_image['height']), int(of_image['width'])]}}


_MASK_RECORD = '''    {
        "category_id": %s,
        "image_id": %s,
        "score": %r,
        "segmentation": {
            "counts": %s,
            "size": [
                %d,
                %d
            ]
        }
    }'''


def mask_text(result):
    """A result of a mask as JSON, the way json.dumps(sort_keys=True, indent=4) writes it within a list."""
    code = result['segmentation']
    return _MASK_RECORD % (json.dumps(result['category_id']), json.dumps(result['image_id']), result['score'],
                      json.dumps(code['counts'].decode('ascii')), *code['size'])


def found_masks(results):
    """Results -> annotations as pycocotools' evaluation wants them."""
    from pycocotools import mask
    results = list(results)
    for first in range(0, len(results), AREA_A_CALL):
        part = results[first:first + AREA_A_CALL]
        for result, area in zip(part, mask.area([result['segmentation'] for result in part])):
            yield dict(result, iscrowd=0, area=float(area))


def any_outline(coco_file):
    """Whether any object has a segmentation at all."""
    return any(annotation.get('segmentation') for of_image in coco_file.annotations.values()
               for annotation in of_image)


def true_masks(coco_file):
    """Annotations with run-length codes. An object without a usable outline is a crowd as large as its box: detections
    there count neither as right nor as wrong."""
    warnings = AnnotationWarnings(coco_file.path)
    for image in coco_file.images:
        width, height = int(image['width']), int(image['height'])
        for annotation in coco_file.annotations[image['id']]:
            code = true_mask(annotation, width, height)
            crowd = bool(annotation['iscrowd'])
            box = annotation['bbox']
            if code is None:
                crowd = True
                code = _box_code(box, width, height)
                warnings.add('objects have no usable segmentation; masks found there are not scored',
                             annotation.get('id', f'(no id) of image {image["id"]}'))
            yield {'image_id': image['id'], 'category_id': annotation['category_id'], 'bbox': box,
                   'segmentation': code, 'iscrowd': int(crowd), 'area': annotation['area']}
    warnings.log()
    sizes = {image['id']: (int(image['width']), int(image['height'])) for image in coco_file.images}
    for region in _true_regions(coco_file):
        yield dict(region, segmentation=_box_code(region['bbox'], *sizes[region['image_id']]))


def true_mask(annotation, width, height):
    """Run-length code of an object as a dict of size and counts, or None if it has no usable outline."""
    from pycocotools import mask
    outline = annotation.get('segmentation')
    if isinstance(outline, dict):
        pixels = run_length_mask(outline, width, height)
        return None if pixels is None else mask.encode(np.asfortranarray(pixels))
    if not isinstance(outline, list):
        return None
    limit = FAR * max(width, height)
    rings = [np.clip(ring, -limit, limit).tolist() for ring in rings_of(outline)[0]]
    return mask.merge(mask.frPyObjects(rings, height, width)) if rings else None


def _box_code(box, width, height):
    from pycocotools import mask
    limit = FAR * max(width, height)
    corners = np.clip(np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float64), -limit, limit)
    return mask.frPyObjects(np.concatenate([corners[:2], corners[2:] - corners[:2]])[None], height, width)[0]
