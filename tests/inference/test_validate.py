"""Validations look at weights as main_test.py does, on the whole test set or a part of it."""
import glob
import json
import math
import os
import shutil

import numpy as np
import pytest

from configs import ConfigError, load_config
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset
from lib.inference.validate import Validator, chosen, flat_metrics
from lib.utils.errors import SniperError
from tests.conftest import ROOT
from tests.synthetic_folder import one_scale, synthetic_folder

CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
SHIPPED = os.path.join(ROOT, 'data', 'models', 'sniper_tiny')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Folder of a synthetic data set with three pictures to test on."""
    return synthetic_folder(tmp_path_factory, 1, 3)


def settings(scenes, output, *more):
    return one_scale(scenes, output, 'TRAIN.VALIDATE_EVERY', 'epoch', *more)


def validator(scenes, output, *more):
    with open(SHIPPED + '-0000.json') as stream:
        classes = json.load(stream)['classes']
    config = load_config(CONFIG, settings(scenes, output, *more))
    config.dataset.NUM_CLASSES = len(classes)
    return Validator(config, str(output / 'SNIPER'), classes)


def test_the_scores_are_those_of_a_test(scenes, tmp_path):
    import main_test
    assert main_test.main(['--cfg', CONFIG, '--set'] + settings(scenes, tmp_path)) == 0
    path, = glob.glob(str(tmp_path / '**' / '*_metrics.json'), recursive=True)
    with open(path) as stream:
        wanted = flat_metrics(json.load(stream))
    test = validator(scenes, tmp_path)
    for _ in range(2):
        found = test(SHIPPED, '0000')
        assert found.metrics == wanted and found.metrics['AP'] > 0.2
        assert (found.metric, found.images, found.unreadable) == ('AP', 3, 0)


def test_a_part_and_pictures_that_cannot_be_read(scenes, tmp_path, caplog):
    data = shutil.copytree(scenes, str(tmp_path / 'data'))
    test = validator(data, tmp_path, 'TRAIN.VALIDATE_IMAGES', '2', 'TRAIN.VALIDATE_METRIC', 'AP50')
    pictures = [str(record['image']) for record in test._roidb]
    whole = test(SHIPPED, '0000')
    assert (whole.metric, whole.images, whole.unreadable) == ('AP50', 2, 0) and whole.metrics['AP50'] > 0.2
    with open(pictures[0], 'w') as stream:
        stream.write('no picture')
    found = test(SHIPPED, '0000')
    assert found.unreadable == 1 and 0 < found.metrics['AP50'] < whole.metrics['AP50']
    assert pictures[0] in caplog.text
    os.remove(pictures[1])
    with pytest.raises(SniperError, match='none of the 2 images can be read'):
        test(SHIPPED, '0000')


def found_all(dataset, numbers):
    """Its objects as detections, those of the images `numbers` alone, which are 0, 1, ... then."""
    truth = dataset.truth()
    kept = np.isin(truth.image, numbers)
    rows = np.column_stack([truth.box, np.ones(len(truth.box)), truth.label])[kept]
    return Detections.from_rows(np.searchsorted(numbers, truth.image[kept]), rows.astype(np.float32))


def test_a_part_of_a_data_set_is_scored_alone(scenes, tmp_path):
    from lib.dataset.pascal_voc import PascalVocDataset
    from tests.dataset.voc_folder import make_part, xml
    coco, _ = load_test_dataset(load_config(CONFIG, settings(scenes, tmp_path)))
    make_part(str(tmp_path / 'VOC'), {name: xml(('cat', 10, 12, 40, 50)) for name in 'abc'}, {'test': 'abc'})
    voc = PascalVocDataset('test', str(tmp_path), str(tmp_path / 'VOC'))
    voc.roidb()
    for dataset, metric in ((coco, 'AP'), (voc, 'AP50_present')):
        detections = found_all(dataset, [0, 2])
        part = dataset.part([0, 2])
        assert part.evaluate(detections, str(tmp_path / 'part'))[metric] > 0.999
        assert dataset.evaluate(detections, str(tmp_path / 'whole'))[metric] < 0.9
        assert set(part.truth().image) == {0, 1} and len(part.image_ids) == 2


def test_what_cannot_be_validated_is_said_before_training(scenes, tmp_path):
    for more, error, message in (
            (('TRAIN.VALIDATE_METRIC', 'mAP'), ConfigError, "'mAP' is unknown; SYNTHETIC_val gives AP, AP50"),
            (('dataset.test_image_set', 'test-dev'), SniperError, 'nothing is annotated in the 1 images'),
            (('dataset.test_image_set', 'nowhere'), SniperError, 'nowhere'),
            (('TRAIN.ONLY_PROPOSAL', 'True'), ConfigError, 'wants detections')):
        with pytest.raises(error, match=message):
            validator(scenes, tmp_path, *more)


def test_proposals_are_validated_as_such(scenes, tmp_path):
    found = validator(scenes, tmp_path, 'TRAIN.ONLY_PROPOSAL', 'True', 'TEST.ONLY_PROPOSAL', 'True',
                      'TRAIN.VALIDATE_METRIC', 'recall50.all.100')(SHIPPED, '0000')
    assert found.metric == 'recall50.all.100' and found.metrics[found.metric] > 0.5
    assert 'average_recall.side_16_32.10' in found.metrics and 'AP50_11point' in found.metrics


def test_autofocus(tmp_path):
    """A scale on chips alone: the detections of a test; fewer where no cell is a FocusPixel."""
    import main_test
    from tests.inference import tiny_data
    from tests.inference.random_weights import write_checkpoint
    folder = str(tmp_path)
    tiny_data.write_data(os.path.join(folder, 'data'))
    overrides = tiny_data.settings(folder, SCALES='[(48, 64), (96, 128)]', VALID_RANGES='[(-1, -1), (-1, -1)]',
                                   AUTO_FOCUS=True, DO_PRUNING='[False, True]',
                                   CHIP_HYPERPARAMS='[(1, 0.5, 1), (-1, -1, -1)]')
    weights = write_checkpoint(load_config(tiny_data.CONFIG, overrides), tiny_data.CONFIG, tiny_data.CLASSES)
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + overrides) == 0
    with np.load(tiny_data.results(folder, 'dets_final', 'detections.npz'), allow_pickle=False) as found:
        wanted = found['rows']
    prefix, validated = weights[:-len('-0001.params')], []
    for threshold in (0.5, 1.0):
        config = load_config(tiny_data.CONFIG, overrides + ['TEST.CHIP_HYPERPARAMS',
                                                            f'[(1, {threshold}, 1), (-1, -1, -1)]'])
        config.dataset.NUM_CLASSES = len(tiny_data.CLASSES)
        test = Validator(config, prefix, tiny_data.CLASSES)
        evaluate = test._dataset.evaluate
        test._dataset.evaluate = lambda detections, folder: validated.append(detections) or evaluate(detections, folder)
        found = test(prefix, '0001')
        assert found.metrics['AP'] >= 0 and math.isnan(found.metrics['APl'])    # no object is large
    whole, coarse = validated
    np.testing.assert_allclose(np.column_stack([whole.box, whole.score]), wanted[:, :5], rtol=1e-4, atol=1e-4)
    assert 0 < len(coarse.box) < len(wanted)


def test_chosen_images_are_always_the_same():
    assert chosen(5, 0).tolist() == chosen(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert len(set(chosen(1000, 100))) == 100 and (chosen(1000, 100) == chosen(1000, 100)).all()
    assert (np.diff(chosen(1000, 100)) > 0).all() and chosen(1000, 100)[-1] > 900
