"""From names and the configuration to records: what main_train.py and main_test.py ask for."""
import logging

import numpy as np

from lib.dataset.base import LEFT_OUT, shortened
from lib.dataset.class_list import unite
from lib.dataset.compact import CompactRoidb, image_paths, relabelled, select
from lib.dataset.joined import JoinedDataset
from lib.dataset.parts import joined_line, one_sided_lines, open_parts, parts_of
from lib.dataset.proposals import add_proposals, find_proposal_file
from lib.dataset.roidb import mirrored
from lib.utils.errors import SniperError, printable
from lib.utils.reachable import MISSING, why_unreadable

logger = logging.getLogger(__name__)

NAMED_IN_WARNING = 3  # how many missing files a warning names


def load_training_roidb(config) -> tuple:
    """All records to train on: the parts of dataset.image_set, each with its mirrored copies, filtered.

    Returns (roidb, classes), the roidb a list or a CompactRoidb. The classes are those of the file; a log line says
    so if dataset.NUM_CLASSES is another number. Images without a file are left out with a warning. With
    TRAIN.USE_NEG_CHIPS the records have proposals.
    Parts with different classes are trained on with those of all (lib.dataset.class_list.unite).
    SniperError: nothing to train on, unusable annotation file, no proposal file.
    """
    masks = config.TRAIN.WITH_MASK and not config.TRAIN.ONLY_PROPOSAL
    parts, lists, ignored = [], [], []
    places = parts_of(config.dataset, 'image_set')
    for dataset in open_parts(config.dataset, places, masks):
        if config.TRAIN.USE_NEG_CHIPS:
            find_proposal_file(config, dataset.name)  # so that its absence is said before anything takes time
        dataset.whole_pixels = config.TRAIN.WHOLE_PIXELS
        records = dataset.roidb(config.TRAIN.IGNORED_OBJECTS)
        ignored += _ignored_objects(dataset, records, config.TRAIN.IGNORED_OBJECTS)
        records = _with_files(records, dataset.name)
        if config.TRAIN.USE_NEG_CHIPS:
            records = add_proposals(config, dataset, records)
        parts.append(with_mirrored_copies(records, bool(config.TRAIN.FLIP), bool(config.TRAIN.FLIP_VERTICAL)))
        lists.append((dataset.name, tuple(dataset.classes)))
    classes, parts = _united(lists, parts)
    _say_joined(places, parts, classes)
    roidb = (CompactRoidb.concatenate(parts) if all(isinstance(part, CompactRoidb) for part in parts)
             else [record for part in parts for record in part])
    background = config.TRAIN.BACKGROUND_IMAGES
    kept = roidb if background else usable_for_training(
        roidb, config.TRAIN.FG_THRESH, config.TRAIN.BG_THRESH_HI, config.TRAIN.BG_THRESH_LO)
    _say_number_of_classes(config, ' and '.join(name for name, _ in lists), len(classes))
    if not kept or not _has_objects(kept):
        raise SniperError(f'no image of {config.dataset.image_set} has an object that can be trained on: '
                          + ('; '.join(ignored) + '; set these marks to 0 where they are single objects' if ignored
                             else 'check its annotation file'))
    if background:
        _say_background(roidb, background)
    return kept, classes


def load_test_dataset(config) -> tuple:
    """The split named by dataset.test_image_set, or several as one (lib.dataset.joined). Returns (dataset, roidb), all
    images, never mirrored.

    Image files that cannot be read are named in a warning: the test counts them as without detections. SniperError:
    half of them or more are so, unusable annotation file.
    """
    places = parts_of(config.dataset, 'test_image_set')
    opened = open_parts(config.dataset, places)
    joined = JoinedDataset(opened) if len(opened) > 1 else None
    dataset = joined or opened[0]
    _say_number_of_classes(config, dataset.name, dataset.num_classes)
    roidb = dataset.roidb()
    dataset.score_by(config.dataset.WIDER_LISTS)
    if joined:
        _say_joined(places, joined.parts(), joined.classes)
    absent = [(path, reason) for path, reason in _why_unreadable(roidb) if reason]
    if absent and 2 * len(absent) >= len(roidb):
        path, reason = absent[0]
        raise SniperError(f'image file {path} of {dataset.name} {reason} ({len(absent)} of {len(roidb)} '
                          f'{"are" if reason == MISSING else "cannot be read"}): {_mend(reason == MISSING)}')
    if absent:
        _say_absent(dataset.name, roidb, absent, 'the test goes on without detections there')
    return dataset, roidb


def _has_objects(roidb):
    return bool(_object_counts(roidb).any())


def _object_counts(roidb):
    return roidb.object_counts() if isinstance(roidb, CompactRoidb) else np.array(
        [np.count_nonzero(record['max_overlaps'] == 1) for record in roidb], np.int64)


def _say_background(roidb, wanted):
    """wanted: TRAIN.BACKGROUND_IMAGES."""
    empty = int((_object_counts(roidb) == 0).sum())
    if empty:
        most = ('all of them every epoch' if isinstance(wanted, str) else
                f'at most {int(wanted)} windows an epoch' if wanted >= 1 else
                f'at most {100 * wanted:g} % of the windows of an epoch')
        logger.info('training images: %d of %d (mirrored copies count) have no objects and are trained on as '
                    'background, %s (TRAIN.BACKGROUND_IMAGES)', empty, len(roidb), most)


def _say_joined(places, roidbs, classes):
    """A line on several folders that were joined, and warnings about classes that one of them labels alone."""
    if len({place.source for place in places}) < 2:
        return
    pictures, objects = np.zeros(len(places), np.int64), np.zeros((len(places), len(classes)), np.int64)
    for number, roidb in enumerate(roidbs):
        labels = [record['gt_classes'] for record in roidb if not (record['flipped'] or record['flipped_vertical'])]
        pictures[number] = len(labels)
        objects[number] = np.bincount(np.concatenate([np.zeros(0, np.int64)] + labels), minlength=len(classes))
    logger.info('%s', joined_line(places, pictures, classes))
    for line in one_sided_lines(places, objects, classes):
        logger.warning('%s', line)


def _say_number_of_classes(config, name, count):
    if config.dataset.NUM_CLASSES not in (0, count):
        logger.warning('dataset.NUM_CLASSES is %d, but %s has %d classes with background: %d are used',
                       config.dataset.NUM_CLASSES, name, count, count)


def _ignored_objects(dataset, roidb, ignored):
    """Lines about objects that are in the annotations and are not trained on; they are logged too."""
    how = '' if ignored == LEFT_OUT else ': they are neither objects nor background'
    counts = [sum(of_class.values()) for of_class in dataset.not_trained.values()]
    total = sum(counts) + int(_object_counts(roidb).sum())
    lines = []
    for (kind, of_class), count in zip(dataset.not_trained.items(), counts):
        if count:
            names = sorted(of_class, key=lambda name: -of_class[name])
            named = shortened([f'{of_class[name]} {name}' for name in names])
            lines.append(f'{dataset.name}: {count} of {total} objects are {kind} and are not trained on ({named})')
            logger.warning('%s%s', lines[-1], how)
    return lines


def _united(lists, parts):
    """[(name, classes)] and records of all parts -> (classes of all, records with labels among these)."""
    classes, matches = unite([of_part for _, of_part in lists])
    (first_name, first), relabelled_parts = lists[0], []
    for (name, of_part), match, part in zip(lists, matches, parts):
        labels = np.array(match.labels)
        if (labels != np.arange(len(labels))).any():
            part = relabelled(part, labels)
        relabelled_parts.append(part)
        if of_part != first:
            absent = [known for label, known in enumerate(first) if label not in match.labels]
            said = ([f'only {name} has {shortened(match.unknown)}'] * bool(match.unknown)
                    + [f'only {first_name} has {shortened(absent)}'] * bool(absent)
                    + [match.respelt_text()] * bool(match.respelt))
            logger.warning('%s and %s have different classes, which are matched by name: %s', first_name, name,
                           '; '.join(said) or 'their order differs')
    if classes != first:
        logger.warning('trained on are the classes of all: %s', _shortened(classes))
    return classes, relabelled_parts


def _with_files(roidb, name):
    """Records whose image file can be read; the others are counted in one warning."""
    absent, readable = [], np.ones(len(roidb), bool)
    for number, (path, reason) in enumerate(_why_unreadable(roidb)):
        if reason:
            absent.append((path, reason))
            readable[number] = False
    if absent and len(absent) == len(roidb):
        path, reason = absent[0]
        raise SniperError(f'none of the {len(absent)} image files of {name} '
                          + ('exists (first: {})' if _all_missing(absent) else 'can be read (first: {} {})').format(
                              path, reason) + f': {_mend(_all_missing(absent))}')
    if not absent:
        return roidb
    _say_absent(name, roidb, absent, 'training goes on without them')
    return select(roidb, readable)


def _why_unreadable(roidb):
    """(path, why its file cannot be read or '') of every record, one after another: there may be millions."""
    return ((path, why_unreadable(path)) for path in image_paths(roidb))


def _all_missing(absent):
    return all(reason == MISSING for _, reason in absent)


def _say_absent(name, roidb, absent, consequence):
    named = [path if reason == MISSING else f'{path} {reason}' for path, reason in absent]
    logger.warning('%s: %d of %d image files %s, %s: %s', name, len(absent), len(roidb),
                   'are missing' if _all_missing(absent) else 'cannot be read', consequence,
                   printable(shortened(named, NAMED_IN_WARNING)))


def _mend(missing):
    return 'check dataset.dataset_path' if missing else 'mend these files or the rights of their folders'


def _shortened(classes):
    return f'{len(classes) - 1} ({shortened(classes[1:])})'


def with_mirrored_copies(roidb, horizontal: bool = True, vertical: bool = False):
    """The records, followed by their mirrored copies in the same order.

    Both directions asked for: originals, left-right, top-bottom, and both at once (four times the records).
    """
    directions = [(True, False)] * horizontal + [(False, True)] * vertical + [(True, True)] * (horizontal and vertical)
    if isinstance(roidb, CompactRoidb):
        return CompactRoidb.concatenate([roidb] + [roidb.mirrored(*direction) for direction in directions])
    result = list(roidb)
    for left_right, top_bottom in directions:
        result.extend(mirrored(record, left_right, top_bottom) for record in roidb)
    return result


def usable_for_training(roidb, fg_thresh: float, bg_thresh_hi: float, bg_thresh_lo: float):
    """Leave out images with neither a foreground nor a background row (reference/pipeline.md 4.6), and log how many."""
    def usable(overlaps):
        return (overlaps >= fg_thresh) | ((overlaps >= bg_thresh_lo + 0.0001) & (overlaps < bg_thresh_hi))

    if isinstance(roidb, CompactRoidb):
        kept = roidb[roidb.any_row(usable)]
    else:
        kept = select(roidb, [bool(usable(record['max_overlaps']).any()) for record in roidb])
    logger.info('training images: %d of %d (mirrored copies count) hold objects, %d without are left out',
                len(kept), len(roidb), len(roidb) - len(kept))
    return kept
