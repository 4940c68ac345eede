"""The command line of lib.fewshot: what it is asked for, step by step, each from its cache as far as that goes."""
import argparse
import csv
import logging
import os
import time
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.cli import add_config_arguments, setup_logging
from lib.dataset.class_list import BACKGROUND
from lib.fewshot.cache import ObjectCache
from lib.fewshot.classifier import FewShotClassifier
from lib.fewshot.detector import KIND, load_network, score_objects
from lib.fewshot.folder import ClassPictures, hold_out, read_class_folder
from lib.fewshot.learn import Accuracy, Extracted, accuracy, check_known, extract, learn, part_of, unknown_to
from lib.fewshot.network import FeatureNetwork, NoSuchScale
from lib.fewshot.pooling import KINDS
from lib.image import Picture
from lib.image.sources import Frame, Source, frames, open_sources
from lib.outputs import CocoFile, CsvFile, DrawnPictures, detection_table
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable
from lib.utils.files import check_writable, text_writer
from lib.utils.npz import file_digest
from lib.utils.user_path import user_path
from lib.visualization import picture_names
from lib.weights.paths import SAVE_PREFIX, split_params_path

logger = logging.getLogger(__name__)

CONFIG = 'configs/faster/sniper_tiny_e2e.yml'
CLASSIFIER, CONFUSION, PICTURES, CACHE = 'classifier.npz', 'confusion.csv', 'pictures', 'cache'
HELD_SHARE = 5      # one in so many pictures of the smallest class is held out by default


def arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Parsed command line. SniperError for options that contradict each other."""
    parser = argparse.ArgumentParser(prog='python -m lib.fewshot', description='Learn classes from a few pictures '
                                     'each, without boxes, and detect them with any detector that is trained.')
    parser.add_argument('folder', type=user_path, nargs='?', default='', help='a folder of pictures a class, to learn')
    parser.add_argument('--classifier', type=user_path, default='', metavar='FILE', help='classes that are learnt: the '
                        f'file {CLASSIFIER} of an earlier run')
    parser.add_argument('--add', type=user_path, default='', metavar='FOLDER', help='more classes for --classifier')
    parser.add_argument('--holdout', type=int, default=None, metavar='N', help='pictures of each class that say how '
                        f'well they are told apart (default: 1 in {HELD_SHARE} of the smallest class, 0 with '
                        '--test_folder)')
    parser.add_argument('--test_folder', type=user_path, default='', metavar='FOLDER',
                        help='the same classes in other pictures, which are never learnt')
    parser.add_argument('--seed', type=int, default=0, help='of what is held out (default: %(default)s)')
    parser.add_argument('--detect', type=user_path, nargs='+', default=[], metavar='PICTURE',
                        help='pictures, folders of them or patterns to detect the classes in')
    parser.add_argument('--thresh', type=float, default=0.5, metavar='S', help='least score of what is shown and '
                        'written, P(object) x P(class) (default: %(default)s)')
    parser.add_argument('--least_class', type=float, default=0.0, metavar='P', help='least P(class): objects below it '
                        'are none of the classes (default: %(default)s, every object is of one)')
    parser.add_argument('--features', choices=sorted(KINDS), default='',
                        help=f'what of the feature map is kept (default: {KIND})')
    parser.add_argument('--scales', type=int, nargs='+', default=[], metavar='I',
                        help='entries of TEST.SCALES, from 0, at which whole pictures are shown (default: the last)')
    parser.add_argument('--no_mirror', action='store_true', help='without mirrored copies of the pictures')
    parser.add_argument('--weights', type=user_path, default='', metavar='FILE', help='checkpoint PREFIX-0007.params '
                        '(default: as main_test.py and demo.py find them)')
    parser.add_argument('--out', type=user_path, default='', metavar='FOLDER',
                        help='for all that is written (default: <output_path>/fewshot)')
    args = add_config_arguments(parser, CONFIG).parse_args(argv)
    _check(args)
    return args


def _check(args):
    if bool(args.folder) == bool(args.classifier):
        raise SniperError('give a folder of pictures a class to learn, or --classifier FILE with classes that are '
                          'learnt (more of them: --add FOLDER)')
    if args.add and not args.classifier:
        raise SniperError('--add is for the classes of a --classifier FILE')
    if args.classifier and not (args.add or args.detect or args.test_folder):
        raise SniperError('there is nothing to do: give --detect PICTURES, --add FOLDER or --test_folder FOLDER')
    if args.classifier and (args.features or args.scales or args.no_mirror):
        raise SniperError('--features, --scales and --no_mirror are what a classifier is learnt with: one that is '
                          'learnt keeps its own')
    if args.holdout is not None and args.holdout < 0:
        raise SniperError(f'--holdout {args.holdout}: give 0 or more')
    for name in ('thresh', 'least_class'):
        if not 0 <= getattr(args, name) <= 1:
            raise SniperError(f'--{name} {getattr(args, name):g}: probabilities are from 0 to 1')


def main(argv: Optional[Sequence[str]] = None) -> int:
    """-> exit status 0; raises SniperError for a user's mistake."""
    args = arguments(argv)
    setup_logging()
    start = time.monotonic()
    sources = _sources(args.detect)
    old = FewShotClassifier.load(args.classifier) if args.classifier else None
    folder = args.folder or args.add
    pictures = read_class_folder(folder, least=1 if old else 2) if folder else None
    tests = read_class_folder(args.test_folder, least=1) if args.test_folder else None
    if tests is not None:
        check_known(tests.classes, (old.classes if old else ()) + (pictures.classes if pictures else ()))
    network = _network(args, old)
    out = args.out or os.path.join(network.config.output_path or 'output', 'fewshot')
    check_writable(out, folder=True)
    try:
        classifier = old
        if pictures is not None:
            classifier = _learn(args, pictures, network, out, old)
        if tests is not None:
            _test(classifier, extract(tests, network, os.path.join(out, CACHE)), out)
        if sources:
            _detect(args, sources, network, classifier, out)
    finally:
        network.close()
    logger.info('%.1f s in all', time.monotonic() - start)
    return 0


def load_named_network(args: argparse.Namespace, **settings) -> FeatureNetwork:
    """Of --cfg, --set, --save_prefix and --weights; settings: of FeatureNetwork."""
    overrides, prefix = list(args.overrides), args.save_prefix
    if args.weights:
        if prefix != SAVE_PREFIX:
            raise SniperError('--weights and --save_prefix both say which weights: give one')
        prefix, epoch = split_params_path(os.path.abspath(args.weights))
        overrides += ['TEST.TEST_EPOCH', epoch]
    return load_network(args.cfg, overrides, prefix, **settings)


def _network(args, old) -> FeatureNetwork:
    """For the options, or as an `old` classifier wants it."""
    settings = old.settings if old else {'kind': args.features or KIND, 'scales': args.scales,
                                         'mirrored': not args.no_mirror}
    try:
        network = load_named_network(args, **settings)
    except NoSuchScale as error:
        if not old:
            raise
        raise SniperError(f'{args.classifier} was learnt with another network or other scales: {error}') from None
    if old:
        old.check_network(network.origin(), args.classifier)
    return network


def _learn(args, pictures: ClassPictures, network, out, old) -> FewShotClassifier:
    """Learn, say how well, write the classifier."""
    start = time.monotonic()
    extracted = extract(pictures, network, os.path.join(out, CACHE))
    taken = extracted.pictures
    logger.info('%s of %s: %d looked at in %.1f s, the others were known',
                counted(len(taken.paths), 'picture', 'pictures'), counted(len(taken.classes), 'class', 'classes'),
                extracted.computed, time.monotonic() - start)
    origin = network.origin()
    smallest = min(taken.labels.count(label) for label in range(len(taken.classes)))
    held_out = args.holdout if args.holdout is not None else 0 if args.test_folder else smallest // HELD_SHARE
    fresh = unknown_to(old, extracted)
    held = [fresh[number] for number in hold_out(taken.take(fresh), held_out, args.seed)[1]] if held_out else []
    if held:
        print(f'{counted(len(held), "picture", "pictures")} held out, {held_out} a class; of a classifier without '
              'them:')
        kept = sorted(set(range(len(taken.paths))) - set(held))
        _report(accuracy(learn(part_of(extracted, kept), origin, old), part_of(extracted, held)), out)
    elif not args.test_folder:
        logger.info('no picture is held out, so nobody knows how well the classes are told apart: see --holdout, '
                    '--test_folder')
    start = time.monotonic()
    classifier = learn(extracted, origin, old)
    path = os.path.join(out, CLASSIFIER)
    classifier.save(path)
    logger.info('%s learnt from %s in %.1f s: %s', counted(len(classifier.classes), 'class', 'classes'),
                counted(len(classifier.examples.labels), 'picture', 'pictures'), time.monotonic() - start, path)
    return classifier


def _test(classifier, extracted: Extracted, out) -> None:
    fresh = unknown_to(classifier, extracted)
    copies = len(extracted.pictures.paths) - len(fresh)
    if copies:
        logger.warning('%s learnt: left out of the test', counted(copies, 'picture of the test folder was',
                                                                  'pictures of the test folder were'))
    if not fresh:
        raise SniperError('all pictures of --test_folder were learnt: give others')
    print('test folder:')
    _report(accuracy(classifier, part_of(extracted, fresh)), out)


def _report(found: Accuracy, out) -> None:
    """Print it; write the table of all classes."""
    for line in found.text():
        print(f'  {line}', flush=True)
    with text_writer(os.path.join(out, CONFUSION)) as stream:
        table = csv.writer(stream, lineterminator='\n')
        table.writerow(['class \\ taken for', *found.classes])
        table.writerows([name, *row] for name, row in zip(found.classes, found.counts.tolist()))


def _sources(names) -> List[Source]:
    sources = open_sources(names)
    for source in sources:
        if source.video is not None:
            source.video.close()
            raise SniperError(f'{source.path} is a video: classes are detected in pictures here, in videos by the '
                              'FewShotDetector of lib.fewshot, frame by frame')
    titles = picture_names([{'image': source.path, 'image_id': number} for number, source in enumerate(sources, 1)])
    for source, title in zip(sources, titles):
        source.name = os.path.splitext(title)[0]
    return sources


def _detect(args, sources, network, classifier, out) -> None:
    """Detect, print, draw and write. SniperError: no picture can be read."""
    classes = (BACKGROUND, *classifier.classes)
    cache = ObjectCache(os.path.join(out, CACHE), network.objects_origin())
    writers: List[Any] = []     # from the first picture on: what an earlier run found stays until there is more
    start, broken, count = time.monotonic(), [], 0
    try:
        for frame in frames(sources):
            if frame.pixels is None:
                broken.append(frame.problem)
                logger.warning('%s: passed over', frame.problem)
                continue
            objects, features = _objects(frame, network, cache)
            found = score_objects(objects, features, classifier, args.least_class)
            found = found.take(found.score >= args.thresh).replace(
                classes=classes, sizes=[(frame.pixels.shape[1], frame.pixels.shape[0])])
            count += len(found)
            writers = writers or [DrawnPictures(os.path.join(out, PICTURES), classes),
                                  CocoFile(os.path.join(out, 'detections.json'), classes),
                                  CsvFile(os.path.join(out, 'detections.csv'), classes)]
            print(printable(frame.source.path))
            print(detection_table(found, classes, args.thresh) if len(found) else
                  f'nothing with a score of {args.thresh:g} or more (--thresh)', flush=True)
            for writer in writers:
                writer.add(frame, found)
    finally:
        for writer in writers:
            writer.close()
    if len(broken) == len(sources):
        raise SniperError(f'none of the {len(sources)} pictures can be read: {broken[0]}')
    logger.info('%s in %s, %.1f s: %s', counted(count, 'object', 'objects'),
                counted(len(sources) - len(broken), 'picture', 'pictures'), time.monotonic() - start, printable(out))


def _objects(frame: Frame, network: FeatureNetwork, cache: ObjectCache) -> Tuple[Detections, np.ndarray]:
    """(objects of a picture, their features), from the cache as far as they are there."""
    digest = file_digest(frame.source.path)
    known = cache.get(digest)
    if known is None:
        known = network.objects(Picture(frame.pixels, frame.pixels.shape[1], frame.pixels.shape[0]))
        cache.put(digest, *known)
    return known
