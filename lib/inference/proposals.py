"""Proposals of a whole data set by a trained proposal network (reference/pipeline.md 13): what main_test.py does with
TEST.EXTRACT_PROPOSALS.

Images go through in blocks; what a block gave at a scale is kept in
`<results>/props_scale_<a>x<b>/<set>_<first image>.npz` until the file of the whole set is written, so that an
interrupted extraction goes on where it was. Every file names the weights, configuration and images it was made from.
"""
import logging
import os
import time

import numpy as np

from configs import values_affecting
from lib.dataset import load_test_dataset
from lib.dataset.compact import take
from lib.dataset.proposals import FORMAT, ProposalSet, read_proposals, write_proposals
from lib.image import ImageNotices
from lib.inference.detection_store import images_digest
from lib.inference.predictors import PredictorFactory
from lib.inference.recall import report_recall
from lib.inference.scale import in_order, scale_name, whole_images
from lib.inference.shards import Shard, part_folder
from lib.inference.unreadable import check_any_readable, end_with, unreadable_images, why_unreadable
from lib.inference.weights import find_weights, use_float32_on_cpu
from lib.inference.workers import partition_images, run_here, run_in_workers
from lib.tasks.seen_report import log_test
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from lib.utils.npz import differences, read_origin
from lib.weights.paths import output_folder, results_folder

logger = logging.getLogger(__name__)

COUNTED = 'the file has no proposals there'
BLOCK = 4096  # images; starting the network again for the next block costs seconds


class Extraction:
    """Proposals of dataset.test_image_set by the checkpoint of `cfg_path`.

    Changes `config`, which is this run's own. Raises SniperError for whatever a user can mend.
    """

    def __init__(self, config, cfg_path: str, save_prefix: str):
        self.config, self._notices = config, ImageNotices()
        self.dataset, self.roidb = load_test_dataset(config)
        self.weights = find_weights(config, output_folder(config, cfg_path), save_prefix)
        use_float32_on_cpu(config)
        log_test(config, self.roidb, self.weights.side_file())
        self.path = os.path.join(config.TEST.PROPOSAL_SAVE_PATH, f'{self.dataset.name}_rpn.npz')
        self.root = results_folder(config, cfg_path, self.weights.prefix, self.weights.epoch)
        self.origin = proposals_origin(config, self.roidb, self.weights.digest(), self.dataset.name)

    def run(self):
        """All images, unless the file is there already and was made from the same -> see report_recall; None then."""
        if _made_from(self.path, self.origin):
            logger.info('%s is there already, made from the same weights, configuration and images: nothing to do',
                        self.path)
            return None
        parts = Parts(self.config, self.root, self.dataset.name, self.origin)
        blocks = blocks_of(len(self.roidb))
        return self._finish(self._extract(blocks, parts), parts.remove)

    def run_shard(self, shard, command):
        """The images of a Shard -> path of the part. command: see PartFolder."""
        folder, blocks = self._folder(command), self._blocks_of_shard(shard)
        images = np.concatenate([np.zeros(0, np.int64)] + blocks)
        logger.info('shard %s: %d of %d images', shard, len(images), len(self.roidb))
        parts = Parts(self.config, self.root, '{}_{}_of_{}'.format(*((self.dataset.name,) + shard)), self.origin)
        rows = self._extract(blocks, parts)
        folder.write(shard, images, {'rows': np.concatenate([np.zeros((0, 5), np.float32)] + rows),
                                     'rows_per_image': np.array([len(of_image) for of_image in rows], np.int64)})
        parts.remove()
        logger.info('part: %s; when all %d are there: %s', folder.path(shard), shard.count,
                    folder.next_step(shard.count))
        end_with(self.roidb, self._unreadable(rows, images), f'the part is written, {COUNTED}')
        return folder.path(shard)

    def _unreadable(self, rows, images=None):
        """rows[image] of some images, by default all -> {number: why it cannot be read}.

        Those without any proposal are looked at again, so that nothing is kept of them in the parts.
        """
        numbers, found = range(len(self.roidb)) if images is None else images, {}
        for number, of_image in zip(numbers, rows):
            if not len(of_image):
                entry = self.roidb[number]
                found[int(number)] = self._notices.unreadable.get(entry['image']) or why_unreadable(entry)
        return {number: reason for number, reason in found.items() if reason}

    def run_merge(self, count, command):
        """Join all shards' parts -> see report_recall. count: of shards, 0 = as many as the files say."""
        def images_of_shards(number):
            return [np.concatenate([np.zeros(0, np.int64)] + self._blocks_of_shard(Shard(index + 1, number)))
                    for index in range(number)]
        parts = self._folder(command).read_all(count, images_of_shards)
        rows = [np.split(part.arrays['rows'], np.cumsum(part.arrays['rows_per_image'])[:-1]) if len(part.images) else []
                for part in parts]
        return self._finish(in_order(rows, [part.images for part in parts]))

    def _folder(self, command):
        return part_folder(self.config, 'proposals', self.root, self.roidb, self.weights.digest(), command)

    def _blocks_of_shard(self, shard):
        """Of every block of all images, the numbers of those that a Shard has."""
        return [block[partition_images(take(self.roidb, block), self.config, shard.count)[shard.number - 1]]
                for block in blocks_of(len(self.roidb))]

    def _extract(self, blocks, parts):
        """rows[image] of the images of `blocks`."""
        clock, start = StageClock(), time.perf_counter()
        factory = PredictorFactory(self.config, self.weights)
        rows = extract(self.roidb, factory, self.config, parts, clock, blocks, self._notices)
        seconds = time.perf_counter() - start
        logger.info('%d images in %.1f s, %.2f images/s (%s)', len(rows), seconds, len(rows) / max(seconds, 1e-9),
                    clock.text())
        return rows

    def _finish(self, rows, clean_up=None):
        """Write and report the proposals of all images. SniperError at the end, if some could not be read."""
        unreadable = self._unreadable(rows)
        check_any_readable(self.roidb, unreadable)
        ids = [entry['image_id'] for entry in self.roidb]
        write_proposals(self.path, ProposalSet.from_images(rows, ids, self.origin))
        if clean_up:
            clean_up()
        logger.info('proposals: %s', self.path)
        recall = report_recall(self.path, self.roidb)
        end_with(self.roidb, unreadable, COUNTED)
        return recall


def blocks_of(count, length=BLOCK):
    """Image numbers 0 to `count` - 1 in consecutive blocks: list of arrays."""
    return [np.arange(first, min(first + length, count)) for first in range(0, count, length)]


def extract(roidb, predictor_factory, config, parts, clock, blocks, notices=None):
    """rows -> (n, 5) float32 an image of `blocks` (arrays of image numbers), one block after the other: the scales'
    proposals one below the other, in the order of TEST.SCALES.

    parts: Parts, where blocks of images that are done are read and written; None keeps nothing. notices: are told of
    images that cannot be read, which have no proposals.
    """
    indices, rows = range(len(config.TEST.SCALES)), []
    notices = ImageNotices() if notices is None else notices
    for numbers in blocks:
        if not len(numbers):
            continue
        images, first = take(roidb, numbers), int(numbers[0])
        done = parts.load_all(indices, first) if parts else {}
        wanted = [index for index in indices if index not in done]
        workers = min(config.TEST.CONCURRENT_JOBS, len(images))
        source = (run_in_workers(images, whole_images, predictor_factory, config, wanted, clock, workers,
                                 notices=notices)
                  if workers > 1 else
                  run_here(images, whole_images, predictor_factory, config, wanted, clock,
                           notices=notices)) if wanted else ()
        for index, found in source:
            done[index] = np.split(found.detections.rows(), np.searchsorted(found.detections.image,
                                                                            np.arange(1, len(images))))
            if parts:
                parts.save(index, first, done[index], images)
        without = unreadable_images(images, notices)
        rows += [np.concatenate([done[index][image][:0 if image in without else None] for index in indices])
                 for image in range(len(images))]
        notices.summary()
        if len(blocks) > 1:
            logger.info('%d of %d images are done', len(rows), sum(map(len, blocks)))
    return rows


class Parts:
    """Files of the blocks of images that an extraction has finished, under the folder `root` of results."""

    def __init__(self, config, root, name, origin):
        self._config, self._root, self._name, self._origin = config, root, name, origin
        self._used = set()

    def _path(self, index, first):
        return os.path.join(self._root, 'props_scale_' + scale_name(self._config, index),
                            f'{self._name}_{first:07d}.npz')

    def _origin_of(self, index, first):
        return dict(self._origin, scale=index, first=first)

    def save(self, index, first, rows, images):
        """rows[image] (n, 5) of scale `index` and the images from number `first` on."""
        path = self._path(index, first)
        write_proposals(path, ProposalSet.from_images(rows, [entry['image_id'] for entry in images],
                                                      self._origin_of(index, first)))
        self._used.add(path)

    def load_all(self, indices, first):
        """Scale index -> what `load` gives, for the scales that are there."""
        found = {index: self.load(index, first) for index in indices}
        return {index: rows for index, rows in found.items() if rows is not None}

    def load(self, index, first):
        """What `save` wrote -> rows[image], or None if there is no such file made from the same."""
        path = self._path(index, first)
        if not _made_from(path, self._origin_of(index, first)):
            return None
        try:
            proposals = read_proposals(path)
        except SniperError as error:
            logger.warning('%s', error)
            return None
        self._used.add(path)
        logger.info('scale %s: %d images from number %d on were done before (%s)', scale_name(self._config, index),
                    len(proposals.image_ids), first, path)
        return [proposals.rows(image) for image in range(len(proposals.image_ids))]

    def remove(self):
        """Delete the files: all they hold is in the file of the whole set."""
        for path in self._used:
            os.remove(path)
        self._used.clear()


def _made_from(path, origin):
    """Whether there is a proposal file of this origin."""
    found = read_origin(path)
    return found is not None and not differences(found, dict(origin, format=FORMAT))


def proposals_origin(config, roidb, weights_digest: str, name: str) -> dict:
    """What a proposal file depends on, fit for JSON: name -> value or digest."""
    return {'set': name, 'weights': weights_digest, 'images': images_digest(roidb),
            **values_affecting(config, 'proposals')}
