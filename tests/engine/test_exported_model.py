"""Networks on disk, and the programs that write and run them."""
import errno
import importlib.util
import os

import numpy as np
import pytest

import main_test
from lib.cli import run
from lib.engine.exported_model import load_exported, read_facts, write_exported
from lib.engine.fold import fold_batch_norms
from lib.utils.errors import SniperError
from tests.conftest import ROOT
from tests.engine.networks import network, outputs, weights
from tests.inference import tiny_data


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


@pytest.fixture(scope='module')
def optimize_model():
    path = os.path.join(ROOT, 'scripts', 'optimize_model.py')
    spec = importlib.util.spec_from_file_location('optimize_model', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('optimized'))
    tiny_data.write_all(path, score_spread=0.1)
    return path


def test_what_is_written_is_read(mx, tmp_path):
    symbol = network(mx)
    folded = fold_batch_norms(symbol, *weights(mx, symbol))
    prefix = str(tmp_path / 'net')
    write_exported(prefix, *folded, facts={'precision': 'fp32'})
    assert read_facts(prefix)['precision'] == 'fp32'
    for one, other in zip(outputs(mx, *load_exported(prefix)), outputs(mx, *folded)):
        np.testing.assert_array_equal(one, other)
    with open(prefix + '-0000.params', 'ab') as stream:
        stream.write(b'x')
    with pytest.raises(SniperError, match='are not the two that its side file describes'):
        load_exported(prefix)


def test_a_full_disk_leaves_the_files_of_before(mx, tmp_path, monkeypatch):
    symbol = network(mx)
    prefix, net = str(tmp_path / 'net'), (symbol,) + weights(mx, symbol)
    write_exported(prefix, *net, facts={'precision': 'fp32'})

    def full(stream, arrays):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr('lib.engine.exported_model.write_arrays', full)
    with pytest.raises(SniperError, match='No space left'):
        write_exported(prefix, *fold_batch_norms(*net), facts={'precision': 'bf16'})
    assert len(os.listdir(str(tmp_path))) == 3 and read_facts(prefix)['precision'] == 'fp32'
    assert load_exported(prefix)[0].tojson() == symbol.tojson()


def test_a_checkpoint_is_no_optimised_network(folder):
    prefix = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER')
    with pytest.raises(SniperError, match='-0000.json is missing or damaged: write it with scripts/optimize_model.py'):
        read_facts(prefix)


def test_optimised_files_give_the_checkpoints_detections(folder, optimize_model, capsys):
    prefix, keys = os.path.join(folder, 'nets', 'tiny'), tiny_data.settings(folder)
    assert optimize_model.main(['--cfg', tiny_data.CONFIG, '--out', prefix, '--set'] + keys + [
        'dataset.NUM_CLASSES', '3']) == 0
    written = sorted(os.listdir(os.path.join(folder, 'nets')))
    assert written == ['tiny-0000.json', 'tiny-0000.params', 'tiny-symbol.json']
    found = [detections(folder, keys + more) for more in ([], ['TEST.OPTIMIZED', prefix], ['TEST.FOLD', 'True'])]
    assert len(found[0]) > 10
    for other in found[1:]:
        assert other.shape == found[0].shape
        np.testing.assert_allclose(other, found[0], rtol=1e-3, atol=1e-2)
    assert 'optimised, in fp32' in capsys.readouterr().err
    wrong = (['TEST.RPN_POST_NMS_TOP_N', '10'], 'optimised for other settings (TEST.RPN_POST_NMS_TOP_N 20, now 10)'), (
        ['TEST.PRECISION', 'bf16'], 'is a network in fp32: leave TEST.PRECISION out')
    for more, message in wrong:
        with pytest.raises(SystemExit) as stop:
            run(main_test.main, ['--cfg', tiny_data.CONFIG, '--set'] + keys + ['TEST.OPTIMIZED', prefix] + more)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
        assert stop.value.code == 1 and len(lines) == 1 and message in lines[0]


def detections(folder, keys):
    """(n, 6) of all images, as main_test.py writes them, sorted."""
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + keys) == 0
    weights = 'tiny-0000' if 'TEST.OPTIMIZED' in keys else 'SNIPER-0001'
    path = tiny_data.results(folder, 'dets_final', 'detections.npz', weights=weights)
    with np.load(path, allow_pickle=False) as file:
        return file['rows']


def test_weights_that_do_not_fit_are_named(folder, optimize_model):
    with pytest.raises(SniperError, match='cls_score_weight is 3x192, the network wants 7x192'):
        keys = tiny_data.settings(folder) + ['dataset.NUM_CLASSES', '7']
        from configs import load_config
        from lib.engine.network import load_checked
        from lib.inference.weights import Weights
        load_checked(load_config(tiny_data.CONFIG, keys),
                     Weights(os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER'), 1, ()), 'test', 'these')
