"""The files of a test that runs in shards: one a shard, complete or absent, checked before they are joined.

`<results>/shards/<kind>_<set>/part_2_of_3.npz` (NumPy, read without pickle) holds

    facts       text: JSON of what the part was made from: {'weights': digest, 'TEST.NMS': 0.3, ...}
    images      (m,) int64, numbers of its images in the data set
    image_ids   (m,) text
    and the arrays of its kind
"""
import json
import os
import re
import zipfile
import zlib
from typing import Any, Dict, NamedTuple

import numpy as np

from configs import values_affecting
from lib.utils.errors import SniperError
from lib.utils.files import publish, remove_stale_temporaries, write_temporary
from lib.inference.store import digest, result_root

FORMAT = 1    # raise it when the meaning of a file changes
LISTED = 5    # images or shards that a message names
MOST = 9999   # shards: beyond any use, and soon looked through
_NAME = re.compile(r'^part_(\d+)_of_(\d+)\.npz$')


class Shard(NamedTuple):
    """Part `number` of `count`, from 1 on."""

    number: int
    count: int

    @classmethod
    def parse(cls, text):
        """'2/3' -> Shard. SniperError for anything that is no part of a whole."""
        match = re.match(r'^(\d{1,18})/(\d{1,18})$', text)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise SniperError(f'--shard {text} is not understood: write 1/3, 2/3 or 3/3 for the parts of three; there '
                               'are '
                              f'at most {MOST} parts')
        return cls(number, count)

    def __str__(self):
        return '{}/{}'.format(*self)


class Part(NamedTuple):
    """A shard's file."""

    images: np.ndarray          # (m,) numbers in the data set
    arrays: Dict[str, Any]


class PartFolder:
    """The parts of one test. facts: name -> value fit for JSON; only parts of the same facts belong together.

    command(flags): text of the command line with these flags, for messages.
    """

    def __init__(self, folder, facts, image_ids, command):
        self.folder = folder
        self._facts = json.loads(json.dumps(dict(facts, format=FORMAT)))
        self._ids = [str(image_id) for image_id in image_ids]
        self._command = command

    def path(self, shard):
        """The file of a Shard."""
        return os.path.join(self.folder, 'part_{}_of_{}.npz'.format(*shard))

    def write(self, shard, images, arrays):
        """The part of a Shard: image numbers and arrays by name."""
        ids = np.array([self._ids[image] for image in images], dtype=np.str_)
        facts = np.array(json.dumps(self._facts, sort_keys=True))
        temporary, _ = write_temporary(self.path(shard), lambda stream: np.savez(
            stream, facts=facts, images=np.asarray(images, np.int64), image_ids=ids, **arrays))
        publish(temporary, self.path(shard))
        remove_stale_temporaries(self.folder)

    def next_step(self, count):
        """The command that follows when all shards are done."""
        return self._command(['--merge', str(count)])

    def read_all(self, count, dealt):
        """All `count` parts (0 = as many as the names of the files say) -> list of Part.

        dealt(count): image numbers of each shard, to say which are missing. SniperError naming what is missing,
        damaged, of something else or there twice, and the command that makes it.
        """
        count = count or self._count()
        shards = [Shard(number, count) for number in range(1, count + 1)]
        missing = [shard for shard in shards if not os.path.isfile(self.path(shard))]
        if missing:
            images_of = dealt(count)
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
        path = self.path(shard)
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
            facts = json.loads(str(content.pop('facts')))
            images, ids = content.pop('images'), content.pop('image_ids').tolist()
            made_from = facts if isinstance(facts, dict) else {}
        except (OSError, EOFError, ValueError, KeyError, MemoryError, AttributeError, zipfile.BadZipFile,
                zlib.error) as error:
            raise SniperError(f'{path} is damaged ({error}); run: {self._again(shard)}') from None
        others = sorted(name for name in set(made_from) | set(self._facts)
                        if made_from.get(name) != self._facts.get(name))
        if others:
            raise SniperError('{} was made from other {} than this command has; run: {}'.format(
                path, ' and '.join(self._difference(name, made_from) for name in others[:LISTED]), self._again(shard)))
        fits = images.ndim == 1 and images.dtype == np.int64 and len(images) == len(ids) and all(
            0 <= image < len(self._ids) and self._ids[image] == name for image, name in zip(images.tolist(), ids))
        if not fits:
            raise SniperError(f'{path} is damaged: its images are not those of the data set; run: {self._again(shard)}')
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

    def _difference(self, name, made_from):
        ours, theirs = self._facts.get(name), made_from.get(name)
        if name in ('weights', 'images', 'format'):
            return name
        return f'{name} ({theirs}, here {ours})'

    def _named(self, images):
        return '{} image{} ({})'.format(len(images), '' if len(images) == 1 else 's',
                                    _listed([self._ids[image] for image in images]))

    def _again(self, shard):
        return self._command(['--shard', str(shard)])


def part_folder(config, kind, dataset, roidb, weights_digest, command):
    """-> PartFolder of a test. kind: 'detections' or 'proposals'."""
    from lib.inference.workers import num_devices
    facts = dict(values_affecting(config, kind), weights=weights_digest, devices=num_devices(config),
                 images=digest([_identity(entry) for entry in roidb]))
    folder = os.path.join(result_root(config), 'shards', f'{kind}_{dataset.name}')
    return PartFolder(folder, facts, [entry['image_id'] for entry in roidb], command)


def _identity(entry):
    """Names an image and its content well enough; not its folder, which may be another one on another machine."""
    return [str(entry['image_id']), os.path.basename(str(entry['image'])), float(entry['width']),
            float(entry['height']), os.path.getsize(entry['image'])]


def _listed(items):
    more = len(items) - LISTED
    return ', '.join(map(str, items[:LISTED])) + (f' and {more} more' if more > 0 else '')
