"""Where the files of a run lie."""
import os

from configs import load_config
from lib.weights.paths import existing_epochs, misread_prefix, output_folder, params_path, results_folder


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
    for name in ('S-0002.params', 'S-0010.params', 'S-0010-ema.params', 'S-best.params', 'S-iter1000.params',
                 'S-iter900.params', 'S-interrupted.params', 'T-0003.params', 'S-0004.json', 'S-validated.params'):
        (tmp_path / name).write_text('')
    assert existing_epochs(prefix) == '2, 10, 10-ema, best, interrupted, iter900, iter1000'
    for epoch, tag in ((7, '0007'), ('7-ema', '0007-ema'), ('best', 'best'), ('interrupted', 'interrupted')):
        assert params_path(prefix, epoch) == f'{prefix}-{tag}.params'
    assert params_path(prefix, 10) == prefix + '-0010.params'


def test_a_prefix_that_is_no_prefix(tmp_path):
    prefix, network = str(tmp_path / 'vgg'), 'm2det'
    assert misread_prefix(prefix, network) == ''
    (tmp_path / 'vgg.pth').write_bytes(b'')
    (tmp_path / 'vgg-0007.params').write_bytes(b'')
    for given in (prefix, prefix + '.pth'):
        assert f'python -m lib.weights.convert {prefix}.pth --network m2det' in misread_prefix(given, network)
    assert misread_prefix(f'{prefix}-0007.params', network) == (
        f'; a prefix is wanted, {prefix}, and the number 7 in a key of its own')
