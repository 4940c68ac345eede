"""Inference: roidb -> detections.

    detections = detect(roidb, PredictorFactory(config, weights), config, num_classes)

scale.py runs one scale of the pyramid (iterator -> predictor -> decode), jobs.py several processes of it, aggregate.py
joins the scales, store.py keeps files. A predictor is anything with `predict(batch) -> {output name: array}`, `devices`
and `close()`, and for masks `predict_masks(feature, rois)` (masks.py). MXNet is imported inside functions only, because
spawned processes re-import the main module.
"""
from lib.inference.aggregate import Suppression, aggregate
from lib.inference.decode import decode
from lib.inference.detect import detect, detect_masks
from lib.engine.predictor import ModulePredictor
from lib.inference.progress import StageClock
from lib.inference.store import DetectionStore
from lib.inference.weights import PredictorFactory, check_classes, find_weights, use_float32_on_cpu

__all__ = ['DetectionStore', 'ModulePredictor', 'PredictorFactory', 'StageClock', 'Suppression', 'aggregate',
           'check_classes', 'decode', 'detect', 'detect_masks', 'find_weights', 'use_float32_on_cpu']
