"""Where the files of a run lie."""
import os

from configs import load_config
from lib.weights.paths import existing_epochs, output_folder, params_path, results_folder


def test_folders_are_named_by_configuration_data_set_and_epoch():
    config = load_config(None, ['output_path', './output/x', 'dataset.image_set', 'train2014+val2014',
                                'dataset.test_image_set', 'minival2014+test2015', 'dataset.dataset', 'coco'])
    folder = os.path.join('./output/x', 'a_b', 'train2014_val2014')
    assert output_folder(config, 'configs/a_b.yml') == folder
    results = os.path.join(folder, 'results', 'coco_minival2014_test2015')
    assert results_folder(config, 'configs/a_b.yml', 'elsewhere/SNIPER', 7) == os.path.join(results, 'SNIPER-0007')
    assert output_folder(load_config(None, ['output_path', '']), 'c.yml').startswith('./output/c/')


def test_epochs_that_exist(tmp_path):
    prefix = str(tmp_path / 'S')
    for name in ('S-0002.params', 'S-0010.params', 'S-interrupted.params', 'T-0003.params', 'S-0004.json'):
        (tmp_path / name).write_text('')
    assert existing_epochs(prefix) == '2, 10'
    assert params_path(prefix, 10) == prefix + '-0010.params'
