"""Counting false positives by COCO's matching."""
import json

from benchmarks.negatives import THRESHOLDS, false_positives, fewer, no_more


def test_detections_without_an_object_of_their_class_count(tmp_path):
    truth = {'images': [{'id': 1, 'width': 100, 'height': 100}, {'id': 2, 'width': 100, 'height': 100}],
             'categories': [{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}],
             'annotations': [{'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [10, 10, 20, 20], 'area': 400,
                              'iscrowd': 0}]}
    rows = [(1, 1, [10, 10, 20, 20], 0.9),   # the object
            (1, 1, [11, 10, 20, 20], 0.6),   # the object once more
            (1, 2, [10, 10, 20, 20], 0.4),   # wrong class
            (2, 1, [50, 50, 20, 20], 0.2)]   # nothing there
    detections = [{'image_id': image, 'category_id': category, 'bbox': box, 'score': score}
                  for image, category, box, score in rows]
    for name, content in (('truth', truth), ('detections', detections)):
        (tmp_path / name).write_text(json.dumps(content))
    assert THRESHOLDS == (0.1, 0.3, 0.5)
    assert false_positives(str(tmp_path / 'truth'), str(tmp_path / 'detections')) == [1.5, 1.0, 0.5]


def test_bars():
    without, own = {'AP': 0.5, 'false_positives': [4, 2, 1]}, {'AP': 0.5, 'false_positives': [3, 1, 0.5]}
    assert fewer(without, own) and not fewer(own, without)
    assert not fewer(without, dict(own, AP=0.49)) and not fewer(without, dict(own, false_positives=[3, 1, 1]))
    assert no_more(own, dict(own, false_positives=[3.15, 1, 0])) and not no_more(own, without)
    assert not no_more(own, dict(own, false_positives=[3, 1.06, 0.5]))
