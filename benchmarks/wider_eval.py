"""How long WIDER FACE's evaluation takes, and whether it knows faces for faces: python -m benchmarks.wider_eval
[--detections 400] [--lists DIR]

Made-up faces, as many pictures and faces as the official val set has, and so many detections a picture: near the faces,
some of them twice. With --lists, the official ones for example, all faces are scored as detections with distinct
scores, without and with a wrong box a picture that scores above all; for the official val set that is known to give
0.9998 and more, and 0.6908, 0.8050, 0.9082 (reference/other_detectors.md C).
"""
import argparse
import os
import tempfile
import time
from typing import Any, Callable, Dict, Sequence, Tuple

import numpy as np

from benchmarks.timing import json_line, table
from lib.cli import run
from lib.dataset.wider.lists import SETTINGS, FaceLists, find_lists, read_lists
from lib.dataset.wider.scoring import Found, score
from lib.dataset.wider.text_files import read_folder, write_folder
from lib.utils.errors import SniperError
from lib.utils.processes import peak_memory
from lib.utils.user_path import user_path

PICTURES, FACES = 3226, 39708
MOST_FACES = 2000       # of a picture
EVENTS = 61
FAR = 1e5               # pixels; where no face is
COUNTED = {'easy': 34, 'medium': 16, 'hard': 9}     # height from which a face counts


def made_up(pictures: int, faces: int) -> FaceLists:
    """Faces of which few pictures have most."""
    rng = np.random.default_rng(0)
    share = rng.pareto(1.0, pictures) + 0.2
    counts = np.clip((share / share.sum() * (faces - pictures)).astype(np.int64), 0, MOST_FACES) + 1
    counts += np.bincount(rng.integers(0, pictures, faces - counts.sum()), minlength=pictures)
    boxes = np.hstack([rng.integers(0, (1000, 800), (faces, 2)), rng.integers(4, (120, 150), (faces, 2))])
    names = tuple(f'{number % EVENTS}--Event/picture_{number}' for number in range(pictures))
    return FaceLists('made up', names, np.concatenate([[0], np.cumsum(counts)]), boxes.astype(np.float64),
                     {setting: boxes[:, 3] >= height for setting, height in COUNTED.items()})


def near_faces(lists: FaceLists, each: int) -> Found:
    """`each` detections a picture, near faces of it."""
    rng, counts = np.random.default_rng(1), np.diff(lists.starts)
    picture = np.repeat(np.arange(len(counts)), each)
    rows = lists.starts[picture] + (rng.random(len(picture)) * counts[picture]).astype(np.int64)
    box = lists.faces[rows] + rng.integers(-4, 5, (len(rows), 4))
    return Found(picture, box, rng.random(len(rows)).round(6))


def faces_as_detections(lists: FaceLists, false_boxes: bool) -> Found:
    """All faces with distinct scores; false_boxes: and one box a picture above them, far from any face."""
    count, pictures = len(lists.faces), len(lists.names)
    picture = np.repeat(np.arange(pictures), np.diff(lists.starts))
    found = Found(picture, lists.faces, (np.arange(count) + 0.5) / count)
    if not false_boxes:
        return found
    return Found(np.concatenate([picture, np.arange(pictures)]),
                 np.concatenate([found.box, np.tile([FAR, FAR, 40, 40], (pictures, 1))]),
                 np.concatenate([found.score, 1 + np.arange(pictures) / pictures]))


def timed(function: Callable, *arguments) -> Tuple[Any, float]:
    """(what it returns, seconds of a processor)."""
    began = time.process_time()
    return function(*arguments), round(time.process_time() - began, 2)


def measure(pictures: int, faces: int, each: int) -> Dict[str, float]:
    """Seconds of a processor for each step, and seconds of all, made-up data."""
    began = time.monotonic()
    lists = made_up(pictures, faces)
    found = near_faces(lists, each)
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, 'detections')
        _, written = timed(write_folder, place, [f'{name}.jpg' for name in lists.names], found)
        read, reading = timed(read_folder, place, lists.names)
    scores, scoring = timed(score, lists, read.found)
    return {'pictures': pictures, 'faces': faces, 'detections': len(found.score), 'write files': written,
            'read files': reading, 'score': scoring, 'elapsed': round(time.monotonic() - began, 2),
            'AP hard': round(scores['hard'].ap, 4), 'peak memory GB': round(peak_memory() / 1e9, 2)}


def self_test(folder: str) -> Dict[str, Sequence[float]]:
    """AP of the settings by what was taken for detections. SniperError: no lists there."""
    place, image_set = find_lists(folder)
    if not place:
        raise SniperError(f'--lists {folder} has no wider_easy_val.mat')
    lists, seconds = timed(read_lists, place, image_set)
    print(f'{len(lists.names)} pictures, {len(lists.faces)} faces; lists read in {seconds} s')
    return {said: [round(score(lists, faces_as_detections(lists, wrong))[setting].ap, 6) for setting in SETTINGS]
            for said, wrong in (('faces', False), ('faces and a wrong box a picture', True))}


def parse_arguments(argv: Sequence[str] = None) -> argparse.Namespace:
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.wider_eval', description=__doc__.splitlines()[0])
    parser.add_argument('--detections', type=int, default=400, metavar='N', help='a picture (%(default)s)')
    parser.add_argument('--pictures', type=int, default=PICTURES, metavar='N')
    parser.add_argument('--faces', type=int, default=FACES, metavar='N')
    parser.add_argument('--lists', type=user_path, metavar='DIR', help='score the faces of these as detections')
    args = parser.parse_args(argv)
    if args.detections < 1 or args.pictures < 1 or args.faces < 2 * args.pictures:
        parser.error('--detections and --pictures from 1, --faces from twice the pictures')
    return args


def main(argv: Sequence[str] = None) -> int:
    """Measure and print -> exit status 0."""
    args = parse_arguments(argv)
    if args.lists is not None:
        tested = self_test(args.lists)
        print('\n'.join(table(['taken for detections', *SETTINGS], [[said, *aps] for said, aps in tested.items()])))
        print(json_line('wider_eval_self_test', **tested))
        return 0
    row = measure(args.pictures, args.faces, args.detections)
    print('\n'.join(table(list(row), [list(row.values())])))
    print(json_line('wider_eval', **row))
    return 0


if __name__ == '__main__':
    run(main, prints=True)
