"""Where the results of a test go, so that two tests of one checkpoint on one data set do not overwrite each other.

The first one takes the folder `<checkpoint>` (lib.weights.paths.results_folder), or `<checkpoint>-bf16` and the like.
One with other settings that change detections, other images, classes or weights of that name gets
`<checkpoint>-<digits>` beside it. The same test again finds its folder by `test.json`, which says what it was made of.
Detections of single scales, which are a cache and know what they were made from, and parts of shards stay in the first
folder.
"""
import json
import logging
import os

from lib.dataset.base import shortened
from lib.utils.errors import SniperError
from lib.utils.files import write_file
from lib.utils.npz import differences, digest, read_origin
from lib.weights.paths import read_json

logger = logging.getLogger(__name__)

RECORD = 'test.json'
DIGITS = 8


def take_folder(base: str, made_from: dict, final: str) -> str:
    """The folder for the results of a test: `base`, or one of its own beside it if another test lies there.

    made_from: what the results depend on, name -> value or digest, fit for JSON. final: file of final detections in
    `base`, by whose origin results of older versions are known. Writes the record.
    """
    folder = base
    if not _take_first(base, final):
        found = _made_from(base, final, made_from)
        others = differences(found, made_from)
        if others:
            folder = f'{base}-{digest(made_from)[:DIGITS]}'
            logger.info('%s holds the results of a test with other %s: those of this one go to %s', base,
                        shortened(others), folder)
    write_file(os.path.join(folder, RECORD), json.dumps(made_from, indent=1, sort_keys=True).encode('utf-8'))
    return folder


def _take_first(base, final):
    """Whether `base` was free and is taken now; of two tests that end at once, one gets it."""
    record = os.path.join(base, RECORD)
    try:
        os.makedirs(base, exist_ok=True)
        if os.path.exists(final) or os.path.exists(record):
            return False
        os.close(os.open(record, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except OSError as error:
        if os.path.exists(record):
            return False
        raise SniperError(f'cannot write results to {base}: {error.strerror or error}') from None
    return True


def _made_from(base, final, made_from):
    """What the results in `base` were made from; {} if nobody knows. An older version did not note down the classes."""
    record = read_json(os.path.join(base, RECORD))
    if record or os.path.exists(os.path.join(base, RECORD)):
        return record
    origin = read_origin(final)
    return {} if origin is None else {**made_from, **origin}
