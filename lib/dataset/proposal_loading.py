"""From the configuration to the proposals of a training set: which file, and what is kept of it."""
import logging
import os

from lib.dataset.proposal_files import FORMAT, NMS_THRESH, after_nms, read_original, read_proposals, write_proposals
from lib.dataset.proposals import attach_proposals
from lib.utils.errors import SniperError
from lib.utils.npz import read_origin

logger = logging.getLogger(__name__)

ENDINGS = ('_%s.npz', '_%s.pkl', '_%s_after_nms.pkl')  # in the order of preference; %s: dataset.proposal


def find_proposal_file(config, dataset_name):
    """Path of the file in proposal_path for a data set. SniperError with the ways to get one if there is none."""
    paths = [os.path.join(config.proposal_path, dataset_name + ending % config.dataset.proposal) for ending in ENDINGS]
    for path in paths:
        if os.path.isfile(path):
            return path
    raise SniperError(
        f'TRAIN.USE_NEG_CHIPS is True, but there is no proposal file {paths[0]} (or .pkl): (1) let bash '
        'scripts/train_neg_props_and_sniper.sh --cfg FILE make it and train, (2) extract it with main_test.py --set '
        'TEST.EXTRACT_PROPOSALS True and a trained network, or (3) put a file of the original, '
        f'{os.path.basename(paths[1])}, into {config.proposal_path}; '
        'or train without negative chips: --set TRAIN.USE_NEG_CHIPS False')


def add_proposals(config, dataset, roidb):
    """New records of `dataset` with proposals from its file, after hard NMS at IoU 0.7.

    What NMS leaves is kept beside the file for the next run, with a fingerprint of the file it was made from.
    """
    path = find_proposal_file(config, dataset.name)
    cache = _without_ending(os.path.splitext(path)[0], '_after_nms') + '_after_nms.npz'
    origin = {'source': _fingerprint(path), 'nms': NMS_THRESH}
    if read_origin(cache) == dict(origin, format=FORMAT):
        proposals = read_proposals(cache)
    else:
        proposals = after_nms(_read(path, dataset))._replace(origin=origin)
        try:
            write_proposals(cache, proposals)
        except SniperError as error:
            logger.warning('%s: NMS of the proposals is done anew every time', error)
    logger.info('%s: %d proposals of %d images from %s', dataset.name, len(proposals.boxes), len(proposals.image_ids),
                path)
    return attach_proposals(roidb, proposals, path)


def _without_ending(text, ending):
    return text[:-len(ending)] if text.endswith(ending) else text


def _read(path, dataset):
    if path.endswith('.npz'):
        return read_proposals(path)
    try:
        image_ids = dataset.original_image_ids()
    except ValueError as error:
        raise SniperError(f'{path} cannot be matched with the images of {dataset.name} ({error}): extract proposals '
                          'with main_test.py') from error
    return read_original(path, image_ids)


def _fingerprint(path):
    """Changes when the file is written anew."""
    status = os.stat(path)
    return [os.path.basename(path), status.st_size, status.st_mtime_ns]
