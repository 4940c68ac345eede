"""How long the page of main_test.py --report takes, and how large it is: python -m benchmarks.report [--images 5000]
[--classes 80]

Made-up objects, seven a picture, and detections, a hundred a picture: near the objects, of another class at times, and
anywhere. The pictures are one file, for their number is what costs. Analysis and page are timed, one run and two side
by side (--compare).
"""
import argparse
import os
import tempfile
import time
from typing import Dict, Sequence, Tuple

import cv2
import numpy as np

from benchmarks.timing import json_line, table
from lib.bbox.detections import Detections
from lib.cli import run
from lib.dataset.analysis.run import analyse
from lib.dataset.truth import Truth
from lib.utils.processes import peak_memory
from lib.visualization.report import ReportedData, Run, write_report

WIDTH, HEIGHT = 640, 480
OBJECTS, DETECTIONS = 7, 100    # a picture, in the mean
NEAR = 0.08                     # share of the detections that lie at an object
MOST = 1000                     # classes


def made_up(seed: int, images: int, classes: int) -> Tuple[Truth, Detections]:
    """Objects, of seed 0, and detections of `seed`."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    image = np.repeat(np.arange(images), fixed.poisson(OBJECTS, images))
    label, box = fixed.integers(1, classes + 1, len(image)), boxes(fixed, len(image))
    count = images * DETECTIONS
    near = rng.integers(0, len(image), int(NEAR * count))
    box_near = box[near] + rng.normal(0, 3, (len(near), 4))
    box_near[:, 2:] = np.maximum(box_near[:, 2:], box_near[:, :2] + 1)
    right = np.where(rng.random(len(near)) < 0.8, label[near], rng.integers(1, classes + 1, len(near)))
    rest = count - len(near)
    found = Detections(np.concatenate([image[near], rng.integers(0, images, rest)]),
                       np.concatenate([right, rng.integers(1, classes + 1, rest)]),
                       np.concatenate([box_near, boxes(rng, rest)]),
                       np.concatenate([rng.beta(4, 2, len(near)), rng.beta(1, 12, rest)]))
    return Truth.of(image, label, box), found


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4) corners inside the pictures."""
    sides = np.exp(rng.uniform(np.log(8), np.log(240), (count, 2)))
    corners = rng.uniform(0, 1, (count, 2)) * ((WIDTH, HEIGHT) - sides)
    return np.hstack([corners, corners + sides - 1])


def measure(images: int, classes: int, runs: int) -> Dict[str, float]:
    """Seconds and bytes of the page on `runs` tests."""
    names = ('__background__',) + tuple(f'class {number}' for number in range(1, classes + 1))
    with tempfile.TemporaryDirectory() as folder:
        picture, page = os.path.join(folder, 'picture.jpg'), os.path.join(folder, 'report.html')
        cv2.imwrite(picture, np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))
        given = [made_up(seed, images, classes) for seed in range(1, runs + 1)]
        tested = ReportedData('made up', names, [{'image': picture, 'width': WIDTH, 'height': HEIGHT}] * images,
                              given[0][0])
        began, worked = time.monotonic(), time.process_time()
        write_report(page, tested, [Run(f'run {number}', analyse(found, truth, len(names), images))
                                    for number, (truth, found) in enumerate(given, 1)])
        seconds, processor = time.monotonic() - began, time.process_time() - worked
        return {'runs': runs, 'detections': len(given[0][1].image), 'objects': len(given[0][0].image),
                'seconds': round(seconds, 2), 'processor_seconds': round(processor, 2),
                'megabytes': round(os.path.getsize(page) / 1e6, 2), 'peak_memory_gb': round(peak_memory() / 1e9, 2)}


def parse_arguments(argv: Sequence[str] = None) -> argparse.Namespace:
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.report', description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=5000, metavar='N')
    parser.add_argument('--classes', type=int, default=80, metavar='N')
    args = parser.parse_args(argv)
    if args.images < 1 or not 1 <= args.classes <= MOST:
        parser.error(f'--images from 1, --classes from 1 to {MOST}')
    return args


def main(argv: Sequence[str] = None) -> int:
    """Measure and print -> exit status 0."""
    args = parse_arguments(argv)
    rows = [measure(args.images, args.classes, runs) for runs in (1, 2)]
    print('\n'.join(table(list(rows[0]), [list(row.values()) for row in rows])))
    print(json_line('report', images=args.images, classes=args.classes, rows=rows))
    return 0


if __name__ == '__main__':
    run(main, prints=True)
