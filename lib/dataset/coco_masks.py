"""Masks in COCO's evaluation: records of results, and ground truth as run-length codes (pycocotools)."""
import json

import numpy as np

from lib.dataset.annotation_warnings import Oddities, is_number
from lib.dataset.outlines import MIN_POLYGON_NUMBERS, run_length_mask

AREA_A_CALL = 4096  # codes
FAR = 2             # image sides; corners farther out are moved in, as pycocotools walks to them step by step


def iterate_masks(coco_file, detections):
    """Detections in their order -> COCO results of those that have a mask: dicts of category_id, image_id, score and
    segmentation."""
    for label, image, score, code in zip(detections.label.tolist(), detections.image.tolist(),
                                         detections.score.tolist(), detections.mask):
        if code:
            of_image = coco_file.images[image]
            yield {'category_id': coco_file.categories[label - 1]['id'], 'image_id': of_image['id'],
                   'score': round(score, 8),
                   'segmentation': {'counts': code, 'size': [int(of_image['height']), int(of_image['width'])]}}


_RECORD = '''    {
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
    return _RECORD % (json.dumps(result['category_id']), json.dumps(result['image_id']), result['score'],
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
    oddities = Oddities(coco_file.path)
    for image in coco_file.images:
        width, height = int(image['width']), int(image['height'])
        for annotation in coco_file.annotations[image['id']]:
            code = true_mask(annotation, width, height)
            crowd = bool(annotation.get('iscrowd'))
            box = annotation['bbox']
            if code is None:
                crowd = True
                code = _box_code(box, width, height)
                oddities.add('objects have no usable segmentation; masks found there are not scored',
                             annotation.get('id', f'(no id) of image {image["id"]}'))
            yield {'image_id': image['id'], 'category_id': annotation['category_id'], 'bbox': box,
                   'segmentation': code, 'iscrowd': int(crowd), 'area': annotation.get('area', box[2] * box[3])}
    oddities.log()


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
    rings = [np.clip(ring, -limit, limit).tolist() for ring in outline
             if isinstance(ring, list) and len(ring) >= MIN_POLYGON_NUMBERS and len(ring) % 2 == 0
             and all(map(is_number, ring))]
    return mask.merge(mask.frPyObjects(rings, height, width)) if rings else None


def _box_code(box, width, height):
    from pycocotools import mask
    return mask.frPyObjects(np.array([box], np.float64), height, width)[0]
