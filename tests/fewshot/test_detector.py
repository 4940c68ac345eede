"""Detection of learnt classes: P(object) x P(class), on boxes that no class changes."""
import cv2
import numpy as np
import pytest

from lib.api import NotAnImage
from lib.bbox import bbox_overlaps
from lib.fewshot import FewShotDetector
from lib.fewshot.detector import LEAST_SCORE, NMS
from lib.image import Picture
from lib.image.file import ImageFile
from lib.utils.errors import SniperError
from tests.fewshot import pictures
from tests.fewshot.conftest import CONFIG, SMALL
from tests.fewshot.pictures import write_classes


@pytest.fixture(scope='module')
def detector(shapes, tmp_path_factory):
    output = ['output_path', str(tmp_path_factory.mktemp('nothing'))]
    with FewShotDetector.learn(shapes, CONFIG, SMALL + output) as detector:
        yield detector


PLACES = {'ring': (12, 18, 50, 56), 'box': (78, 30, 116, 68)}


@pytest.fixture(scope='module')
def scene():
    """A ring and a box."""
    return pictures.scene(PLACES, 4, (90, 130))


def test_the_shapes_are_found(detector, scene):
    found = detector.detect(scene)
    assert detector.classes == found.classes == ('__background__', 'box', 'disc', 'ring')
    assert found.sizes == ((130, 90),) and (found.score >= LEAST_SCORE).all()
    for name, place in PLACES.items():
        of_class = found.of_class(found.classes.index(name))
        best = of_class.box[np.argmax(of_class.score)]
        assert bbox_overlaps(best[None], np.array([place], np.float32))[0, 0] > 0.6, name


def test_scores_are_products(detector, scene):
    objects, features = detector.network.objects(Picture(scene, 130, 90))
    chances = detector.classifier.of_objects(features)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    found = detector.detect(scene)
    for box, label, score in zip(found.box, found.label, found.score):
        row = np.flatnonzero((objects.box == box).all(axis=1))[0]
        assert score == pytest.approx(objects.score[row] * chances[row, label - 1], rel=1e-5)
    for _, of_class in found.by_class():
        overlaps = bbox_overlaps(of_class.box, of_class.box)
        assert (overlaps[~np.eye(len(overlaps), dtype=bool)] <= NMS + 1e-6).all()


def test_objects_are_the_same_with_more_classes(detector, scene, tmp_path):
    """Boxes and P(object) to the last bit, and labels of old classes."""
    other = FewShotDetector(detector.network, detector.classifier)
    before = detector.network.objects(Picture(scene, 130, 90))
    other.add(write_classes(tmp_path, ['wedge'], 3))
    after = other.network.objects(Picture(scene, 130, 90))
    assert other.classes == detector.classes + ('wedge',) and len(before[0]) > 1
    for name in ('box', 'score', 'image', 'label'):
        np.testing.assert_array_equal(getattr(before[0], name), getattr(after[0], name))
    np.testing.assert_array_equal(before[1], after[1])
    assert 4 not in detector.detect(scene).label


def test_a_picture_does_not_depend_on_others(detector, scene, tmp_path):
    path = str(tmp_path / 'scene.png')
    cv2.imwrite(path, scene)
    grey = np.full((200, 90, 3), 90, np.uint8)
    alone, both = detector.detect(path), detector.detect([grey, scene])
    np.testing.assert_array_equal(alone.box, both.of_image(1).box)
    np.testing.assert_array_equal(alone.score, both.of_image(1).score)
    np.testing.assert_allclose(detector.classify([grey, scene])[1], detector.classify(scene)[0], rtol=1e-4, atol=1e-6)


def test_what_is_none_of_the_classes(detector, scene):
    objects, features = detector.network.objects(Picture(scene, 130, 90))
    best = detector.classifier.of_objects(features).max(axis=1)
    between = float(best.min() + best.max()) / 2
    found = FewShotDetector(detector.network, detector.classifier, least_class=between).detect(scene)
    sure = {tuple(box) for box in objects.box[best >= between].tolist()}
    assert 0 < len(sure) < len(objects) and {tuple(box) for box in found.box.tolist()} <= sure


def test_from_a_file(detector, scene, tmp_path):
    path = str(tmp_path / 'shapes.npz')
    detector.save(path)
    with FewShotDetector.load(path, CONFIG, SMALL + ['output_path', str(tmp_path)]) as again:
        np.testing.assert_array_equal(again.detect(scene).score, detector.detect(scene).score)
    with pytest.raises(SniperError, match='was learnt with other pixels than'):
        FewShotDetector.load(path, CONFIG, SMALL + ['TEST.SCALES', '[2x]', 'output_path', str(tmp_path)])


def test_what_is_no_image(detector):
    with pytest.raises(NotAnImage, match='8 bits|uint8'):
        detector.detect(np.zeros((4, 4, 3), float))
    with pytest.raises(SniperError, match='gone.jpg cannot be read'):
        detector.detect('gone.jpg')


def test_a_picture_is_decoded_once_and_reduced(network, tmp_path, monkeypatch):
    """Its views at half its size need no more pixels."""
    cv2.imwrite(str(tmp_path / 'large.jpg'), np.full((90, 130, 3), 99, np.uint8))
    cv2.imwrite(str(tmp_path / 'large.png'), np.full((90, 130, 3), 99, np.uint8))
    monkeypatch.setattr(network.config.TEST, 'SCALES', [0.5])
    monkeypatch.setattr(network.config.TEST, 'REDUCED_DECODE', True)
    asked = []
    decode = ImageFile._decode
    monkeypatch.setattr(ImageFile, '_decode', lambda file, wanted: asked.append(wanted) or decode(file, wanted))
    read = [network.read(str(tmp_path / name)) for name in ('large.jpg', 'large.png')]
    assert asked == [2, 1] == [picture.reduction for picture in read]
    assert [(picture.width, picture.height) for picture in read] == [(130, 90)] * 2
