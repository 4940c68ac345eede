"""Training and validation out of one heap of pictures: by what they show, so that copies stay together.

Pictures that are the same, pixel for pixel or saved anew (lib.dataset.picture_hash), are one group. Groups are put in
the order of a digest of SEED and their pixels, and the first, until they hold SHARE of the pictures, are for
validation: the same pictures are split alike whatever their names, formats and places, and one more moves few others.
"""
import hashlib
import json
import logging
import os
from typing import Dict, List, Sequence, Set, Tuple

from lib.dataset.picture_check import read_pictures
from lib.dataset.picture_hash import same_pictures
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

logger = logging.getLogger(__name__)

TRAIN, VAL = 'split_train', 'split_val'     # names of the two sets
SHARE, SEED = 0.2, 0
_FORMAT = 2


def validation_part(sizes: Dict[str, Tuple[float, float]], cache: str = '') -> Set[str]:
    """{path of a picture: its width and height} -> paths for validation; none if all pictures are the same, else one
    at least.

    cache: file that keeps the answer, which takes reading all pictures; it is made anew when one of these changes.
    """
    paths = list(sizes)
    state = _state(paths)
    known = _read(cache, state) if cache else None
    if known is None or not all(place < len(paths) for place in known):
        facts = read_pictures(sizes, lambda read, total: None)
        groups = _groups(paths, [fact.hash for fact in facts])
        known = []
        wanted = min(max(int(round(SHARE * len(paths))), 1), len(paths) - 1)
        for _, group in sorted(groups):
            if len(known) + len(group) <= wanted:
                known += group
        if not known and len(groups) > 1:   # all are large, as frames of a few still scenes are
            known = min(groups, key=lambda item: (len(item[1]), item[0]))[1]
        if cache:
            _write(cache, state, known)
    return {paths[place] for place in known}


def _groups(paths, hashes) -> List[Tuple[str, List[int]]]:
    """(digest, places) of pictures that are the same; one that cannot be read goes by its name."""
    readable = [place for place, one in enumerate(hashes) if one is not None]
    first = list(range(len(paths)))
    for pairs in same_pictures([hashes[place] for place in readable]):
        for one, other in pairs:
            first[_start(first, readable[other])] = _start(first, readable[one])
    members: Dict[int, List[int]] = {}
    for place in range(len(paths)):
        members.setdefault(_start(first, place), []).append(place)
    found = []
    for places in members.values():
        keys = [hashes[place].exact if hashes[place] is not None else os.path.basename(paths[place]).encode(
            'utf-8', 'surrogateescape') for place in places]
        found.append((hashlib.blake2b(str(SEED).encode() + min(keys), digest_size=16).hexdigest(), places))
    return found


def _start(first, place):
    """The picture that a group is known by."""
    while first[place] != place:
        place = first[place]
    return place


def _state(paths: Sequence[str]) -> str:
    """Another text when a picture of the list changes."""
    digest = hashlib.blake2b(str((_FORMAT, SHARE, SEED)).encode(), digest_size=16)
    for path in paths:
        try:
            status = os.stat(path)
            facts = f'{path}\0{status.st_size}\0{status.st_mtime_ns}\n'
        except OSError:
            facts = f'{path}\0\n'
        digest.update(facts.encode('utf-8', 'surrogateescape'))
    return digest.hexdigest()


def _read(cache, state):
    """Places that the file keeps; None if it is none, or of other pictures."""
    try:
        with open(cache, encoding='utf-8') as stream:
            content = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    places = content.get('validation') if isinstance(content, dict) and content.get('state') == state else None
    whole = isinstance(places, list) and all(type(place) is int and place >= 0 for place in places)
    return places if whole else None


def _write(cache, state, places):
    try:
        os.makedirs(os.path.dirname(cache), exist_ok=True)
        with text_writer(cache) as stream:
            json.dump({'state': state, 'validation': places}, stream)
    except (SniperError, OSError) as error:
        logger.warning('%s: the pictures will be read again next time to split them', error)
