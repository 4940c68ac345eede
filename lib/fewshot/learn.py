"""The steps from a folder of pictures a class to a classifier and how good it is: features, learning, accuracy."""
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.dataset.class_names import named
from lib.fewshot.cache import FeatureCache
from lib.fewshot.classifier import Examples, FewShotClassifier
from lib.fewshot.folder import ClassPictures, same_pictures
from lib.fewshot.network import FeatureNetwork
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable
from lib.utils.npz import file_digest
from lib.utils.processes import num_cores
from lib.utils.progress_bar import ProgressBar

logger = logging.getLogger(__name__)

PART = 64                       # pictures in memory at a time
SECONDS_BETWEEN_SAVES = 20.0    # so much work is lost at most


class Extracted(NamedTuple):
    """pictures: those that could be read, without copies; examples: of them, in the same order; computed: how many
    were looked at, the others were known."""
    pictures: ClassPictures
    examples: Examples
    computed: int


def extract(pictures: ClassPictures, network: FeatureNetwork, cache_folder: str = '') -> Extracted:
    """Features of pictures, from the cache in `cache_folder` as far as they are there ('' = no cache).

    Pictures that cannot be read are named in warnings and left out. SniperError: none can be read.
    """
    cache = FeatureCache(cache_folder, network.origin()) if cache_folder else None
    known: Dict[str, np.ndarray] = {}
    digests: List[str] = []
    problems: List[str] = []
    computed, saved = 0, time.monotonic()
    try:
        with ProgressBar() as progress, ThreadPoolExecutor(num_cores()) as pool:
            for start in range(0, len(pictures.paths), PART):
                paths = pictures.paths[start:start + PART]
                found = list(pool.map(_digest, paths))
                new = {digest: path for digest, path in zip(found, paths)
                       if digest and digest not in known and not (cache and cache.get(digest) is not None)}
                broken, looked_at = _look(new, network, pool, cache, known)
                for path, digest in zip(paths, found):
                    problem = broken.get(digest, '').replace(new.get(digest, path), path) if digest else (
                        f'image {path} cannot be read')
                    digests.append('' if problem else digest)
                    problems += [problem] if problem else []
                known.update({digest: cache.get(digest) for digest in found
                              if cache and cache.get(digest) is not None})
                computed += looked_at
                progress.show('features', min(start + PART, len(pictures.paths)), len(pictures.paths))
                if cache and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    cache.save()
                    saved = time.monotonic()
    finally:
        if cache:
            cache.save()
    for problem in problems:
        logger.warning('%s: passed over', printable(problem))
    if len(problems) == len(pictures.paths):
        raise SniperError(f'none of the {len(problems)} pictures can be read: {problems[0]}')
    if problems:
        logger.warning('%s passed over', counted(len(problems), 'picture that cannot be read is',
                                                 'pictures that cannot be read are'))
    kept = same_pictures(pictures, digests)
    taken = tuple(digests[number] for number in kept)
    chosen = pictures.take(kept)
    return Extracted(chosen, Examples(np.stack([known[digest] for digest in taken]),
                                      np.array(chosen.labels, np.int64), taken), computed)


def _look(new, network, pool, cache, known) -> Tuple[Dict[str, str], int]:
    """Features of {digest: path} into `known` and the cache -> ({digest: why it cannot be read}, how many could)."""
    read = list(pool.map(lambda path: _read(network, path), new.values()))
    broken = {digest: why for digest, (_, why) in zip(new, read) if why}
    fine = [digest for digest, (picture, _) in zip(new, read) if picture is not None]
    if fine:
        features = network.features([picture for picture, _ in read if picture is not None])
        known.update(zip(fine, features))
        if cache:
            cache.add(fine, features)
    return broken, len(fine)


def _digest(path) -> str:
    """SHA-256 of a file; '' if it cannot be read."""
    try:
        return file_digest(path) if os.path.isfile(path) else ''
    except OSError:
        return ''


def _read(network, path):
    """(Picture, '') or (None, why not)."""
    try:
        return network.read(path), ''
    except SniperError as error:
        return None, str(error)


class Accuracy(NamedTuple):
    """Of pictures with known classes. counts: (K, K) pictures by true class and the class they were taken for."""
    classes: Tuple[str, ...]
    counts: np.ndarray

    @property
    def total(self) -> int:
        """Pictures."""
        return int(self.counts.sum())

    @property
    def top1(self) -> float:
        """Share of pictures taken for what they are."""
        return float(np.trace(self.counts)) / max(self.total, 1)

    @property
    def by_class(self) -> np.ndarray:
        """(K,) the same of each class; NaN where it has no picture."""
        totals = self.counts.sum(axis=1)
        return np.where(totals, np.diag(self.counts) / np.maximum(totals, 1), np.nan)

    def confusions(self, most: int = 10) -> List[Tuple[str, str, int, int]]:
        """[(class, what it is taken for, how often, of how many)], the most frequent first."""
        counts = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-counts, axis=None, kind='stable')[:most]
        pairs = [(int(place // len(counts)), int(place % len(counts))) for place in order]
        return [(self.classes[true], self.classes[taken], int(counts[true, taken]), int(self.counts[true].sum()))
                for true, taken in pairs if counts[true, taken]]

    def text(self) -> List[str]:
        """Lines: the accuracy beside chance, the hardest classes, what is taken for what."""
        shares = self.by_class
        hardest = [label for label in np.argsort(shares, kind='stable')[:5].tolist() if shares[label] < 1]
        lines = [f'top-1 accuracy {100 * self.top1:.1f} % of {counted(self.total, "picture", "pictures")} '
                 f'(chance {100 / len(self.classes):.1f} %)']
        if hardest:
            lines.append('hardest: ' + ', '.join(f'{printable(self.classes[label])} {100 * shares[label]:.0f} %'
                                                 for label in hardest))
        taken = [f'{printable(true)} for {printable(other)} {count} of {total}'
                 for true, other, count, total in self.confusions(5)]
        return lines + ([f'taken for another: {", ".join(taken)}'] if taken else [])


def check_known(classes: Sequence[str], known: Sequence[str]) -> None:
    """SniperError: pictures to test on have a class that is not learnt."""
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise SniperError(f'the test pictures have classes that are not learnt: {named(unknown)}; known: '
                          f'{named(known)}')


def accuracy(classifier: FewShotClassifier, extracted: Extracted) -> Accuracy:
    """Of a classifier on pictures that it has not learnt from. SniperError: a class that it does not know."""
    check_known(extracted.pictures.classes, classifier.classes)
    places = np.array([classifier.classes.index(name) for name in extracted.pictures.classes])
    count = len(classifier.classes)
    taken = classifier.of_pictures(extracted.examples.features).argmax(axis=1)
    cells = places[extracted.examples.labels] * count + taken
    return Accuracy(classifier.classes, np.bincount(cells, minlength=count * count).reshape(count, count))


def unknown_to(classifier: Optional[FewShotClassifier], extracted: Extracted) -> List[int]:
    """Numbers of the pictures that a classifier has not learnt from."""
    known = set(classifier.examples.digests) if classifier else set()
    return [number for number, digest in enumerate(extracted.examples.digests) if digest not in known]


def part_of(extracted: Extracted, numbers: Sequence[int]) -> Extracted:
    """Some of the pictures."""
    examples = extracted.examples
    chosen = Examples(examples.features[list(numbers)], examples.labels[list(numbers)],
                      tuple(examples.digests[number] for number in numbers))
    return Extracted(extracted.pictures.take(numbers), chosen, 0)


def learn(extracted: Extracted, origin: dict, old: Optional[FewShotClassifier] = None) -> FewShotClassifier:
    """A classifier of these pictures' classes, and of those that an `old` one knows."""
    if old is None:
        return FewShotClassifier(extracted.pictures.classes, extracted.examples, origin)
    return old.extended(extracted.pictures.classes, extracted.examples)
