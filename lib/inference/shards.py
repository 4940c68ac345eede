"""A test in shards: `main_test.py --shard 2/3` makes a part of the whole, `--merge` checks and joins the parts.

`<results>/shards/<kind>/part_2_of_3.npz` (lib.utils.npz) holds what it was made from, `images` (m,) int64, numbers of
its images in the data set, `image_ids` (m,) text, and the arrays of its kind. A part of detections holds final ones:
joining scales and suppression go image by image. What else a report of the whole asks for goes along: masks, and the
windows that AutoFocus looked at.
"""
import logging
import os
import re
from typing import Any, Dict, NamedTuple, Optional, Sequence

import numpy as np

from configs import values_affecting
from lib.bbox.detections import Detections
from lib.dataset.compact import take
from lib.inference.detection_store import DetectionStore, images_digest, pack_codes, rows_of, unpack_codes
from lib.inference.evaluate import COUNTED, Outcome, PageRequest, detect_images, prepare, report
from lib.inference.pictures import draw_scales
from lib.inference.scale import ScaleResult, in_order
from lib.inference.unreadable import end_with
from lib.inference.workers import num_devices, partition_images
from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, read_npz, write_npz
from lib.visualization import picture_names

logger = logging.getLogger(__name__)

FORMAT = 3    # raise it when the meaning of a file changes
LISTED = 5    # images or shards that a message names
MOST = 9999   # shards: beyond any use, and soon looked through
_NAME = re.compile(r'^part_(\d+)_of_(\d+)\.npz$')


class Shard(NamedTuple):
    """Part `number` of `count`, from 1 on."""

    number: int
    count: int  # type: ignore[assignment]

    @classmethod
    def parse(cls, text):
        """'2/3' -> Shard. SniperError for anything that is no part of a whole."""
        match = re.match(r'^(\d{1,18})/(\d{1,18})$', text)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise SniperError(f'--shard {text} is not understood: write 1/3, 2/3 or 3/3 for the parts of three; there '
                              f'are at most {MOST} parts')
        return cls(number, count)

    def __str__(self):
        return '{}/{}'.format(*self)


class Part(NamedTuple):
    """A shard's file."""

    images: np.ndarray          # (m,) numbers in the data set
    arrays: Dict[str, Any]


class PartFolder:
    """The parts of one test. origin: name -> value fit for JSON; only parts of the same origin belong together.

    command(flags): text of the command line with these flags, for messages.
    """

    def __init__(self, folder, origin, image_ids, command):
        self.folder = folder
        self._origin = dict(origin, format=FORMAT)
        self._ids = [str(image_id) for image_id in image_ids]
        self._command = command

    def path(self, shard):
        """The file of a Shard."""
        return os.path.join(self.folder, 'part_{}_of_{}.npz'.format(*shard))

    def write(self, shard, images, arrays):
        """The part of a Shard: image numbers and arrays by name."""
        ids = np.array([self._ids[image] for image in images], dtype=np.str_)
        write_npz(self.path(shard), dict(arrays, images=np.asarray(images, np.int64), image_ids=ids), self._origin)

    def next_step(self, count):
        """The command that follows when all shards are done."""
        return self._command(['--merge', str(count)])

    def read_all(self, count, images_of_shards):
        """All `count` parts (0 = as many as the names of the files say) -> list of Part.

        images_of_shards(count): image numbers of each shard, to say which are missing. SniperError naming what is
        missing, damaged, of something else or there twice, and the command that makes it.
        """
        count = count or self._count()
        shards = [Shard(number, count) for number in range(1, count + 1)]
        missing = [shard for shard in shards if not os.path.isfile(self.path(shard))]
        if missing:
            images_of = images_of_shards(count)
            images = np.concatenate([images_of[shard.number - 1] for shard in missing])
            raise SniperError('shard{} {}, with {}, {} missing in {}; run: {}'.format(
                's' if len(missing) > 1 else '', _listed(missing), self._named(images),
                'are' if len(missing) > 1 else 'is', self.folder,
                ' and '.join(self._again(shard) for shard in missing[:LISTED])))
        parts = [self._read(shard) for shard in shards]
        self._check_images(shards, parts)
        return parts

    def _count(self):
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        counts = sorted({int(match.group(2)) for match in map(_NAME.match, names) if match})
        if not counts:
            raise SniperError(f'there is no shard to merge in {self.folder}; run: {self._again("1/N")}')
        if len(counts) > 1:
            raise SniperError('{} has shards of several tests: say which by {}'.format(
                self.folder, ' or '.join(f'--merge {count}' for count in counts)))
        return counts[0]

    def _read(self, shard):
        path, mend = self.path(shard), f'run: {self._again(shard)}'
        try:
            content, _ = read_npz(path, self._origin, mend)
            images, ids = content.pop('images'), content.pop('image_ids').tolist()
        except (OSError, KeyError) as error:
            raise DamagedFile(path, error, mend) from None
        fits = images.ndim == 1 and images.dtype == np.int64 and len(images) == len(ids) and all(
            0 <= image < len(self._ids) and self._ids[image] == name for image, name in zip(images.tolist(), ids))
        if not fits:
            raise DamagedFile(path, 'its images are not those of the data set', mend)
        return Part(images, content)

    def _check_images(self, shards, parts):
        times = np.bincount(np.concatenate([part.images for part in parts]), minlength=len(self._ids))
        twice = np.flatnonzero(times > 1)
        if len(twice):
            holders = [shard for shard, part in zip(shards, parts) if np.isin(twice, part.images).any()]
            raise SniperError('{} {} in more than one of the shards {} in {}; run all shards again'.format(
                self._named(twice), 'is' if len(twice) == 1 else 'are', _listed(holders), self.folder))
        absent = np.flatnonzero(times == 0)
        if len(absent):
            raise SniperError('{} {} in none of the {} shards in {}; run all shards again'.format(
                self._named(absent), 'is' if len(absent) == 1 else 'are', len(shards), self.folder))

    def _named(self, images):
        return '{} image{} ({})'.format(len(images), '' if len(images) == 1 else 's',
                                    _listed([self._ids[image] for image in images]))

    def _again(self, shard):
        return self._command(['--shard', str(shard)])


def part_folder(config, kind: str, root: str, roidb, weights_digest: str, command) -> PartFolder:
    """-> PartFolder of a test whose results lie in `root`. kind: 'detections' or 'proposals'."""
    origin = dict(values_affecting(config, kind), weights=weights_digest, images=images_digest(roidb),
                  devices=num_devices(config))
    return PartFolder(os.path.join(root, 'shards', kind), origin, [entry['image_id'] for entry in roidb], command)


def _listed(items):
    more = len(items) - LISTED
    return ', '.join(map(str, items[:LISTED])) + (f' and {more} more' if more > 0 else '')


def run_shard(config, cfg_path: str, save_prefix: str, shard: Shard, command) -> str:
    """Detect on the images of a Shard and write its part. command: see PartFolder -> path of the part."""
    test = prepare(config, cfg_path, save_prefix)
    folder = _folder(test, command)
    images = partition_images(test.roidb, config, shard.count)[shard.number - 1]
    roidb = take(test.roidb, images)
    logger.info('shard %s: %d of %d images', shard, len(images), len(test.roidb))
    root = os.path.join(folder.folder, '{}_of_{}'.format(*shard))  # TEST.USE_CACHE reads a shard's own scales
    found = detect_images(test, roidb, DetectionStore(root, config, roidb, test.digest))
    folder.write(shard, images, pack(found, len(images)))
    logger.info('part: %s; when all %d are there: %s', folder.path(shard), shard.count, folder.next_step(shard.count))
    if config.TEST.VISUALIZE_INTERMEDIATE_SCALES:
        names = picture_names(test.roidb)
        draw_scales(test, roidb, found, [names[image] for image in images])
    end_with(roidb, found.unreadable, f'the part is written, {COUNTED}')
    return folder.path(shard)


def run_merge(config, cfg_path: str, save_prefix: str, count: int, command, draw: bool = False,
              page: Optional[PageRequest] = None) -> Optional[dict]:
    """Join all parts and report as the test in one process does. count: of shards, 0 = as many as the files say.

    -> metrics, None for sets without annotations. SniperError: see PartFolder.read_all.
    """
    test = prepare(config, cfg_path, save_prefix)
    parts = _folder(test, command).read_all(count, lambda number: partition_images(test.roidb, config, number))
    logger.info('%d parts hold all %d images', len(parts), len(test.roidb))
    try:
        found = join([unpack(part.arrays, config.TEST.WITH_MASK) for part in parts], [part.images for part in parts])
    except (KeyError, ValueError, IndexError) as error:  # checksums hold, but it is not what `pack` makes
        raise SniperError(f'a part in {os.path.join(test.root, "shards")} does not hold detections ({error}): run all '
                          'shards again') from None
    return report(test, DetectionStore(test.root, config, test.roidb, test.digest), found, draw,
                  page=page)


def _folder(test, command):
    return part_folder(test.config, 'detections', test.root, test.roidb, test.digest, command)


def pack(found: Outcome, images: int) -> Dict[str, np.ndarray]:
    """Outcome of `images` images -> arrays by name.

    rows (N, 6), rows_per_image (m,); with masks `codes` and `lengths`, of the rows; scale by scale windows_0 (W, 4),
    windows_per_image_0 (m,); network_pixels (scales,); of images that could not be read numbers `unreadable` (k,) and
    `reasons` (text).
    """
    arrays = {'rows': rows_of(found.detections),
              'rows_per_image': np.bincount(found.detections.image, minlength=images),
              'network_pixels': np.array([result.network_pixels for result in found.results], np.int64),
              'unreadable': np.array(list(found.unreadable), np.int64),
              'reasons': np.array(list(found.unreadable.values()), dtype=np.str_)}
    if found.detections.mask is not None:
        arrays.update(pack_codes(found.detections.mask))
    for index, result in enumerate(found.results):
        windows = [window for crops in result.crops for window in crops]
        arrays[f'windows_{index}'] = np.array(windows, np.float64).reshape(-1, 4)
        arrays[f'windows_per_image_{index}'] = result.counts
    return arrays


def unpack(arrays: Dict[str, np.ndarray], with_mask: bool) -> Outcome:
    """The inverse of pack -> Outcome; of the scales, windows and pixels alone."""
    images = np.repeat(np.arange(len(arrays['rows_per_image'])), arrays['rows_per_image'])
    detections = Detections.from_rows(images, arrays['rows'], mask=unpack_codes(arrays) if with_mask else None)
    results = []
    for index, pixels in enumerate(arrays['network_pixels'].tolist()):
        windows = list(map(tuple, arrays[f'windows_{index}'].tolist()))
        ends = np.cumsum(arrays[f'windows_per_image_{index}']).tolist()
        results.append(ScaleResult([windows[first:end] for first, end in zip([0] + ends[:-1], ends)], None, None,
                                   pixels))
    return Outcome(detections, results, dict(zip(arrays['unreadable'].tolist(), arrays['reasons'].tolist())))


def join(parts: Sequence[Outcome], numbers) -> Outcome:
    """Outcomes of parts of the images, which are images `numbers[part]` -> Outcome of all."""
    detections = Detections.concatenate([
        part.detections.replace(image=np.asarray(of_part, np.int64)[part.detections.image])
        for part, of_part in zip(parts, numbers)])
    results = [ScaleResult(in_order([result.crops for result in of_scale], numbers), None, None,
                           sum(result.network_pixels for result in of_scale))
               for of_scale in zip(*(part.results for part in parts))]
    unreadable = {int(of_part[number]): reason for part, of_part in zip(parts, numbers)
                  for number, reason in part.unreadable.items()}
    return Outcome(detections.take(np.argsort(detections.image, kind='stable')), results,
                   dict(sorted(unreadable.items())))
