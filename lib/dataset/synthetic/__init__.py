"""The synthetic data set: COCO-format scenes of six forms, from 8 to 400 pixels, on textured backgrounds.

    python -m lib.dataset.synthetic --out data/synthetic

makes, from a seed,

    <out>/annotations/instances_train.json, instances_val.json, image_info_test-dev.json
    <out>/images/train/*.jpg, val/*.jpg, test-dev/*.jpg
    <out>/synthetic.json           the parameters that it was made with

The same parameters give the same bytes, whatever the number of processes. The folder appears whole or not at all.
"""
import argparse
import concurrent.futures
import json
import logging
import multiprocessing
import os

from lib.dataset.coco import CocoDataset
from lib.dataset.synthetic.scene import CLASSES, draw_to_file, one_thread
from lib.utils.errors import SniperError
from lib.utils.files import new_folder, text_writer
from lib.utils.processes import num_cores
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

VERSION = 1  # of the scenes; raised when the same seed gives other pictures
SPLITS = ('train', 'val', 'test-dev')
DEFAULT_COUNTS = {'train': 600, 'val': 120, 'test-dev': 40}
DEFAULT_OUT = os.path.join('data', 'synthetic')
WITHOUT_TRUTH = 'test-dev'
IDS_OF_A_SPLIT = 1000000  # image ids of split i start at i * this + 1
PARAMETERS_FILE = 'synthetic.json'
COMMAND = 'python -m lib.dataset.synthetic --out %s'


class SyntheticDataset(CocoDataset):
    """A split ('train', 'val', 'test-dev') of the folder that `generate` made; loads and scores as COCO does."""

    name_prefix = 'SYNTHETIC_'

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        if not os.path.isdir(os.path.join(dataset_path, 'annotations')):
            raise SniperError(f'the synthetic data set is not in {dataset_path}: make it with '
                              f'"{COMMAND % dataset_path}"')
        super().__init__(image_set, root_path, dataset_path, masks, choice)


def generate(out=DEFAULT_OUT, counts=None, seed=0, processes=None, force=False):
    """Make the data set in the folder `out`.

    counts     dict split -> number of images; splits left out have DEFAULT_COUNTS
    seed       whole number >= 0
    processes  worker processes; None: one a core (at most 8), 1: none
    force      replace a set that was made with other parameters

    Returns True if it was made, False if it was already there. SniperError: something else is in the way, or the disk
    refuses.
    """
    counts = dict(DEFAULT_COUNTS, **(counts or {}))
    _check_parameters(counts, seed)
    parameters = {'version': VERSION, 'seed': seed, 'images': {split: counts[split] for split in SPLITS}}
    out = os.path.normpath(out)
    if not _must_be_made(out, parameters, force):
        logger.info('%s is there already, made with the same parameters', out)
        return False
    try:
        with new_folder(out) as filled:
            _fill(filled, parameters, processes or min(8, num_cores()))
    except OSError as error:
        raise SniperError(f'{out} cannot be made: {error.strerror or error}') from error
    logger.info('made %s: %s images', out, ', '.join(f'{counts[split]} {split}' for split in SPLITS))
    return True


def _check_parameters(counts, seed):
    unknown = set(counts) - set(SPLITS)
    if unknown:
        raise SniperError(f'unknown split {", ".join(sorted(unknown))}; splits: {", ".join(SPLITS)}')
    for split, count in counts.items():
        if not 0 < count < IDS_OF_A_SPLIT:
            raise SniperError(f'{split} must have 1 to {IDS_OF_A_SPLIT - 1} images, not {count}')
    if seed < 0:
        raise SniperError(f'the seed must not be negative: {seed}')


def _must_be_made(out, parameters, force):
    """Whether to make the set; SniperError if the folder holds something that must not be overwritten."""
    if not os.path.lexists(out) or (os.path.isdir(out) and not os.listdir(out)):
        return True
    try:
        with open(os.path.join(out, PARAMETERS_FILE), encoding='utf-8') as stream:
            present = json.load(stream)
    except (OSError, ValueError):
        raise SniperError(f'{out} is in the way and is no synthetic data set: choose another --out') from None
    if present != parameters and not force:
        raise SniperError(f'{out} holds a synthetic data set made with other parameters '
                          f'({json.dumps(present, sort_keys=True)}): add --force to replace it, '
                          'or choose another --out')
    return present != parameters or not _is_complete(out, parameters)


def _is_complete(out, parameters):
    """Whether nothing was deleted from the folder since it was made."""
    annotations = os.path.join(out, 'annotations')
    for split, count in parameters['images'].items():
        images = os.path.join(out, 'images', split)
        if not os.path.isfile(os.path.join(annotations, _annotation_name(split))) \
                or not os.path.isdir(images) or len(os.listdir(images)) < count:
            return False
    return True


def _annotation_name(split):
    return f'{"image_info" if split == WITHOUT_TRUTH else "instances"}_{split}.json'


def _fill(folder, parameters, processes):
    """Draw all images and write the annotation files."""
    tasks = []
    for split_index, split in enumerate(SPLITS):
        images = os.path.join(folder, 'images', split)
        os.makedirs(images)
        for index in range(parameters['images'][split]):
            image_id = split_index * IDS_OF_A_SPLIT + index + 1
            tasks.append((os.path.join(images, f'{image_id:012d}.jpg'), image_id,
                          (parameters['seed'], VERSION, split_index, index)))
    drawn = _draw_all(tasks, processes)
    for split in SPLITS:
        count = parameters['images'][split]
        _write_annotations(os.path.join(folder, 'annotations', _annotation_name(split)), split, parameters,
                           drawn[:count])
        drawn = drawn[count:]
    with text_writer(os.path.join(folder, PARAMETERS_FILE)) as stream:
        json.dump(parameters, stream, indent=4, sort_keys=True)


def _draw_all(tasks, processes):
    """Draw every task, in worker processes if possible; -> list of (image entry, annotations) in task order."""
    if processes > 1:
        try:
            context = multiprocessing.get_context('spawn')
            with concurrent.futures.ProcessPoolExecutor(processes, context, one_thread) as pool:
                return list(pool.map(draw_to_file, tasks, chunksize=8))
        except (OSError, concurrent.futures.process.BrokenProcessPool) as error:
            # No shared semaphores (some containers), or a main module that cannot be imported again.
            logger.warning('worker processes are not available (%s): drawing in one process', error)
    return [draw_to_file(task) for task in tasks]


def _write_annotations(path, split, parameters, drawn):
    content = {
        'info': {'description': f'SNIPER synthetic scenes, {split} split', 'version': str(parameters['version']),
                 'seed': parameters['seed'], 'parameters': parameters},
        'licenses': [],
        'images': [image for image, _ in drawn],
        'categories': [{'id': label, 'name': name, 'supercategory': 'form'} for label, name in enumerate(CLASSES, 1)],
    }
    if split != WITHOUT_TRUTH:
        content['annotations'] = []
        for image, annotations in drawn:
            for annotation in annotations:
                numbered = dict(annotation, id=len(content['annotations']) + 1, image_id=image['id'])
                content['annotations'].append(numbered)
    with text_writer(path) as stream:
        json.dump(content, stream, sort_keys=True)


def main(argv=None):
    """Command line -> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(prog='python -m lib.dataset.synthetic', description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=user_path, default=DEFAULT_OUT, help='folder to make (default: %(default)s)')
    for split in SPLITS:
        parser.add_argument('--' + split, type=int, default=DEFAULT_COUNTS[split], metavar='N', dest=split,
                            help=f'number of {split} images (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='other seeds give other scenes (default: %(default)s)')
    parser.add_argument('--processes', type=int, default=0, help='worker processes (default: one a core)')
    parser.add_argument('--force', action='store_true', help='replace a set made with other parameters')
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    counts = {split: getattr(arguments, split) for split in SPLITS}
    generate(arguments.out, counts, arguments.seed, arguments.processes or None, arguments.force)
    return 0
