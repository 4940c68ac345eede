"""Data sets: annotation files -> roidb, and detections -> metrics.

    dataset = get_dataset('coco', 'val2017', './data', './data/coco')
    dataset.classes, dataset.roidb(), dataset.evaluate(detections, results_dir)

`load_training_roidb(config)` and `load_test_dataset(config)` do what the two command lines need.
The roidb record is specified in `lib.dataset.roidb`.
"""
from lib.dataset.loading import DATASETS, get_dataset, load_test_dataset, load_training_roidb

__all__ = ['DATASETS', 'get_dataset', 'load_test_dataset', 'load_training_roidb']
