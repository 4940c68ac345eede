"""Detections against objects, for every data set by the same rules (COCO's): what a report says of a test.

matching.py says which detection has found which object, scores.py how good that is, by class, size and threshold,
errors.py what kinds of errors there are and what they cost, confusion.py which class is taken for which, run.py puts
them together. All of it is arrays of detections and objects; time and memory grow with these alone.
"""
