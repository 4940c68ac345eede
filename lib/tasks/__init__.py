"""Families of detectors: what distinguishes one from another, said once.

    base.py          the contract, Task, and what it is made of
    faster_rcnn.py, proposals.py   the families there are
    registry.py      which task a detector is of

A task is asked by iterators, engine, train and inference, which hold no name of a family's inputs, outputs, keys or
layers. The networks themselves are symbols/detectors.
"""
from lib.tasks.base import (
    BoxLayer,
    FeatureGraph,
    FocusOutput,
    Input,
    MaskGraph,
    Metric,
    Pixels,
    TargetReport,
    Task,
)
from lib.tasks.registry import check_config, get_task, log_remarks, register_task

__all__ = ['BoxLayer', 'FeatureGraph', 'FocusOutput', 'Input', 'MaskGraph', 'Metric', 'Pixels', 'TargetReport', 'Task',
           'check_config', 'get_task', 'log_remarks', 'register_task']
