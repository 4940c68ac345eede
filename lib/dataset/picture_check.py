"""What is odd about the pictures of a data set: every file is read."""
import concurrent.futures
import logging
import os
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from lib.dataset.base import NAMED_IN_WARNING
from lib.dataset.picture_hash import PictureHash, picture_hash, same_pictures
from lib.dataset.set_choice import is_union
from lib.image import ImageFile
from lib.image.formats import ENDINGS
from lib.image.notices import DEPTH, END, ORIENTATION, SIZE
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable
from lib.utils.processes import num_cores

logger = logging.getLogger(__name__)

LEAST_SHOWN = 64    # pixels of the shorter side, as small as a picture is read


class Finding(NamedTuple):
    """A line of the report. mend: whether training or figures are wrong if it stays so; number: of how many
    things."""

    mend: bool
    kind: str
    number: int
    text: str


class PictureFacts(NamedTuple):
    """What reading a file said. error: '' if it can be read; notices: {kind of lib.image.notices: detail}; turned:
    whether viewers turn or mirror its pixels; deep: whether samples have more than 8 bits."""

    path: str
    error: str
    notices: Dict[str, str]
    turned: bool
    deep: bool
    hash: Optional[PictureHash]


def read_picture(path: str, width: float, height: float) -> PictureFacts:
    """Of a file and its annotated size. JPEG files are read as small as their hash allows."""
    try:
        file = ImageFile(path, width, height)
        side = min(width, height)
        reduction = next((by for by in (8, 4, 2) if side / by >= LEAST_SHOWN), 1)
        pixels = file.decode(reduction).pixels
    except SniperError as error:
        return PictureFacts(path, str(error), {}, False, False, None)
    return PictureFacts(path, '', {notice.kind: notice.detail for notice in file.notices}, file.orientation > 1,
                        file.deep, picture_hash(pixels))


def read_pictures(sizes: Dict[str, Tuple[float, float]], progress: Callable[[int, int], None]) -> List[PictureFacts]:
    """{path: annotated width and height} -> facts of each in this order; progress: called with (read, all)."""
    facts: List[PictureFacts] = []
    with concurrent.futures.ThreadPoolExecutor(num_cores()) as readers:    # decoders let other threads run
        for found in readers.map(lambda item: read_picture(item[0], *item[1]), sizes.items()):
            facts.append(found)
            progress(len(facts), len(sizes))
    return facts


def picture_findings(facts: Sequence[PictureFacts]) -> List[Finding]:
    """What files by themselves are like."""
    kinds = (
        (True, 'broken', 'cannot', 'cannot', 'be read', lambda one: one.error),
        (True, 'size', 'is', 'are', 'not of the annotated size: boxes lie elsewhere',
         lambda one: one.notices.get(SIZE)),
        (False, 'turned', 'is', 'are', 'to be shown turned or mirrored (EXIF), and sizes do not tell which way the '
         'boxes lie: turn the pixels for good', lambda one: one.notices.get(ORIENTATION)),
        (False, 'exif', 'is', 'are', 'turned as EXIF says, which fits the annotation',
         lambda one: one.turned and ORIENTATION not in one.notices and ' '),
        (False, '16-bit', 'of 16 bits uses', 'of 16 bits use', 'a part of the range only',
         lambda one: one.notices.get(DEPTH)),
        (False, '16-bit', 'has', 'have', '16 bits a sample, of which 8 are used',
         lambda one: one.deep and DEPTH not in one.notices and ' '),
        (False, 'end', 'lacks', 'lack', 'the mark of the end, with all pixels there', lambda one: END in one.notices
         and ' '))
    found = []
    for mend, kind, verb, verb_of_many, words, of in kinds:
        concerned = [(os.path.basename(one.path), str(of(one)).strip()) for one in facts if of(one)]
        if concerned:
            texts = [f'{name} ({detail})' if detail else name for name, detail in concerned]
            found.append(Finding(mend, kind, len(concerned), counted(
                len(concerned), f'picture {verb}', f'pictures {verb_of_many}') + f' {words}: {named(texts)}'))
    return found


def named(texts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(texts) - NAMED_IN_WARNING
    return printable('; '.join(texts[:NAMED_IN_WARNING]) + (f'; and {more} more' if more > 0 else ''))


def copy_findings(facts: Sequence[PictureFacts], sets: Dict[str, Set[str]], training: Sequence[str]) -> List[Finding]:
    """Pictures that are there twice: in two sets, of which not both are trained on, and in one or two that are.

    sets: {set: paths of its pictures}."""
    readable = [one for one in facts if one.hash is not None]
    exact, copies = same_pictures([one.hash for one in readable])
    names = _parts(sets)
    leaks: Dict[Tuple[str, str, str], List[str]] = {}
    twice: Dict[Tuple[str, str], List[str]] = {}
    for first, second in _pairs_of_sets(names):
        for path in sorted(sets[first] & sets[second]):
            leaks.setdefault((first, second, 'the same file'), []).append(os.path.basename(path))
    for pairs, how in ((exact, 'the same pixels'), (copies, 'saved anew')):
        for place, other in pairs:
            paths = readable[place].path, readable[other].path
            said = ' = '.join(map(os.path.basename, paths))
            crossing = [(first, second) for first, second in _pairs_of_sets(names)
                        if paths[0] in sets[first] and paths[1] in sets[second]
                        or paths[1] in sets[first] and paths[0] in sets[second]]
            for first, second in crossing:
                leaks.setdefault((first, second, how), []).append(said)
            for name in names:
                if sets[name].issuperset(paths):
                    twice.setdefault((name, how), []).append(said)
    found = []
    for (first, second, how), said_of in leaks.items():
        both = {first, second} <= set(training)
        consequence = 'both are trained on' if both else 'what is trained on must not be tested on'
        number = counted(len(said_of), f'picture of {first} is', f'pictures of {first} are')
        found.append(Finding(not both, 'twice' if both else 'leak', len(said_of),
                             f'{number} in {second} too ({how}): {consequence}: {named(said_of)}'))
    return found + [Finding(False, 'twice', len(those), counted(len(those), 'picture is', 'pictures are')
                            + f' twice in {name} ({how}): {named(those)}') for (name, how), those in twice.items()]


def _parts(sets):
    """Names of the sets without unions of others."""
    return [name for name in sets if not (is_union(name) and len(sets) > 1 and sets[name] <= set().union(
        *(paths for other, paths in sets.items() if other != name)))]


def _pairs_of_sets(names):
    return [(first, second) for place, first in enumerate(names) for second in names[place + 1:]]


def unlisted_findings(paths: Set[str]) -> List[Finding]:
    """Pictures that lie beside those of the sets and that no set names. paths: real paths of these."""
    found = []
    for folder in sorted({os.path.dirname(path) for path in paths}):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found += [name for name in names if name.lower().endswith(ENDINGS) and not name.startswith('.')
                  and os.path.join(folder, name) not in paths]
    number = counted(len(found), 'picture beside the others is', 'pictures beside the others are')
    return [Finding(False, 'unlisted', len(found), f'{number} in no set: {named(found)}')] if found else []
