"""main_test.py and demo.py on data in PASCAL VOC's format, with sniper_tiny of random weights."""
import os
import shutil

import numpy as np
import pytest

import demo
import main_test
from lib.dataset.voc_classes import PASCAL_VOC
from tests.dataset.voc_folder import make_part, write, xml
from tests.inference import tiny_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The images of tiny_data in both forms; weights that know (cat, dog), a VOC folder that says (dog, cat)."""
    path = str(tmp_path_factory.mktemp('voc'))
    tiny_data.write_all(path)
    annotations = {f'picture{number}': xml(('cat', 6, 7, 35, 46), ('dog', 40, 40, 60, 60), size=size)
                   for number, size in enumerate(tiny_data.SIZES)}
    voc = make_part(os.path.join(path, 'voc'), annotations, {'val': sorted(annotations)}, image_files=False)
    shutil.copytree(os.path.join(path, 'data', 'images', 'val'), os.path.join(voc, 'JPEGImages'))
    write(os.path.join(voc, 'classes.txt'), 'dog\ncat\n')
    return path


def run_test(folder, place, *overrides):
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(folder) + list(overrides)) == 0
    with np.load(tiny_data.results(folder, 'dets_final', 'detections.npz', dataset=place)) as file:
        images = np.repeat(np.arange(len(file['rows_per_image'])), file['rows_per_image'])
        names = file['classes'][file['rows'][:, 5].astype(int)]
        return sorted((image, str(name)) + tuple(row) for image, name, row
                      in zip(images.tolist(), names, file['rows'][:, :5].tolist()))


def test_the_same_detections_in_both_forms(folder, capsys):
    one = run_test(folder, 'coco_val')
    other = run_test(folder, 'PascalVOC_val', 'dataset.dataset', 'PascalVOC', 'dataset.dataset_path',
                     os.path.join(folder, 'voc'))
    assert one == other and {row[1] for row in one} == {'cat', 'dog'}
    log = capsys.readouterr().err
    assert 'has the classes of the data set in another order; they are matched by name' in log
    assert 'mean AP at IoU 0.5 = ' in log and 'mean AP at IoU 0.7 = ' in log
    results = tiny_data.results(folder, 'VOC', 'Main', dataset='PascalVOC_val')
    assert sorted(os.listdir(results)) == ['comp4_det_val_cat.txt', 'comp4_det_val_dog.txt', 'metrics_val.json']
    with open(os.path.join(results, 'comp4_det_val_cat.txt')) as stream:
        assert len(stream.readlines()) == sum(row[1] == 'cat' for row in one)


def test_the_original_class_names_in_the_demo(folder, tmp_path, capsys):
    """Weights without a side file, 21 classes: the names of the development kit."""
    classes = ('__background__',) + tuple(f'c{number}' for number in range(20))
    tiny_data.write_all(str(tmp_path), classes)
    side_file = os.path.join(str(tmp_path), 'out', 'sniper_tiny_e2e', 'train', 'SNIPER-0001.json')
    os.remove(side_file)
    image = shutil.copy(os.path.join(folder, 'voc', 'JPEGImages', 'picture0.png'), str(tmp_path))
    assert demo.main(['--cfg', tiny_data.CONFIG, '--im_path', image, '--set'] + tiny_data.settings(
        str(tmp_path), VIS_THRESH=0.0) + ['dataset.dataset', 'PascalVOC', 'dataset.NUM_CLASSES', '21']) == 0
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert rows and {row.split()[0] for row in rows} <= set(PASCAL_VOC)
