"""main_train.py from end to end: `sniper_tiny` on six generated images, stopped in every way there is."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from configs import flat_config, load_config
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays, write_arrays
from tests.conftest import ROOT
from tests.synthetic_folder import synthetic_folder

CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Folder of a synthetic data set with six training images."""
    return synthetic_folder(tmp_path_factory, 6)


def arguments(images, output, *settings, resume=False):
    flags = ['--cfg', CONFIG, '--display', '1', '--save_prefix', 'T'] + (['--resume'] if resume else [])
    return flags + ['--set', 'output_path', str(output), 'dataset.dataset_path', images, 'TRAIN.MAX_BATCHES', '3',
                    'TRAIN.BATCH_IMAGES', '2', 'TRAIN.end_epoch', '2', 'TRAIN.NUM_PROCESS', '0', 'gpus', 'cpu',
                    'dataset.root_path', str(output)] + list(settings)


def train(*args, **kwargs):
    import main_train
    return main_train.main(arguments(*args, **kwargs))


def folder(output):
    return os.path.join(str(output), 'sniper_tiny_e2e', 'train')


def assert_same_end(first, second):
    for suffix in ('params', 'states'):
        one, other = (read_arrays(os.path.join(folder(output), 'T-0002.' + suffix)) for output in (first, second))
        assert one.keys() == other.keys()
        differing = [name for name in one if one[name].tobytes() != other[name].tobytes()]
        assert not differing


@pytest.fixture(scope='module')
def straight(images, tmp_path_factory):
    """Output path of an uninterrupted run."""
    output = tmp_path_factory.mktemp('straight')
    assert train(images, output) == 0
    return output


def test_files_and_log(straight):
    names = sorted(os.listdir(folder(straight)))
    assert [name for name in names if name.startswith('T-') and 'metrics' not in name] == [
        'T-0001.json', 'T-0001.params', 'T-0001.states', 'T-0002.json', 'T-0002.params', 'T-0002.states',
        'T-run.json', 'T-symbol.json']
    log, = glob.glob(os.path.join(folder(straight), 'sniper_tiny_e2e_*.log'))
    text = open(log).read()
    for part in (log[:-len('log')] + 'yml (--set output_path ', ', TRAIN.MAX_BATCHES 3, ',
                 'training from scratch', 'Epoch 2/2 batch 3/3', 'chips/s',
                 'RCNNL1LossCRCNN', 'RPNLogLoss', 'left 0:00', 'What the network sees\n    pictures           6: '):
        assert part in text, part
    with open(os.path.join(folder(straight), 'T-0002.json')) as stream:  # what a test compares its scales with
        seen = json.load(stream)['seen']
    assert [scale['scale'] for scale in seen['scales']] == ['2x', '1x', '256px'] and len(seen['sizes']) == 21


def test_the_configuration_is_in_a_file_that_loads_again(images, straight):
    path, = glob.glob(os.path.join(folder(straight), 'sniper_tiny_e2e_*.yml'))
    settings = arguments(images, straight)
    wanted = load_config(CONFIG, settings[settings.index('--set') + 1:])
    wanted.dataset.NUM_CLASSES = 7  # the data set's
    assert flat_config(load_config(path)) == flat_config(wanted)
    text = open(path).read()
    assert '# MXNet: 1.9.1\n' in text and '# OMP_NUM_THREADS: ' in text
    log, = glob.glob(os.path.join(folder(straight), '*.log'))
    assert len(open(log).read().splitlines()) < 40


def test_parameters_moved_and_are_finite(straight):
    first, second = (read_arrays(os.path.join(folder(straight), f'T-000{epoch}.params')) for epoch in (1, 2))
    assert any(not np.array_equal(first[name], second[name]) for name in first if name.startswith('aux:'))
    weights = [name for name in first if name.startswith('arg:') and name.endswith('_weight')]
    unmoved = [name for name in weights if np.array_equal(first[name], second[name])]
    assert not unmoved
    np.testing.assert_allclose(second['arg:bbox_pred_weight_test'],
                               second['arg:bbox_pred_weight'] * np.array([[.1], [.1], [.2], [.2]]), rtol=1e-6)


def test_validations_change_nothing_and_find_what_a_test_finds(images, straight, tmp_path, capsys):
    import main_test
    watched = ('TRAIN.VALIDATE_EVERY', '2', 'TRAIN.EMA', '0.5', 'TEST.SCALES', '[256px]', 'TEST.VALID_RANGES',
               '[[-1, -1]]', 'TEST.BATCH_IMAGES', '[1]')
    assert train(images, tmp_path, *watched) == 0
    assert_same_end(straight, tmp_path)
    assert 'Validation on 1 of the 1 images of SYNTHETIC_val, by AP' in capsys.readouterr().err
    with open(os.path.join(folder(tmp_path), 'T-best.json')) as stream:
        validation = json.load(stream)['validation']
    command = arguments(images, tmp_path, *watched, 'TEST.TEST_EPOCH', 'best', 'TEST.NUM_PROCESS', '0')
    command.remove('--display')
    command.remove('1')
    assert main_test.main(command) == 0
    path, = glob.glob(os.path.join(folder(tmp_path), 'results', '*', 'T-best', '*_metrics.json'))
    with open(path) as stream:
        found = json.load(stream)
    assert {name: found[name] for name in ('AP', 'AR100')} == {name: validation['metrics'][name]
                                                               for name in ('AP', 'AR100')}


def test_weighted_scales_resume_exactly_in_the_middle_of_an_epoch(images, straight, tmp_path, monkeypatch):
    from lib.train.saving import Saver
    weights = ('TRAIN.SCALE_WEIGHTS', '[0.5, 1.0, 2.0]')
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    assert train(images, whole, *weights) == 0
    with pytest.raises(AssertionError):     # they do change what is trained on
        assert_same_end(straight, whole)
    with monkeypatch.context() as patched:
        patched.setattr(Saver, 'after_update', lambda self, batch: batch.step == 4 and os.kill(os.getpid(),
                                                                                              signal.SIGTERM))
        assert train(images, parts, *weights) == 143
    assert os.path.exists(os.path.join(folder(parts), 'T-interrupted.params'))
    assert train(images, parts, *weights, resume=True) == 0
    assert_same_end(whole, parts)


def test_categories_in_another_order_resume_exactly(images, straight, tmp_path, capsys):
    """The data are exported anew between two epochs: other ids, the reverse order, one name spelt otherwise."""
    data = shutil.copytree(images, str(tmp_path / 'data'))
    path = os.path.join(data, 'annotations', 'instances_train.json')
    with open(path) as stream:
        content = json.load(stream)
    content['categories'] = [dict(category, id=100 + category['id'], name=category['name'].replace('disc', 'Disc'))
                             for category in reversed(content['categories'])]
    for annotation in content['annotations']:
        annotation['category_id'] += 100
    with open(path, 'w') as stream:
        json.dump(content, stream)
    shutil.copytree(folder(straight), folder(tmp_path / 'out'), ignore=lambda *_: ['T-0002.params', 'T-0002.states',
                                                                                   'T-0002.json'])
    assert train(data, tmp_path / 'out', resume=True) == 0
    assert_same_end(straight, tmp_path / 'out')
    log = capsys.readouterr().err
    assert 'spelt differently (Disc is disc); the classes of the data set came in another order' in log
    assert 'another than that of the checkpoint' not in log and 'An epoch had' not in log


@pytest.mark.parametrize('number, status, moment', [(signal.SIGTERM, 143, 'Epoch 1/2 batch 1/3'),
                                                    (signal.SIGKILL, -9, 'Epoch 2/2 batch 1/3')])
def test_stopped_process_resumes_exactly(images, straight, tmp_path, number, status, moment):
    process = subprocess.Popen([sys.executable, 'main_train.py'] + arguments(images, tmp_path), cwd=ROOT,
                               stderr=subprocess.PIPE, universal_newlines=True)
    for line in process.stderr:
        if moment in line:
            process.send_signal(number)
            break
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == status, rest
    assert train(images, tmp_path, resume=True) == 0
    assert_same_end(straight, tmp_path)
    assert not [name for name in os.listdir(folder(tmp_path)) if 'tmp' in name or 'interrupted' in name]


def test_non_finite_loss_names_the_images(images, tmp_path):
    with pytest.raises(SniperError, match=r'not finite .*epoch 1, batch \d, images .*\.(jpg|png)'):
        train(images, tmp_path, 'TRAIN.lr', '1e30', 'TRAIN.warmup', 'False')
    assert not glob.glob(os.path.join(folder(tmp_path), '*.params'))


def test_pretrained_that_does_not_fit(images, straight, tmp_path):
    arrays = read_arrays(os.path.join(folder(straight), 'T-0002.params'))
    dropped = sorted(name for name in arrays if name.startswith('aux:'))[0]
    del arrays[dropped]
    with open(str(tmp_path / 'weights-0000.params'), 'wb') as stream:
        write_arrays(stream, arrays)
    prefix = str(tmp_path / 'weights')
    with pytest.raises(SniperError, match=fr'1 parameter is missing \({dropped[4:]}\)'):
        train(images, tmp_path, 'network.pretrained', prefix)
    with pytest.raises(SniperError, match='weights-0005.params do not exist'):
        train(images, tmp_path, 'network.pretrained', prefix, 'network.pretrained_epoch', '5')


def test_mistakes_are_one_line_and_status_1(images, tmp_path, capsys):
    import main_train
    from lib import cli
    for settings, message in ((('gpus', '7'), 'GPU 7'), (('TRAIN.fp16', 'True'), '--set TRAIN.fp16 False'),
                              (('TRAIN.USE_NEG_CHIPS', 'True'), 'train_neg_props_and_sniper.sh'),
                              (('symbol', 'nonsense'), 'sniper_tiny'), (('TRAIN.lrr', '1'), 'TRAIN.lr'),
                              (('output_path', CONFIG), 'cannot write the log file')):
        with pytest.raises(SystemExit) as leaving:
            cli.run(main_train.main, arguments(images, tmp_path, *settings))
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
        assert leaving.value.code == 1 and len(errors) == 1 and message in errors[0]


def without(key):
    return lambda content: content.update({key: []})


def far_away(content):
    for annotation in content['annotations']:
        annotation['bbox'] = [-90, -90, 20, 20]


def unknown_category(content):
    for annotation in content['annotations']:
        annotation['category_id'] = 99


@pytest.mark.parametrize('spoil, message', [
    (None, 'is missing'), (b'', 'is it empty or cut short?'), (b'{"images": [', 'is not valid JSON'),
    (without('images'), 'lists no images'), (without('annotations'), 'no image of train has an object'),
    (without('categories'), 'lists no categories'), (far_away, 'boxes lie outside their images'),
    (unknown_category, 'have a category_id that is not among the categories')])
def test_unusable_annotation_file(images, tmp_path, capsys, spoil, message):
    import main_train
    from lib import cli
    data = shutil.copytree(images, str(tmp_path / 'data'))
    path = os.path.join(data, 'annotations', 'instances_train.json')
    if spoil is None:
        os.remove(path)
    elif isinstance(spoil, bytes):
        with open(path, 'wb') as stream:
            stream.write(spoil)
    else:
        with open(path) as stream:
            content = json.load(stream)
        spoil(content)
        with open(path, 'w') as stream:
            json.dump(content, stream)
    with pytest.raises(SystemExit) as leaving:
        cli.run(main_train.main, arguments(data, tmp_path / 'out'))
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert leaving.value.code == 1 and len(errors) == 1 and message in errors[0]
    assert not glob.glob(os.path.join(folder(tmp_path / 'out'), 'T-*'))


def test_broken_images_and_boxes_are_counted_and_training_goes_on(images, tmp_path, capsys):
    data = shutil.copytree(images, str(tmp_path / 'data'))
    names = sorted(glob.glob(os.path.join(data, 'images', 'train', '*')))
    os.remove(names[0])
    os.truncate(names[1], 2000)
    with open(names[2], 'w') as stream:
        stream.write('not an image')
    path = os.path.join(data, 'annotations', 'instances_train.json')
    with open(path) as stream:
        content = json.load(stream)
    content['annotations'][0]['bbox'] = [9999, 0, 5, 5]
    content['annotations'][1]['bbox'] = [5, 5, 0, 0]
    with open(path, 'w') as stream:
        json.dump(content, stream)
    assert train(data, tmp_path, 'TRAIN.MAX_BATCHES', '0', 'TRAIN.BATCH_IMAGES', '8', 'TRAIN.end_epoch', '1') == 0
    text = capsys.readouterr().err
    for part in ('1 of 6 image files are missing, training goes on without them: ' + names[0],
                 f'image {names[1]} is cut short', f'image {names[2]} is damaged or not an image',
                 'samples were replaced because of 2 broken images',
                 'instances_train.json: 2 boxes lie outside their image or have no area and are left out'):
        assert part in text, part


def test_proposal_training(images, tmp_path):
    assert train(images, tmp_path, 'TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.end_epoch', '1') == 0
    names = read_arrays(os.path.join(folder(tmp_path), 'T-0001.params'))
    assert 'arg:rpn_cls_score_weight' in names and 'arg:bbox_pred_weight' not in names


def test_importing_the_program_does_not_import_mxnet():
    code = 'import sys, main_train; sys.exit(any(name.split(".")[0] == "mxnet" for name in sys.modules))'
    assert subprocess.call([sys.executable, '-c', code], cwd=ROOT) == 0
