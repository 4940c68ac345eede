"""Inference: roidb -> detections.

    detections = detect(roidb, PredictorFactory(config, weights), config)

scale.py runs one scale of the pyramid (iterator -> predictor -> the task's decode), mirror.py on mirrored images too,
predictors.py makes what computes it, workers.py several processes of it, windows.py says which windows a scale looks
at, autofocus.py makes those around FocusPixels, aggregate.py joins the scales, detection_store.py keeps files,
classes.py says which classes of a data set those of the weights are, evaluate.py is a whole test, shards.py one on
several machines, pictures.py draws it, test_report.py and other_test.py make a page on it and on an earlier one,
unreadable.py says what could not be read, proposals.py extracts proposals instead, recall.py says how many objects
proposals find, any_object.py scores them as detections of one class. A predictor is anything with
`predict(batch) -> {output name: array}`, `devices` and `close()`, and for masks `predict_masks(feature, rois)`
(masks.py). MXNet is imported inside functions only, because spawned processes re-import the main module.
"""
from lib.inference.aggregate import Suppression, aggregate
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.predictors import PredictorFactory
from lib.inference.weights import Weights, find_weights, settle_classes, use_float32_on_cpu

__all__ = ['DetectionStore', 'PredictorFactory', 'Suppression', 'Weights', 'aggregate', 'detect',
           'find_weights', 'settle_classes', 'use_float32_on_cpu']
