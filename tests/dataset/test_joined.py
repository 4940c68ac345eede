"""Several folders of any format as one data set, by the names of their classes."""
import json
import logging

import numpy as np
import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset, load_training_roidb
from lib.dataset.parts import source_paths
from lib.dataset.proposals import ProposalSet, write_proposals
from lib.utils.errors import SniperError
from lib.weights.paths import output_folder
from tests.dataset.formats import folders
from tests.dataset.voc_folder import write


@pytest.fixture
def sources(tmp_path):
    """YOLO's names are ball, egg, rod; the VOC folder has rods and cups alone."""
    folders.yolo(tmp_path / 'yolo')
    folders.voc(tmp_path / 'voc')
    (tmp_path / 'voc' / 'classes.txt').unlink()
    for stem in folders.SIZES:
        text = folders.voc_text(stem).replace('>egg<', '>cup<').replace('>ball<', '>Rod<')
        write(tmp_path / 'voc' / 'Annotations' / f'{stem}.xml', text.replace('>rod<', '>Rod<'))
    return str(tmp_path / 'yolo'), str(tmp_path / 'voc')


def config_of(path, image_set='val', **more):
    pairs = [word for name, value in more.items() for word in (name.replace('__', '.'), value)]
    return load_config(overrides=['dataset.dataset', 'auto', 'dataset.dataset_path', path, 'dataset.image_set',
                                  image_set, 'dataset.test_image_set', image_set, 'dataset.NUM_CLASSES', '0',
                                  'TRAIN.USE_NEG_CHIPS', 'False', 'TRAIN.FLIP', 'False', 'TRAIN.BACKGROUND_IMAGES', '0',
                                  *pairs])


def test_trained_together(sources, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        roidb, classes = load_training_roidb(config_of('+'.join(sources)))
    assert classes == ('__background__', 'ball', 'egg', 'rod', 'cup')
    labels = [sorted(record['gt_classes'].tolist()) for record in roidb]
    assert labels == [[1, 3], [2], [1, 2]] + [[3, 3], [4], [3, 4]]
    assert f'joined by the names of their classes: {sources[0]} (val, 4 pictures), {sources[1]} (val, 4' in caplog.text
    assert f'only {sources[0]} labels ball, egg: ' in caplog.text
    assert f'only {sources[1]} labels cup: ' in caplog.text
    in_file = tmp_path / 'two.yml'
    in_file.write_text(f'dataset:\n  dataset_path: {json.dumps(sources)}\n')
    assert load_config(str(in_file)).dataset.dataset_path == '+'.join(sources)


def test_classes_chosen_for_all(sources, caplog):
    roidb, classes = load_training_roidb(config_of('+'.join(sources), dataset__CLASSES='["stick = rod + cup"]'))
    assert classes == ('__background__', 'stick') and len(roidb) == 4
    assert 'only ' not in caplog.text


def test_tested_together(sources, tmp_path):
    dataset, roidb = load_test_dataset(config_of('+'.join(sources), 'val, all'))
    assert dataset.name == 'yolo_YOLO_val_and_voc_PASCALVOC_all' and len(roidb) == 8
    assert [record['image_id'] for record in roidb] == dataset.image_ids == sorted(dataset.image_ids)
    truth = dataset.truth()
    everything = Detections.from_rows(truth.image.tolist(), [[*box, 0.9, label] for box, label in zip(
        truth.box.tolist(), truth.label.tolist())])
    assert dataset.evaluate(everything, str(tmp_path / 'results'))['AP'] == pytest.approx(1)
    one_source = everything.take([number for number, image in enumerate(everything.image.tolist()) if image >= 4])
    metrics = dataset.evaluate(one_source, str(tmp_path / 'results'))
    assert metrics['per_class']['ball'] == 1 and metrics['per_class']['cup'] == 0
    assert metrics['per_class']['rod'] == pytest.approx(0.25, abs=0.02)     # one of four is in the first folder
    with open(tmp_path / 'results' / 'detections_joined_results.json', encoding='utf-8') as stream:
        assert {result['image_id'].split('/')[0] for result in json.load(stream)} == {'yolo_YOLO_val'}


def test_which_sets_of_which_folder(sources):
    both = '+'.join(sources)
    assert output_folder(config_of(both, 'train+val, all'), 'x.yml').endswith('/train_val_all')
    with pytest.raises(SniperError, match='3 entries between commas, and dataset_path 2 folders'):
        load_training_roidb(config_of(both, 'a,b,c'))
    with pytest.raises(SniperError, match='has an empty part'):
        load_training_roidb(config_of(both, 'val,'))
    with pytest.raises(SniperError, match='has an empty part'):
        source_paths('a++b')


@pytest.mark.parametrize('image_set, warned', [('val+val', True), ('val+all', False)])
def test_a_set_given_twice(sources, caplog, image_set, warned):
    roidb = load_training_roidb(config_of(sources[0], image_set))[0]
    said = f"dataset.image_set names a set more than once, and its pictures are trained on as often: {sources[0]}/val"
    assert len(roidb) == 6 and (said in caplog.text) == warned
    dataset, roidb = load_test_dataset(config_of(sources[0], image_set))
    assert len(roidb) == len(set(dataset.image_ids)) == (4 if warned else 8)
    assert ('are tested once' in caplog.text) == warned


def test_a_plus_in_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c++').mkdir()
    (tmp_path / 'd').mkdir()
    assert source_paths('c++') == ['c++'] and source_paths('c+++d') == ['c++', 'd']
    assert source_paths('d+c++') == ['d', 'c++'] and source_paths('absent') == ['absent']


def test_proposals_of_sets_that_were_tested_as_one(sources, tmp_path):
    """Each finds its own among them."""
    config = config_of('+'.join(sources), 'val, all', proposal_path=str(tmp_path))
    dataset, roidb = load_test_dataset(config)
    rows = [[[number, 5, 60, 45, 0.5]] for number in range(len(roidb))]
    write_proposals(str(tmp_path / f'{dataset.name}_rpn.npz'), ProposalSet.from_images(
        [np.array(of_image, np.float32) for of_image in rows], dataset.image_ids))
    config.TRAIN.USE_NEG_CHIPS = True
    records, _ = load_training_roidb(config)
    left = [int(record['proposals'][0, 0]) for record in records]
    ids = [dataset.image_ids[number] for number in left]
    assert ids == [f'{name}/{record["image_id"]}' for name, record in zip(
        ['yolo_YOLO_val'] * 3 + ['voc_PASCALVOC_all'] * 3, records)]
    with pytest.raises(SniperError, match='there is no proposal file .*/YOLO_val_rpn.npz'):
        load_training_roidb(config_of(sources[0], proposal_path=str(tmp_path), TRAIN__USE_NEG_CHIPS='True'))
