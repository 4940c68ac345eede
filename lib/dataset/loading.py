"""From names and the configuration to records: what main_train.py and main_test.py ask for."""
import itertools
import logging
import os

from lib.dataset.compact import CompactRoidb, image_paths, select
from lib.dataset.proposals import add_proposals, find_proposal_file
from lib.dataset.registry import get_dataset
from lib.dataset.roidb import mirrored
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

NAMED_IN_WARNING = 3  # how many missing files a warning names


def load_training_roidb(config) -> tuple:
    """All records to train on: parts of dataset.image_set joined by '+', each with its mirrored copies, filtered.

    Returns (roidb, classes), the roidb a list or a CompactRoidb. The classes are those of the file; a log line says
    so if dataset.NUM_CLASSES is another number. Images without a file are left out with a warning. With
    TRAIN.USE_NEG_CHIPS the records have proposals.
    SniperError: nothing to train on, parts with different classes, unusable annotation file, no proposal file.
    """
    masks = config.TRAIN.WITH_MASK and not config.TRAIN.ONLY_PROPOSAL
    datasets = (_open(config, name, masks) for name in _part_names(config.dataset.image_set))  # opened one by one
    first = next(datasets)
    parts = []
    for dataset in itertools.chain([first], datasets):
        if dataset.classes != first.classes:
            raise SniperError(f'{first.name} and {dataset.name} have different classes ({_shortened(first.classes)}; '
                              f'{_shortened(dataset.classes)}): they cannot be trained on together')
        if config.TRAIN.USE_NEG_CHIPS:
            find_proposal_file(config, dataset.name)  # so that its absence is said before anything takes time
        records = _with_files(dataset.roidb(), dataset.name)
        if config.TRAIN.USE_NEG_CHIPS:
            records = add_proposals(config, dataset, records)
        parts.append(with_mirrored_copies(records, bool(config.TRAIN.FLIP), bool(config.TRAIN.FLIP_VERTICAL)))
    roidb = (CompactRoidb.concatenate(parts) if all(isinstance(part, CompactRoidb) for part in parts)
             else [record for part in parts for record in part])
    kept = usable_for_training(roidb, config.TRAIN.FG_THRESH, config.TRAIN.BG_THRESH_HI, config.TRAIN.BG_THRESH_LO)
    _say_number_of_classes(config, first)
    if not kept:
        raise SniperError(f'no image of {config.dataset.image_set} has an object that can be trained on: check its '
                          'annotation file')
    return kept, first.classes


def load_test_dataset(config) -> tuple:
    """The split named by dataset.test_image_set. Returns (dataset, roidb), all images, never mirrored.

    SniperError: an image file is missing (named), unusable annotation file.
    """
    dataset = _open(config, config.dataset.test_image_set, masks=False)
    _say_number_of_classes(config, dataset)
    roidb = dataset.roidb()
    missing = [path for path in image_paths(roidb) if not os.path.isfile(path)]
    if missing:
        raise SniperError(f'image file {missing[0]} of {dataset.name} is missing ({len(missing)} of {len(roidb)} are): '
                          'check dataset.dataset_path')
    return dataset, roidb


def _part_names(image_set):
    names = [name.strip() for name in image_set.split('+')]
    if not all(names):
        raise SniperError(f'dataset.image_set {image_set!r} has an empty part: write names joined by single "+"')
    return names


def _open(config, image_set, masks):
    keys = config.dataset
    return get_dataset(keys.dataset, image_set, keys.root_path, keys.dataset_path, masks=bool(masks))


def _say_number_of_classes(config, dataset):
    if config.dataset.NUM_CLASSES not in (0, dataset.num_classes):
        logger.warning('dataset.NUM_CLASSES is %d, but %s has %d classes with background: %d are used',
                       config.dataset.NUM_CLASSES, dataset.name, dataset.num_classes, dataset.num_classes)


def _with_files(roidb, name):
    """Records whose image file exists; the others are counted in one warning."""
    present = [os.path.isfile(path) for path in image_paths(roidb)]
    count = present.count(False)
    if not count:
        return roidb
    missing = (path for path, exists in zip(image_paths(roidb), present) if not exists)
    if count == len(roidb):
        raise SniperError(f'none of the {count} image files of {name} exists (first: {next(missing)}): check '
                          'dataset.dataset_path')
    named = ', '.join(itertools.islice(missing, NAMED_IN_WARNING)) + (', ...' if count > NAMED_IN_WARNING else '')
    logger.warning('%s: %d of %d image files are missing, training goes on without them: %s',
                   name, count, len(roidb), named)
    return select(roidb, present)


def _shortened(classes):
    names = classes[1:6]
    return f'{len(classes) - 1}: {", ".join(names)}{", ..." if len(classes) > 6 else ""}'


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
    logger.info('training images: %d of %d records hold objects, %d without are left out',
                len(kept), len(roidb), len(roidb) - len(kept))
    return kept
