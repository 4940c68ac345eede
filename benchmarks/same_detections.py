"""Does another machine find the same? The shipped detector on the demo picture: python -m benchmarks.same_detections

    .venv/bin/python -m benchmarks.same_detections --write x86.npz       on one machine
    .venv/bin/python -m benchmarks.same_detections --against x86.npz     on the other: exit status 1 where they differ

They are the same where every detection of a score from 0.01 on has its twin: one of its class, whose score and whose
sides, in pixels, differ by at most 0.001. scripts/arm64_system.sh calls it. Prints a line of JSON.
"""
import argparse
import platform
import sys
import time
from typing import Any, Dict

import numpy as np

from benchmarks.timing import json_line
from lib.api import Detector

CFG = 'configs/faster/sniper_tiny_e2e.yml'
PICTURE = 'data/demo/demo.jpg'
LEAST_SCORE = 0.01      # below it a difference in the last place decides whether there is a detection at all
TOLERANCE = 1e-3


def detections() -> Dict[str, np.ndarray]:
    """label (N,), score (N,), box (N, 4) of the picture, and the seconds that it took, loading included."""
    start = time.perf_counter()
    with Detector.load(CFG) as detector:
        found = detector.detect(PICTURE)
    seconds = time.perf_counter() - start
    return {'label': found.label, 'score': found.score, 'box': found.box, 'seconds': np.array(seconds)}


def worst_difference(found: Dict[str, np.ndarray], other: Dict[str, np.ndarray]) -> Dict[str, float]:
    """Of each detection of `found` and its twin in `other`: the largest difference of scores, and of sides in pixels;
    infinite where a class has no detections at all."""
    worst = {'score': 0.0, 'pixels': 0.0}
    for row in np.flatnonzero(found['score'] >= LEAST_SCORE):
        same = other['label'] == found['label'][row]
        if not same.any():
            return {'score': float('inf'), 'pixels': float('inf')}
        scores = np.abs(other['score'][same] - found['score'][row])
        pixels = np.abs(other['box'][same] - found['box'][row]).max(axis=1)
        twin = np.argmin(scores + pixels)
        worst['score'] = max(worst['score'], float(scores[twin]))
        worst['pixels'] = max(worst['pixels'], float(pixels[twin]))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument('--write', metavar='FILE', help='where the detections go, .npz')
    group.add_argument('--against', metavar='FILE', help='the detections of another machine')
    args = parser.parse_args()
    found = detections()
    report: Dict[str, Any] = {'architecture': platform.machine(), 'seconds': round(float(found['seconds']), 2),
                              'detections': int((found['score'] >= LEAST_SCORE).sum())}
    if args.write:
        np.savez(args.write, **found)
        print(json_line('same_detections', **report))
        return 0
    with np.load(args.against) as file:
        other = dict(file)
    differences = [worst_difference(found, other), worst_difference(other, found)]
    report['differences'] = {name: max(each[name] for each in differences) for name in ('score', 'pixels')}
    report['holds'] = max(report['differences'].values()) <= TOLERANCE
    print(json_line('same_detections', **report))
    return 0 if report['holds'] else 1


if __name__ == '__main__':
    sys.exit(main())
