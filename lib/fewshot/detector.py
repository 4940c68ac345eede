"""Detection of classes learnt on the fly, in a program of your own:

    from lib.fewshot import FewShotDetector

    with FewShotDetector.learn('fruit', 'configs/faster/sniper_tiny_e2e.yml') as detector:
        detector.save('fruit.npz')
        found = detector.detect('photo.jpg')
        for label, score, box in zip(found.label, found.score, found.box):
            print(detector.classes[label], score, box)

The detector says where objects are and how surely they are any, the classifier which: score = P(object) x P(class).
"""
import threading
from typing import Iterable, List, Sequence, Tuple, Union

import numpy as np

from lib.api import Detector, Image, listed_images, pixels_of
from lib.bbox.detections import Detections
from lib.dataset.class_list import BACKGROUND
from lib.fewshot.classifier import FewShotClassifier
from lib.fewshot.folder import read_class_folder
from lib.fewshot.learn import extract, learn
from lib.fewshot.network import FeatureNetwork
from lib.image import Picture
from lib.inference.aggregate import Suppression, aggregate
from lib.weights.paths import SAVE_PREFIX

NMS = 0.45              # overlap above which two boxes of a class are one object
LEAST_SCORE = 0.01      # of what `detect` gives
KIND = 'mean+std'


class FewShotDetector:
    """A detector of learnt classes; free it by `close` or `with`. Threads may share it, their calls wait.

    classes: names, '__background__' first; Detections.label is a position in it. least_class: P(class) below which an
    object is none of the classes; 0 = every object is of one.
    """

    def __init__(self, network: FeatureNetwork, classifier: FewShotClassifier, least_class: float = 0.0):
        """SniperError: the classifier was learnt with another network."""
        classifier.check_network(network.origin())
        self.network, self.classifier, self.least_class = network, classifier, least_class
        self._one_call = threading.RLock()

    @classmethod
    def learn(cls, folder: str, source, overrides: Sequence = (), cache: str = '', **settings) -> 'FewShotDetector':
        """Of a folder of pictures a class. source, overrides: of the network, see lib.api.Detector.load. cache: folder
        for features, '' = none. settings: kind, scales, mirrored of FeatureNetwork. SniperError: see lib.fewshot."""
        network = load_network(source, overrides, **settings)
        extracted = extract(read_class_folder(folder), network, cache)
        return cls(network, learn(extracted, network.origin()))

    @classmethod
    def load(cls, path: str, source, overrides: Sequence = (), save_prefix: str = SAVE_PREFIX) -> 'FewShotDetector':
        """With the classifier of a file that `save` wrote, on the same network. SniperError: damaged, or another."""
        classifier = FewShotClassifier.load(path)
        return cls(load_network(source, overrides, save_prefix, **classifier.settings), classifier)

    @property
    def classes(self) -> Tuple[str, ...]:
        """See the class."""
        return (BACKGROUND, *self.classifier.classes)

    def add(self, folder: str, cache: str = '') -> None:
        """Learn the classes of another folder too, one at least; the old ones keep their labels, objects their boxes
        and P(object)."""
        with self._one_call:
            extracted = extract(read_class_folder(folder, least=1), self.network, cache)
            self.classifier = learn(extracted, self.network.origin(), self.classifier)

    def save(self, path: str) -> None:
        """Write the classifier."""
        self.classifier.save(path)

    def classify(self, images: Union[Image, Iterable[Image]]) -> np.ndarray:
        """(n, K) probabilities of whole images, as in `detect`; column k is class k + 1 of `classes`."""
        with self._one_call:
            pictures = [self._picture(image) for image in listed_images(images)]
            return self.classifier.of_pictures(self.network.features(pictures))

    def detect(self, images: Union[Image, Iterable[Image]]) -> Detections:
        """Detections of one image or several, as lib.api.Detector.detect has them."""
        parts: List[Detections] = [Detections.empty()]
        sizes = []
        with self._one_call:
            for number, image in enumerate(listed_images(images)):
                picture = self._picture(image)
                found = self.scored(*self.network.objects(picture))
                parts.append(found.replace(image=found.image + number))
                sizes.append((picture.width, picture.height))
        return Detections.concatenate(parts).replace(classes=self.classes, sizes=sizes)

    def scored(self, objects: Detections, features: np.ndarray) -> Detections:
        """Objects of one image and their features (n, D) -> detections of the classes, best first within a class."""
        return score_objects(objects, features, self.classifier, self.least_class)

    def close(self) -> None:
        """Free the network; the next call loads it again."""
        with self._one_call:
            self.network.close()

    def _picture(self, image) -> Picture:
        if isinstance(image, (str, bytes)) or hasattr(image, '__fspath__'):
            return self.network.read(image)
        pixels = pixels_of(image)
        return Picture(pixels, pixels.shape[1], pixels.shape[0])

    def __enter__(self) -> 'FewShotDetector':
        return self

    def __exit__(self, *_) -> None:
        self.close()


def load_network(source, overrides: Sequence = (), save_prefix: str = SAVE_PREFIX, **settings) -> FeatureNetwork:
    """source, overrides, save_prefix: see lib.api.Detector.load; settings: of FeatureNetwork."""
    with Detector.load(source, overrides, save_prefix) as detector:
        return FeatureNetwork(detector.config, detector.weights, **{'kind': KIND, **settings})


def score_objects(objects: Detections, features: np.ndarray, classifier: FewShotClassifier,
                  least_class: float = 0.0) -> Detections:
    """See FewShotDetector.scored; score = P(object) x P(class), boxes of a class that overlap by NMS are one."""
    if not len(objects):
        return objects.replace(label=objects.image)
    chances = classifier.of_objects(features)
    scores = objects.score[:, None] * chances
    label, row = np.nonzero((scores.T > LEAST_SCORE) & (chances.T >= least_class))
    every = objects.take(row).replace(label=label + 1, score=scores[row, label])
    return aggregate([every], [(-1, -1)], Suppression('hard', NMS, 0.5, 0.0), 0)
