"""New classes from a few pictures without boxes, on any detector that is trained: python -m lib.fewshot FOLDER.

    folder.py      a folder of pictures a class, what is held out
    network.py     the detector's network: pictures and objects to features; pooling.py: a feature map to numbers
    cache.py       features and objects on disk
    linear.py      the linear classifier; classifier.py: it, its examples and its file
    learn.py       the steps of learning; detector.py: detection, for programs of your own
    command.py     the command line
    superclasses.py, clusters.py   python -m lib.fewshot.superclasses: which classes look alike, for R-FCN-3K

The method is R-FCN-3K's (reference/other_detectors.md, part A): features of whole pictures are means of a feature map,
a linear softmax classifier tells them apart, and the same classifier scores the same means over the boxes of objects.
docs/fewshot.md has the rest.
"""
from lib.fewshot.classifier import Examples, FewShotClassifier
from lib.fewshot.detector import FewShotDetector

__all__ = ['Examples', 'FewShotClassifier', 'FewShotDetector']
