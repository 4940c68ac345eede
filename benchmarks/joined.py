"""Large pictures made of small ones: python -m benchmarks.joined FOLDER OUT --sets train val [--size 4000x3000]

Puts the pictures of sets of a COCO folder side by side, row by row, in pictures of one size, and writes these as sets
of the same names. Pixels and objects stay as they are, only that a picture is larger and holds many objects, as those
of slides, shelves and streets from afar do. Pictures with crowd regions are left out, and so are those that do not fill
a large one any more.
"""
import argparse
import json
import os
from typing import Iterator, List, Sequence, Tuple

import cv2
import numpy as np

from benchmarks.own_data import Picture, write_set
from lib.cli import run
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

GREY = 128


def main(argv=None) -> int:
    """Command line -> exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=user_path, help='annotations/instances_<set>.json and images/<set>/')
    parser.add_argument('out', type=user_path, help='folder to write; its sets of these names are replaced')
    parser.add_argument('--sets', nargs='+', default=['train', 'val'], metavar='SET', help='default: train val')
    parser.add_argument('--size', type=size, default=(4000, 3000), metavar='WxH', help='pixels (default: 4000x3000)')
    args = parser.parse_args(argv)
    if os.path.exists(args.out) and os.path.exists(args.folder) and os.path.samefile(args.folder, args.out):
        raise SniperError(f'{args.out} is the folder of the small pictures, whose sets would be lost: name another')
    for name in args.sets:
        print('{}: {} pictures, {} objects, {:.0%} of the pixels'.format(
            name, *write_joined(args.folder, args.out, name, args.size)))
    return 0


def size(text: str) -> Tuple[int, int]:
    """'4000x3000' -> (4000, 3000)."""
    width, height = map(int, text.split('x'))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


def write_joined(folder: str, out: str, name: str, canvas: Tuple[int, int], most: int = 0) -> Tuple[int, int, float]:
    """Set `name` of `folder` in pictures of canvas = (width, height), at most `most` of them (0: all), as a set of
    `out` -> (pictures, objects, share of their pixels that is not grey)."""
    pictures, categories = read_set(folder, name)
    large, covered = packed(pictures, canvas)
    if not large:
        raise SniperError(f'the {len(pictures)} pictures of {name} in {folder} do not fill one of '
                          f'{canvas[0]}x{canvas[1]}: give a smaller --size')
    most = most or len(large)
    large, covered = large[:most], covered[:most]
    write_set(out, large, categories, name)
    return len(large), sum(len(picture.labels) for picture in large), float(np.mean(covered)) if covered else 0.0


def read_set(folder: str, name: str) -> Tuple[List[Picture], List[dict]]:
    """A set of a COCO folder -> (its pictures without crowd regions, categories as in the file)."""
    path = os.path.join(folder, 'annotations', f'instances_{name}.json')
    try:
        with open(path, encoding='utf-8') as stream:
            content = json.load(stream)
    except (OSError, ValueError) as error:
        raise SniperError(f'{path} cannot be read ({error}): name the folder of a COCO data set, and --sets') from None
    rows: dict = {image['id']: [] for image in content['images']}
    for row in content['annotations']:
        rows[row['image_id']].append(row)
    pictures = []
    for image in content['images']:
        of_image = rows[image['id']]
        if any(row.get('iscrowd') for row in of_image):
            continue
        pixels = cv2.imread(os.path.join(folder, 'images', name, image['file_name']))
        pictures.append(Picture(pixels, np.array([row['bbox'] for row in of_image], np.float64).reshape(-1, 4),
                                [row['category_id'] for row in of_image]))
    return pictures, content['categories']


def packed(pictures: Sequence[Picture], canvas: Tuple[int, int]) -> Tuple[List[Picture], List[float]]:
    """Pictures in rows, the lowest first, on grey of canvas = (width, height) -> (large pictures, share of each that is
    not grey)."""
    width, height = canvas
    ordered = sorted(pictures, key=lambda picture: picture.pixels.shape[0])
    rows = list(filled(ordered, [picture.pixels.shape[1] for picture in ordered], width))
    found, covered = [], []
    for of_one in filled(rows, [row[-1].pixels.shape[0] for row in rows], height):
        pixels = np.full((height, width, 3), GREY, np.uint8)
        boxes, labels, y = [np.zeros((0, 4))], [], 0
        for row in of_one:
            x = 0
            for picture in row:
                h, w = picture.pixels.shape[:2]
                pixels[y:y + h, x:x + w] = picture.pixels
                boxes.append(picture.boxes + (x, y, 0, 0))
                labels += picture.labels
                x += w
            y += row[-1].pixels.shape[0]
        found.append(Picture(pixels, np.concatenate(boxes), labels))
        covered.append(sum(picture.pixels.shape[0] * picture.pixels.shape[1] for row in of_one for picture in row) /
                       (width * height))
    return found, covered


def filled(items: Sequence, lengths: Sequence[int], limit: int) -> Iterator[list]:
    """Items one after another in groups of at most `limit` long; the last group only where another item as long as its
    last would not fit in either."""
    group: list = []
    used = 0
    for item, length in zip(items, lengths):
        if group and used + length > limit:
            yield group
            group, used = [], 0
        group.append(item)
        used += length
    if group and used + length > limit:
        yield group


if __name__ == '__main__':
    run(main)
