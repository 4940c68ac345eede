"""Pictures of other sizes than a detector was trained on: python -m benchmarks.own_data [--cfg FILE] [options]

Makes COCO sets of the synthetic scenes' pixels in pictures of other sizes, tests the shipped detector on each by the
README's command for own data, once with the configuration's scales and once with each of several others, and prints a
table of AP and one JSON line. It holds (exit status 0) where the configuration's scales come within 0.02 of the best,
but for `halves`, whose objects are smaller than those trained on.

    scenes    as they are, 640x480 to 900x700
    large     nine scenes in a picture of 2670x2100
    crops     pieces of 320x256: objects as large as ever, small pictures
    halves    scenes at half their size: small pictures of small objects
    giants    scenes at four times their size, 3000x2400: pictures and objects are large
    mixed     of everything something: 3x3, 2x2, alone, pieces, halves
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
from typing import Dict, List, NamedTuple

import cv2
import numpy as np

from benchmarks.timing import json_line, table
from lib.dataset.synthetic import generate

TINY = 'configs/faster/sniper_tiny_e2e.yml'
CELL = (890, 700)     # pixels that a scene of a joined picture has, width and height
PIECE = (320, 256)
SEEN = 0.5            # share of an object that a piece must show
TOLERANCE = 0.02
OTHER_OBJECTS = ('halves',)  # smaller than those trained on: no factor of training fits, and none is expected to

# Other scales with their valid ranges; the best of all is what the configuration is held against.
AS_BEFORE = ['[(960,1280),(480,640),(192,256)]', '[(-1,48),(20,120),(60,-1)]']
WAYS = {
    'configured': [],
    'sizes': AS_BEFORE,
    'factors': ['[2x,1x,0.33x]', '[(-1,48),(20,120),(60,-1)]'],
    'twice': ['[4x,2x,0.67x]', '[(-1,24),(10,60),(30,-1)]'],
    'quarter': ['[0.5x,0.25x,0.08x]', '[(-1,192),(80,480),(240,-1)]'],
}


class Picture(NamedTuple):
    """Pixels and what is on them."""
    pixels: np.ndarray  # (h, w, 3) uint8
    boxes: np.ndarray   # (n, 4) float64 x, y, width, height
    labels: List[int]   # category ids


def main(argv=None) -> int:
    """-> exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cfg', default=TINY, metavar='FILE', help='configuration (default: %(default)s)')
    parser.add_argument('--sets', nargs='+', default=list(SETS), choices=list(SETS), help='which (default: all)')
    parser.add_argument('--ways', nargs='+', default=list(WAYS), choices=list(WAYS), help='which (default: all)')
    parser.add_argument('--scenes', type=int, default=36, metavar='N', help='to make pictures of (%(default)s)')
    parser.add_argument('--out', default='output/benchmarks/own_data', metavar='FOLDER', help='default: %(default)s')
    args = parser.parse_args(argv)
    folders = make_sets(args.out, args.sets, args.scenes)
    figures = {}
    for name, folder in folders.items():
        figures[name] = {way: measure(args.cfg, folder, os.path.join(args.out, 'results', name, way), WAYS[way])
                         for way in args.ways}
        print(f'{name}: {figures[name]}', file=sys.stderr, flush=True)
    rows = [[name] + [f'{of_set[way]:.3f}' for way in args.ways] for name, of_set in figures.items()]
    print('\n'.join(table(['AP'] + args.ways, rows)))
    lost = {name: round(max(of_set.values()) - of_set['configured'], 4) for name, of_set in figures.items()
            if 'configured' in of_set}
    holds = all(loss <= TOLERANCE for name, loss in lost.items() if name not in OTHER_OBJECTS)
    print(json_line('own_data', AP=figures, lost=lost, holds=holds))
    return 0 if holds else 1


def make_sets(out: str, names: List[str], count: int) -> Dict[str, str]:
    """Make the sets `names` below `out` anew, of `count` scenes -> {name: folder in COCO's form}."""
    source = os.path.join(out, 'scenes_made')
    generate(source, {'train': 1, 'val': count, 'test-dev': 1}, force=True)
    scenes, categories = read_scenes(source)
    folders = {}
    for name in names:
        folders[name] = os.path.join(out, 'sets', name)
        write_set(folders[name], SETS[name](scenes), categories)
    return folders


def read_scenes(folder: str):
    """The val set of a synthetic data set -> (list of Picture, categories as in the file)."""
    with open(os.path.join(folder, 'annotations', 'instances_val.json')) as stream:
        content = json.load(stream)
    pictures = []
    for image in content['images']:
        rows = [row for row in content['annotations'] if row['image_id'] == image['id']]
        pixels = cv2.imread(os.path.join(folder, 'images', 'val', image['file_name']))
        pictures.append(Picture(pixels, np.array([row['bbox'] for row in rows], np.float64).reshape(-1, 4),
                                [row['category_id'] for row in rows]))
    return pictures, content['categories']


def write_set(folder: str, pictures: List[Picture], categories, name_of_set: str = 'val') -> None:
    """A COCO set of these pictures in `folder`, in place of the one of that name."""
    images_folder = os.path.join(folder, 'images', name_of_set)
    shutil.rmtree(images_folder, ignore_errors=True)
    os.makedirs(images_folder)
    os.makedirs(os.path.join(folder, 'annotations'), exist_ok=True)
    images: List[dict] = []
    rows: List[dict] = []
    for number, picture in enumerate(pictures, 1):
        name = f'{number:04d}.jpg'
        cv2.imwrite(os.path.join(images_folder, name), picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        height, width = picture.pixels.shape[:2]
        images.append({'id': number, 'file_name': name, 'width': width, 'height': height})
        rows += [{'id': len(rows) + place, 'image_id': number, 'category_id': label, 'bbox': box.tolist(),
                  'area': float(box[2] * box[3]), 'iscrowd': 0}
                 for place, (box, label) in enumerate(zip(picture.boxes, picture.labels), 1)]
    with open(os.path.join(folder, 'annotations', f'instances_{name_of_set}.json'), 'w') as stream:
        json.dump({'images': images, 'annotations': rows, 'categories': categories}, stream)


def joined(scenes: List[Picture], columns: int) -> List[Picture]:
    """columns x columns scenes a picture, on grey; those left over at the end are left out."""
    width, height = CELL
    pictures = []
    for first in range(0, len(scenes) - columns ** 2 + 1, columns ** 2):
        pixels = np.full((columns * height, columns * width, 3), 128, np.uint8)
        boxes, labels = [], []
        for place, scene in enumerate(scenes[first:first + columns ** 2]):
            y, x = place // columns * height, place % columns * width
            pixels[y:y + scene.pixels.shape[0], x:x + scene.pixels.shape[1]] = scene.pixels
            boxes.append(scene.boxes + (x, y, 0, 0))
            labels += scene.labels
        pictures.append(Picture(pixels, np.concatenate(boxes), labels))
    return pictures


def pieces(scene: Picture) -> List[Picture]:
    """The four corners of a scene, each with the objects of which it shows SEEN at least."""
    height, width = scene.pixels.shape[:2]
    found = []
    for x, y in [(x, y) for y in (0, height - PIECE[1]) for x in (0, width - PIECE[0])]:
        corners = np.hstack([scene.boxes[:, :2], scene.boxes[:, :2] + scene.boxes[:, 2:]]) - (x, y, x, y)
        corners = np.clip(corners, 0, PIECE * 2)
        boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        kept = boxes[:, 2:].prod(axis=1) >= SEEN * scene.boxes[:, 2:].prod(axis=1)
        found.append(Picture(scene.pixels[y:y + PIECE[1], x:x + PIECE[0]], boxes[kept],
                             [label for label, keep in zip(scene.labels, kept) if keep]))
    return found


def resized(scene: Picture, factor: float) -> Picture:
    """A scene at another size."""
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return Picture(cv2.resize(scene.pixels, None, fx=factor, fy=factor, interpolation=way), scene.boxes * factor,
                   scene.labels)


def mixed(scenes: List[Picture]) -> List[Picture]:
    """Half the scenes three by three, a quarter two by two, the others alone, in pieces or at half their size."""
    half, quarter = len(scenes) // 2, len(scenes) // 4
    alone = scenes[half + quarter:]
    return (joined(scenes[:half], 3) + joined(scenes[half:half + quarter], 2) + alone[::3] +
            [part for scene in alone[1::3] for part in pieces(scene)] + [resized(scene, 0.5) for scene in alone[2::3]])


SETS = {
    'scenes': lambda scenes: scenes,
    'large': lambda scenes: joined(scenes, 3),
    'crops': lambda scenes: [part for scene in scenes for part in pieces(scene)],
    'halves': lambda scenes: [resized(scene, 0.5) for scene in scenes],
    'giants': lambda scenes: [resized(scene, 4) for scene in scenes[:6]],
    'mixed': mixed,
}


def measure(cfg: str, folder: str, out: str, scales: List[str]) -> float:
    """AP of the README's command for own data on `folder`. scales: SCALES and VALID_RANGES of the test; [] leaves
    them as they are."""
    keys = ['dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.image_set', 'val',
            'dataset.test_image_set', 'val', 'output_path', out]
    if scales:
        count = scales[1].count('(')
        keys += ['TEST.SCALES', scales[0], 'TEST.VALID_RANGES', scales[1], 'TEST.BATCH_IMAGES', str([1] * count)]
    shutil.rmtree(out, ignore_errors=True)
    found = subprocess.run([sys.executable, 'main_test.py', '--cfg', cfg, '--set', *keys], capture_output=True,
                           text=True)
    if found.returncode:
        sys.exit(f'main_test.py failed on {folder}: {found.stderr.strip().splitlines()[-1:]}')
    path, = glob.glob(os.path.join(out, '*', '*', 'results', '*', '*', '*_metrics.json'))
    with open(path) as stream:
        return json.load(stream)['AP']


if __name__ == '__main__':
    sys.exit(main())
