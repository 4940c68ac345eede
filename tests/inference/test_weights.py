"""Which weights a test runs with: never others than those that were asked for."""
import json
import os

import pytest

from configs import load_config
from lib.inference.weights import find_weights
from lib.utils.errors import SniperError

NAMES = ['__background__', 'disc', 'box']


@pytest.fixture
def shipped(tmp_path):
    """Prefix of a shipped model."""
    prefix = str(tmp_path / 'models' / 'tiny')
    os.mkdir(str(tmp_path / 'models'))
    put(prefix + '-0000', NAMES)
    return prefix


def put(base, names=None):
    """Stand-ins for a checkpoint's files: only their names and the side file are looked at."""
    with open(base + '.params', 'wb'):
        pass
    if names:
        with open(base + '.json', 'w') as stream:
            json.dump({'classes': names}, stream)


def write_config(tmp_path, shipped, name='own.yml', base=''):
    """A configuration file that names the shipped model itself, or has a base that does."""
    path = str(tmp_path / name)
    with open(path, 'w') as stream:
        stream.write(f'_base_: {base}\nTRAIN: {{lr: 0.1}}\n' if base else
                     f'symbol: sniper_tiny\nTEST: {{SHIPPED_MODEL: {shipped}, TEST_EPOCH: 4}}\n')
    return path


def find(path, folder, *words, save_prefix='SNIPER'):
    return find_weights(load_config(path, words), str(folder), save_prefix)


def warned(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == 'WARNING']


def refusal(path, folder, *words, **more):
    with pytest.raises(SniperError) as error:
        find(path, folder, *words, **more)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_shipped_model_where_nothing_else_was_asked_for(tmp_path, shipped, caplog):
    """A folder that is not there, or empty, however it was set."""
    path = write_config(tmp_path, shipped)
    for folder in (tmp_path / 'nowhere', tmp_path):
        caplog.clear()
        found = find(path, folder, 'output_path', str(folder), 'dataset.dataset_path', 'elsewhere')
        assert (found.prefix, found.epoch, found.classes) == (shipped, 0, tuple(NAMES))
        assert f'the shipped model {shipped}-0000.params is taken, which knows disc, box' in caplog.text
        assert caplog.records[-1].levelname == 'WARNING'


@pytest.mark.parametrize('words', [('TEST.TEST_EPOCH', '9'), ('TEST.TEST_EPOCH', '4')])
def test_a_number_that_was_asked_for(tmp_path, shipped, words):
    text = refusal(write_config(tmp_path, shipped), tmp_path / 'out', *words)
    assert f'SNIPER-000{words[1]}.params do not exist' in text
    assert f'To take the shipped model {shipped} instead: leave out TEST.TEST_EPOCH)' in text


def test_a_number_that_a_program_has_set(tmp_path, shipped):
    config = load_config(write_config(tmp_path, shipped))
    config.TEST.TEST_EPOCH = 2
    with pytest.raises(SniperError, match='SNIPER-0002.params do not exist'):
        find_weights(config, str(tmp_path), 'SNIPER')


@pytest.mark.parametrize('name', ['SNIPER-0001', 'mine-0004', 'SNIPER-interrupted'])
def test_a_folder_with_any_checkpoint(tmp_path, shipped, name):
    put(str(tmp_path / name))
    text = refusal(write_config(tmp_path, shipped), tmp_path)
    assert 'set output_path to a folder without checkpoints' in text
    assert {'SNIPER-0001': 'there are epochs 1)', 'mine-0004': 'there are mine-0004.params',
            'SNIPER-interrupted': 'there are epochs interrupted)'}[name] in text


def test_a_prefix_that_was_asked_for(tmp_path, shipped):
    text = refusal(write_config(tmp_path, shipped), tmp_path / 'out', save_prefix='other')
    assert 'other-0004.params do not exist' in text and 'leave out --save_prefix' in text


def test_a_file_that_only_inherits_it(tmp_path, shipped, caplog):
    """Its own detector has other classes; by --set it is had all the same."""
    path = write_config(tmp_path, shipped, 'derived.yml', write_config(tmp_path, shipped))
    text = refusal(path, tmp_path / 'out')
    assert f'add --set TEST.SHIPPED_MODEL {shipped}, the file only inherits it' in text
    assert find(path, tmp_path / 'out', 'TEST.SHIPPED_MODEL', shipped).prefix == shipped
    assert 'is taken, which knows disc, box' in caplog.text


def test_no_shipped_model(tmp_path, shipped):
    path = write_config(tmp_path, shipped)
    assert 'the shipped model' not in refusal(path, tmp_path, 'TEST.SHIPPED_MODEL', '')
    assert 'the shipped model gone-0000.params is missing too' in refusal(path, tmp_path, 'TEST.SHIPPED_MODEL', 'gone')


def test_trained_weights_come_first(tmp_path, shipped):
    put(str(tmp_path / 'SNIPER-0004'), ['__background__', 'cell'])
    found = find(write_config(tmp_path, shipped), tmp_path)
    assert (found.prefix, found.epoch) == (str(tmp_path / 'SNIPER'), 4) and found.classes[1] == 'cell'


def test_weights_of_an_earlier_run(tmp_path, shipped, caplog):
    """Left in the folder by a version that did not set them aside, or the new run has saved nothing yet."""
    path = write_config(tmp_path, shipped)
    put(str(tmp_path / 'SNIPER-0004'))
    for side, current, said in (('a', 'b', True), ('a', 'a', False), ('a', None, False), (None, 'b', True)):
        caplog.clear()
        (tmp_path / 'SNIPER-0004.json').write_text(json.dumps({'classes': NAMES, **({'run': side} if side else {})}))
        (tmp_path / 'SNIPER-run.json').write_text(json.dumps({'run': current} if current else {}))
        find(path, tmp_path)
        assert ('SNIPER-0004.params is of an earlier training' in caplog.text) == said


def test_a_side_file_that_is_lost_or_of_another_file(tmp_path, shipped, caplog):
    """Then classes go by their place, or by what was written for other weights."""
    path, base = write_config(tmp_path, shipped), str(tmp_path / 'SNIPER-0004')
    put(base)
    with open(str(tmp_path / 'SNIPER-run.json'), 'w') as stream:
        json.dump({'run': 'now'}, stream)
    find(path, tmp_path)
    line, = warned(caplog)
    assert f'{base}.params has no side file {base}.json that names its classes' in line
    for size, expected in ((0, 0), (9, 1)):
        with open(base + '.json', 'w') as stream:
            json.dump({'classes': NAMES, 'run': 'now', 'files': {'params': [size, 0]}}, stream)
        caplog.clear()
        find(path, tmp_path)
        assert ['is not the file that was saved' in line for line in warned(caplog)] == [True] * expected


def test_values_that_training_had_otherwise(tmp_path, shipped, caplog):
    """Keys that change what the same arrays compute; other keys, and weights of elsewhere, are no matter."""
    path = write_config(tmp_path, shipped)
    put(str(tmp_path / 'SNIPER-0004'), NAMES)
    before = {'network.PIXEL_MEANS': [1.0, 2.0, 3.5], 'network.ANCHOR_RATIOS': [0.5, 1, 2], 'TRAIN.lr': 3, 'x': 1,
              'symbol': 'sniper_other', 'dataset.NUM_CLASSES': 9}
    for config, expected in ((before, ['--set network.PIXEL_MEANS [1.0,2.0,3.5]']), ([], []), (None, [])):
        with open(str(tmp_path / 'SNIPER-0004.json'), 'w') as stream:
            json.dump({'classes': NAMES, 'config': config}, stream)
        caplog.clear()
        find(path, tmp_path, 'network.ANCHOR_RATIOS', '[0.5,1.0,2]')
        assert [line.split('learnt: ')[1] for line in warned(caplog)] == expected


def test_a_side_file_of_another_program(tmp_path, shipped):
    path = write_config(tmp_path, shipped)
    for content in ('{"classes": "cat"}', '{"classes": [1, 2]}', '[]', '{'):
        put(str(tmp_path / 'SNIPER-0004'))
        (tmp_path / 'SNIPER-0004.json').write_text(content)
        assert find(path, tmp_path).classes == ()


def test_an_exported_network_that_is_missing(tmp_path, shipped):
    text = refusal(write_config(tmp_path, shipped), tmp_path, 'TEST.OPTIMIZED', str(tmp_path / 'gone'))
    assert 'gone-0000.json is missing or damaged' in text
