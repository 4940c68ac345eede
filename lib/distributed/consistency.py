"""Are all workers the same program with the same configuration and the same data? If not, nobody trains.

Each worker gathers short numbers from all (lib.distributed.workers): first of the code, since all else is compared by
it, then one of each configuration key, so that a difference has a name.
"""
import hashlib
import json
import os
import zlib

import numpy as np

from configs import values_affecting
from lib.utils.errors import SniperError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = ('configs', 'lib', 'symbols', 'main_train.py')  # what decides on the numbers
SOURCES = ('.py', '.pyx')
BITS = 24  # of a number that float32 holds exactly


def check_program(workers, config, num_devices):
    """Raise SniperError on every worker if the code, the configuration or the number of devices of two differ."""
    if workers.alone:
        return
    code = code_hash()
    _compare(workers, [number_of(code)], [f'code (here {code}): check out the same version on all machines'])
    flat = values_affecting(config, 'schedule', without=('machine',))
    flat['number of devices in gpus'] = num_devices
    keys = sorted(flat)
    _compare(workers, [number_of(json.dumps(flat[key])) for key in keys],
             [f'{key} (here {flat[key]!r})' for key in keys])


def check_data(workers, roidb):
    """Raise SniperError on every worker if the training sets of two differ in size or boxes."""
    if workers.alone:
        return
    numbers = [len(roidb) >> 12, len(roidb) & 0xfff, boxes_number(roidb)]
    what = f'training set (here {len(roidb)} images with mirrored copies): give all the same annotation files'
    _compare(workers, numbers, [what] * 3)


def code_hash():
    """Fingerprint of the source files that take part in training, and of MXNet's version."""
    from sniper_mxnet import mx
    digest = hashlib.sha256(mx.__version__.encode())
    for path in sorted(_source_files()):
        digest.update(os.path.relpath(path, ROOT).encode() + b'\0')
        with open(path, 'rb') as stream:
            digest.update(hashlib.sha256(stream.read()).digest())
    return digest.hexdigest()[:12]


def boxes_number(roidb):
    """A number of BITS bits that depends on the boxes and classes of all records."""
    columns, kinds = getattr(roidb, 'columns', None), {'boxes': np.float32, 'gt_classes': np.int32}
    arrays = [np.asarray(entry[name], kind) for entry in ([columns] if columns else roidb)
              for name, kind in kinds.items()]
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(array).tobytes(), checksum)
    return checksum & ((1 << BITS) - 1)


def number_of(text):
    """Text -> a number of BITS bits."""
    return int.from_bytes(hashlib.sha256(text.encode('utf-8')).digest()[:BITS // 8], 'big')


def _source_files():
    for name in CODE:
        path = os.path.join(ROOT, name)
        if os.path.isfile(path):
            yield path
        for folder, _, files in os.walk(path):
            yield from (os.path.join(folder, base) for base in files if base.endswith(SOURCES))


def _compare(workers, numbers, names):
    """SniperError that says what differs, in this worker's values, and between which workers."""
    table = workers.gather(numbers)
    columns = np.flatnonzero((table != table[0]).any(axis=0))
    if len(columns) == 0:
        return
    others = np.flatnonzero((table != table[0]).any(axis=1)).tolist()
    different = list(dict.fromkeys(names[column] for column in columns))
    more = f' and {len(different) - 5} more' if len(different) > 5 else ''
    raise SniperError('rank {} of {} workers: rank{} {} and rank 0 do not agree in {}{}'.format(
        workers.rank, workers.count, 's' if len(others) > 1 else '', ', '.join(map(str, others)),
                         ', '.join(different[:5]), more))
