"""Memory of the roidb in all processes of a training: python -m benchmarks.roidb_memory [--rows NAME ...]

Each row is measured in processes of its own: a made-up roidb (random boxes, every image with its mirrored copy) is
put where a training keeps it, two workers choose the chips of its first images, and the kernel is asked what every
process holds (/proc/PID/smaps_rollup). Prints a table and one JSON line; exit status 1 if a worker has a copy of its
own, that is if what it holds alone grows with the roidb.

    roidb        bytes of the arrays, which all processes share
    a box        the same a box of an unmirrored image
    parent       what the training process holds alone (imports included; 0 boxes show how much these are)
    worker       the same for the larger worker
    as dicts     the same records as a list of dicts, in the training process alone (small rows only)
    first read   peak of a process that parses a COCO file of that size, before the cache is there (small rows only)
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile

import numpy as np

from configs import load_config
from lib.dataset.compact import CompactRoidb
from lib.dataset.loading import with_mirrored_copies
from lib.iterators.pool import WorkerPool
from lib.iterators.samples import TrainSamples
from lib.iterators.shared import BatchSlots, PackedRoidb
from lib.tasks import get_task

# name -> (images, boxes an image, proposals an image)
ROWS = {'empty': (1, 0, 0), 'coco': (118000, 7, 0), 'proposals': (118000, 7, 300), '1M boxes': (142858, 7, 0),
        '10M boxes': (1428572, 7, 0)}
SMALL = ('empty', 'coco', '1M boxes')
WORKERS = 2
ALLOWED_GROWTH = 0.1  # of the roidb's bytes; a copy would be 1


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', nargs='+', choices=list(ROWS), default=list(ROWS))
    parser.add_argument('--measure', nargs=2, metavar=('WHAT', 'ROW'), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        print(json.dumps(MEASURES[args.measure[0]](*ROWS[args.measure[1]])))
        return 0
    if not os.path.exists('/proc/self/smaps_rollup'):
        parser.error('/proc/self/smaps_rollup is missing: this needs Linux 4.14 or newer')
    rows = [dict(row=name, **measure_row(name)) for name in dict.fromkeys(['empty'] + args.rows)]
    print('{:<10} {:>9} {:>9} {:>10} {:>9} {:>8} {:>8} {:>9} {:>10}'.format(
        'row', 'images', 'boxes', 'proposals', 'roidb MB', 'B a box',
                                                      'parent', 'worker', 'as dicts') + '  first read')
    for row in rows:
        print('{:<10} {:>9d} {:>9d} {:>10d} {:>9.0f} {:>8.1f} {:>8.0f} {:>9.0f} {:>10}  {}'.format(
            row['row'], row['images'], row['boxes'], row['proposals'], row['roidb'] / 1e6,
            row['roidb'] / max(1, row['boxes'] + row['proposals']), row['parent'] / 1e6, row['worker'] / 1e6,
            megabytes(row.get('dicts')), megabytes(row.get('first'))))
    holds = all(row['worker'] - rows[0]['worker'] < ALLOWED_GROWTH * row['roidb'] + 5e6 for row in rows)
    print(json.dumps({'benchmark': 'roidb_memory', 'workers': WORKERS, 'rows': rows, 'holds': holds}, sort_keys=True))
    return 0 if holds else 1


def measure_row(name):
    images, boxes, proposals = ROWS[name]
    figures = dict(images=images, boxes=images * boxes, proposals=images * proposals, **measure('shared', name))
    if name in SMALL:
        figures['dicts'] = measure('dicts', name)['parent']
        figures['first'] = measure('first', name)['peak']
    return figures


def measure(what, row):
    """Figures of one measurement, made in a fresh process."""
    done = subprocess.run([sys.executable, '-m', 'benchmarks.roidb_memory', '--measure', what, row], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def megabytes(number):
    return '-' if number is None else f'{number / 1e6:.0f}'


def measure_shared(images, boxes, proposals):
    """The roidb as a training holds it."""
    config = load_config(overrides=['symbol', 'resnet_mx_50_e2e', 'TRAIN.USE_NEG_CHIPS', str(proposals > 0)])
    roidb = with_mirrored_copies(CompactRoidb(columns(images, boxes, proposals)))
    packed = PackedRoidb(roidb)
    task = get_task(config)
    sampler = task.sampler().of_epoch(np.random.default_rng(0))
    data, label = task.layout(1)
    slots = BatchSlots(1, {name: int(np.prod(shape)) for name, shape in data + label})
    pool = WorkerPool(TrainSamples, (packed, slots, data + label, task, 0), WORKERS)
    try:
        tasks = range(0, min(len(packed), 4000), 50)
        for first in tasks:
            pool.submit(first, 'windows', (0, sampler, first, min(len(packed), first + 50)))
        for _ in tasks:
            pool.get()
        return {'roidb': packed.nbytes, 'parent': held_alone(os.getpid()), 'worker': max(map(held_alone, pool.pids))}
    finally:
        pool.close()


def measure_dicts(images, boxes, proposals):
    roidb = with_mirrored_copies(list(CompactRoidb(columns(images, boxes, proposals))))
    return {'parent': held_alone(os.getpid()), 'records': len(roidb)}


def measure_first(images, boxes, proposals):
    """Peak of a process that parses the file."""
    from lib.dataset import get_dataset
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'annotations'))
        write_coco(os.path.join(folder, 'annotations', 'instances_train2017.json'), images, boxes)
        assert len(get_dataset('coco', 'train2017', folder, folder).roidb()) == images
    return {'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


MEASURES = {'shared': measure_shared, 'dicts': measure_dicts, 'first': measure_first}


def held_alone(pid):
    """Bytes of memory that no other process shares."""
    with open(f'/proc/{pid}/smaps_rollup') as stream:
        return sum(int(line.split()[1]) * 1024 for line in stream if line.startswith('Private_'))


def columns(images, boxes, proposals):
    """Arrays of a CompactRoidb as a COCO file gives them."""
    rng = np.random.default_rng(0)
    names = [b'%012d.jpg' % number for number in range(images)]
    made = {'row_start': np.arange(images + 1, dtype=np.int64) * boxes, 'boxes': random_boxes(images * boxes, rng),
            'gt_classes': rng.integers(1, 81, images * boxes, dtype=np.uint8), 'flags': np.zeros(images, np.uint8),
            'size': np.tile(np.int32([640, 480]), (images, 1)), 'ids': np.arange(images, dtype=np.int64),
            'folder': np.frombuffer(b'data/coco/images/train2017/', np.uint8),
            'paths': np.frombuffer(b''.join(names), np.uint8),
            'path_start': np.arange(images + 1, dtype=np.int64) * len(names[0])}
    if proposals:
        starts = np.arange(images, dtype=np.int64) * proposals
        made['proposals'] = random_boxes(images * proposals, rng)
        made['proposal_span'] = np.stack([starts, starts + proposals], axis=1)
    return made


def random_boxes(count, rng):
    out = np.empty((count, 4), np.float32)
    out[:, :2] = rng.integers(0, 300, (count, 2), dtype=np.int16)
    out[:, 2:] = out[:, :2] + rng.integers(5, 150, (count, 2), dtype=np.int16)
    return out


def write_coco(path, images, boxes):
    """A COCO annotation file with the numbers a real one has, masks left out."""
    with open(path, 'w') as stream:
        stream.write('{"categories": [{"id": 1, "name": "thing"}], "images": [')
        stream.write(', '.join(f'{{"license": 4, "file_name": "{number:012d}.jpg", "height": 480, "width": 640, "id": '
                               f'{number}}}'
             for number in range(images)))
        stream.write('], "annotations": [')
        for number in range(images * boxes):
            stream.write(('{}{{"area": 702.1, "iscrowd": 0, "image_id": {}, "bbox": [73.5, 41.25, 38.1, 28.6], '
                          '"category_id": 1, "id": {}}}').format(', ' if number else '', number // boxes, number))
        stream.write(']}')


if __name__ == '__main__':
    sys.exit(main())
