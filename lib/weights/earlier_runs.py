"""A new run in the folder of an earlier one: its files are set aside when the new one has something to save.

Until then nothing changes but `<prefix>-run.json`, and a start that fails puts that back. Then all checkpoints of the
prefix, with what tests of them found, go to `<folder>/before-<date-time>/`; `--save_prefix before-.../SNIPER` finds
them there. So no test takes a later epoch of the earlier run for one of the new, and nothing is overwritten.
"""
import glob
import json
import logging
import os
import re
import time
import uuid
from typing import List, Optional

from lib.utils.errors import SniperError
from lib.utils.files import write_file
from lib.weights.paths import ASIDE, RESULTS, TAG, metrics_files, metrics_path

logger = logging.getLogger(__name__)


class NewRun:
    """Context manager around the training of a run that begins: `name` tells its checkpoints from others', so that
    --resume passes over those that an earlier run has left.

    begin: whether this process writes the run's files; others do nothing.
    """

    def __init__(self, prefix: str, begin: bool = True):
        self.prefix, self.begin = prefix, begin
        self.name = uuid.uuid4().hex if begin else ''
        self.saved = False
        self._path = prefix + '-run.json'
        self._before: Optional[bytes] = None

    def __enter__(self) -> 'NewRun':
        if self.begin:
            if os.path.isfile(self._path):
                with open(self._path, 'rb') as stream:
                    self._before = stream.read()
            write_file(self._path, json.dumps({'run': self.name}).encode('utf-8'))
        return self

    def __exit__(self, kind, *_) -> None:
        """The run of before is the current one again if this one has failed and saved nothing."""
        if not self.begin or self.saved or kind is None:
            return
        if self._before is not None:
            write_file(self._path, self._before)
        elif os.path.isfile(self._path):
            os.remove(self._path)

    def make_room(self) -> None:
        """Set the earlier run's files aside: called when the first checkpoint is ready to take their place."""
        if not self.begin or self.saved:
            return
        self.saved = True
        if run_files(self.prefix):
            folder = set_aside(self.prefix, self._before, os.path.basename(metrics_path(self.prefix, self.name)))
            logger.warning('The checkpoints of an earlier run, and what tests of them found, are in %s now', folder)


def run_files(prefix: str) -> List[str]:
    """Names of the checkpoints' files of a prefix, sorted: parameters, states, side files, the graph."""
    folder, base = os.path.split(prefix)
    pattern = re.compile(re.escape(base) + fr'-({TAG}\.(json|params|states)|symbol\.json)$')
    names = os.listdir(folder or '.') if os.path.isdir(folder or '.') else []
    return sorted(filter(pattern.match, names))


def set_aside(prefix: str, run_file: Optional[bytes] = None, own: str = '') -> str:
    """Move a prefix's checkpoints, and the results of their tests, to a new folder beside them -> its path.

    run_file: content of `<prefix>-run.json`, which goes there first. own: name of the file of metrics that stays.
    SniperError if the system refuses.
    """
    folder, base = os.path.split(prefix)
    aside = _new_folder(folder)
    try:
        if run_file is not None:
            write_file(os.path.join(aside, base + '-run.json'), run_file)
        for name in run_files(prefix) + [name for name in metrics_files(prefix) if name != own]:
            os.rename(os.path.join(folder, name), os.path.join(aside, name))
        for path in _result_folders(folder, base):
            place = os.path.join(aside, os.path.relpath(path, folder or '.'))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(path, place)
    except OSError as error:
        raise SniperError(f'cannot move the checkpoints of an earlier run from {folder or "."} to {aside} '
                          f'({error.strerror or error}): train in another output_path') from None
    return aside


def _new_folder(folder):
    stem = os.path.join(folder, ASIDE + time.strftime('%Y-%m-%d-%H-%M-%S'))
    path, number = stem, 1
    while os.path.lexists(path):
        number += 1
        path = f'{stem}-{number}'
    try:
        os.mkdir(path)
    except OSError as error:
        raise SniperError(f'cannot make the folder {path} for the checkpoints of an earlier run '
                          f'({error.strerror or error}): train in another output_path') from None
    return path


def _result_folders(folder, base):
    """Folders of what tests of the checkpoints of a prefix found."""
    pattern = re.compile(re.escape(base) + fr'-{TAG}(-.*)?$')
    return sorted(path for path in glob.glob(os.path.join(glob.escape(folder), RESULTS, '*', '*'))
                  if pattern.match(os.path.basename(path)) and os.path.isdir(path))
