"""Checkpoint files: names, test weights, side file, and that a reader never finds half of one."""
import json
import os

import numpy as np
import pytest

from lib.tasks import BoxLayer
from lib.utils.errors import SniperError

MEANS, STDS = [0.0, 0.1, 0.0, -0.2], [0.1, 0.1, 0.2, 0.2]
BOX_LAYER = BoxLayer('bbox_pred_weight', 'bbox_pred_bias', MEANS, STDS)


def arrays(boxes=4, value=1.0):
    from sniper_mxnet import mx
    return ({'bbox_pred_weight': mx.nd.ones((boxes, 3)) * value, 'bbox_pred_bias': mx.nd.ones(boxes) * 2,
             'w': mx.nd.array([[1, 2]])}, {'bn_moving_mean': mx.nd.array([5])})


def save(prefix, tag='0001', args=None, auxs=None, epoch=1, num_update=3, **sidecar):
    from lib.weights import checkpoint
    from sniper_mxnet import mx
    given_args, given_auxs = arrays()
    facts = dict({'epoch': epoch, 'batch': 0, 'batch_size': 2, 'num_update': num_update, 'classes': ['b', 'c']},
                 **sidecar)
    checkpoint.save(prefix, tag, mx.sym.var('data') * 2, given_args if args is None else args,
                    given_auxs if auxs is None else auxs, {'count:w': mx.nd.array([3], dtype='int64')}, facts,
                    BOX_LAYER)


def test_mxnet_reads_a_checkpoint(tmp_path):
    from sniper_mxnet import mx
    prefix = str(tmp_path / 'SNIPER')
    save(prefix)
    symbol, args, auxs = mx.model.load_checkpoint(prefix, 1)
    assert symbol.list_arguments() == ['data']
    assert set(args) == {'bbox_pred_weight', 'bbox_pred_bias', 'w', 'bbox_pred_weight_test', 'bbox_pred_bias_test'}
    np.testing.assert_allclose(args['bbox_pred_weight_test'].asnumpy(), np.repeat(np.array(STDS)[:, None], 3, 1))
    np.testing.assert_allclose(args['bbox_pred_bias_test'].asnumpy(), 2 * np.array(STDS) + MEANS, rtol=1e-6)
    assert auxs['bn_moving_mean'].asscalar() == 5


def test_load_for_test_decodes_directly(tmp_path):
    from lib.weights.checkpoint import load_for_test
    save(str(tmp_path / 'S'))
    args, auxs = load_for_test(str(tmp_path / 'S'), 1)
    assert set(args) == {'bbox_pred_weight', 'bbox_pred_bias', 'w'} and set(auxs) == {'bn_moving_mean'}
    np.testing.assert_allclose(args['bbox_pred_weight'].asnumpy()[:, 0], STDS)


def test_only_names_that_end_in_test_are_for_tests(tmp_path):
    from lib.weights.checkpoint import load_for_test
    from sniper_mxnet import mx
    prefix = str(tmp_path / 'S')
    save(prefix)
    rewrite(prefix, w_testing=mx.nd.array([[3]]))
    assert set(load_for_test(prefix, 1, BOX_LAYER)[0]) == {'bbox_pred_weight', 'bbox_pred_bias', 'w', 'w_testing'}


def test_eight_box_outputs_repeat_the_stds(tmp_path):
    from lib.weights.checkpoint import load_params
    args, auxs = arrays(boxes=8)
    save(str(tmp_path / 'S'), args=args, auxs=auxs)
    loaded, _ = load_params(str(tmp_path / 'S-0001.params'))
    np.testing.assert_allclose(loaded['bbox_pred_weight_test'].asnumpy()[:, 0], STDS * 2)


def test_no_box_layer_no_test_arrays(tmp_path):
    from lib.weights.checkpoint import load_params
    from sniper_mxnet import mx
    save(str(tmp_path / 'S'), args={'w': mx.nd.ones(2)})
    assert set(load_params(str(tmp_path / 'S-0001.params'))[0]) == {'w'}


def test_sidecar(tmp_path):
    from lib.weights.paths import read_sidecar
    save(str(tmp_path / 'S'))
    assert read_sidecar(str(tmp_path / 'S'), 1)['classes'] == ['b', 'c']
    assert read_sidecar(str(tmp_path / 'S'), 7) == {}
    (tmp_path / 'S-0007.json').write_text('{"epoch":')
    assert read_sidecar(str(tmp_path / 'S'), 7) == {}


def rewrite(prefix, leave_out=(), **changed):
    """Write the parameter file of epoch 1 anew, as plain MXNet, without some arrays and with others changed."""
    from sniper_mxnet import mx
    arrays = dict(mx.nd.load(prefix + '-0001.params'), **{'arg:' + name: value for name, value in changed.items()})
    mx.nd.save(prefix + '-0001.params', {key: array for key, array in arrays.items() if key[4:] not in leave_out})


TEST_ARRAYS = ('bbox_pred_weight_test', 'bbox_pred_bias_test')


def test_missing_test_arrays_are_made_from_the_side_file(tmp_path, caplog):
    from lib.weights.checkpoint import load_for_test
    caplog.set_level('INFO')
    prefix = str(tmp_path / 'S')
    save(prefix, config={'TRAIN.BBOX_MEANS': MEANS, 'TRAIN.BBOX_STDS': STDS})
    expected, _ = load_for_test(prefix, 1, BOX_LAYER)
    assert not caplog.records
    rewrite(prefix, leave_out=TEST_ARRAYS)
    args, _ = load_for_test(prefix, 1, BOX_LAYER)
    assert len(caplog.records) == 1 and 'S-0001.params has no bbox_pred_*_test' in caplog.text
    assert args.keys() == expected.keys()
    for name, array in args.items():
        np.testing.assert_array_equal(array.asnumpy(), expected[name].asnumpy(), err_msg=name)


@pytest.mark.parametrize('leave_out, config, name', [
    (TEST_ARRAYS[:1], {'TRAIN.BBOX_MEANS': MEANS, 'TRAIN.BBOX_STDS': STDS}, 'bbox_pred_weight_test'),
    (TEST_ARRAYS[1:], {'TRAIN.BBOX_MEANS': MEANS, 'TRAIN.BBOX_STDS': STDS}, 'bbox_pred_bias_test')])
def test_one_missing_test_array_is_refused(tmp_path, leave_out, config, name):
    from lib.weights.checkpoint import load_for_test
    prefix = str(tmp_path / 'S')
    save(prefix, config=config)
    rewrite(prefix, leave_out=leave_out)
    with pytest.raises(SniperError, match='S-0001.params has bbox_pred_.* but not ' + name):
        load_for_test(prefix, 1, BOX_LAYER)


def test_without_side_file_the_layer_is_taken_as_it_is(tmp_path, caplog):
    from lib.weights.checkpoint import load_for_test, load_params
    prefix = str(tmp_path / 'S')
    save(prefix, config={})
    trained = load_params(prefix + '-0001.params')[0]
    rewrite(prefix, leave_out=TEST_ARRAYS)
    args, _ = load_for_test(prefix, 1, BOX_LAYER)
    assert 'no side file says TRAIN.BBOX_MEANS and TRAIN.BBOX_STDS' in caplog.text
    for name in ('bbox_pred_weight', 'bbox_pred_bias'):
        np.testing.assert_array_equal(args[name].asnumpy(), trained[name].asnumpy())


def test_networks_without_box_layer_are_loaded_for_tests(tmp_path):
    from lib.weights.checkpoint import load_for_test
    prefix = str(tmp_path / 'S')
    save(prefix)
    rewrite(prefix, leave_out=TEST_ARRAYS + ('bbox_pred_weight', 'bbox_pred_bias'))
    assert set(load_for_test(prefix, 1, BOX_LAYER)[0]) == {'w'}


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_non_finite_parameters_are_not_tested(tmp_path, value):
    from lib.weights.checkpoint import load_for_test
    from sniper_mxnet import mx
    prefix = str(tmp_path / 'S')
    save(prefix)
    rewrite(prefix, w=mx.nd.array([[1, value]]))
    with pytest.raises(SniperError, match='parameter w of .*S-0001.params is not finite'):
        load_for_test(prefix, 1, BOX_LAYER)


def test_missing_checkpoint_names_those_there_are(tmp_path):
    from lib.weights.checkpoint import load_for_test
    save(str(tmp_path / 'S'), tag='0003')
    with pytest.raises(SniperError, match='S-0007.params does not exist.* 3$'):
        load_for_test(str(tmp_path / 'S'), 7)
    with pytest.raises(SniperError, match='does not exist'):
        load_for_test(str(tmp_path / 'nowhere' / 'S'), 7)


def test_foreign_arrays_are_refused(tmp_path):
    from lib.weights.checkpoint import load_params
    from sniper_mxnet import mx
    mx.nd.save(str(tmp_path / 'x.params'), {'weight': mx.nd.ones(1)})
    with pytest.raises(SniperError, match="x.params.*'weight'"):
        load_params(str(tmp_path / 'x.params'))


def test_non_finite_parameters_are_never_written(tmp_path):
    from sniper_mxnet import mx
    with pytest.raises(SniperError, match='parameter w is not finite'):
        save(str(tmp_path / 'S'), args={'w': mx.nd.array([1, float('nan')])})
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('steps', range(14))
def test_killed_at_every_step(tmp_path, monkeypatch, steps):
    """A second save under the same tag is cut off after `steps` file operations: old, none or new, never a mixture."""
    from lib.utils import files
    from lib.weights import checkpoint
    from lib.weights.newest import find_newest

    class Killed(BaseException):
        """Not caught by anything, and nothing after it runs: as SIGKILL."""
    prefix = str(tmp_path / 'S')
    save(prefix, num_update=1)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(str(tmp_path))}
    left = [steps]

    def counting(function):
        def call(*arguments):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return function(*arguments)
        return call
    monkeypatch.setattr(files.os, 'replace', counting(os.replace))
    monkeypatch.setattr(files.os, 'remove', counting(os.remove))
    monkeypatch.setattr(files.os, 'fsync', counting(os.fsync))
    args, auxs = arrays(value=7.0)
    try:
        save(prefix, args=args, auxs=auxs, num_update=2)
    except Killed:
        pass
    monkeypatch.undo()
    found, _ = find_newest(prefix)
    assert found is None or found.sidecar['num_update'] in (1, 2)
    if found:
        value = checkpoint.load_params(prefix + '-0001.params')[0]['bbox_pred_weight'].asnumpy()[0, 0]
        assert value == {1: 1.0, 2: 7.0}[found.sidecar['num_update']]
    for name in ('S-0001.params', 'S-0001.states'):
        assert len((tmp_path / name).read_bytes()) == len(before[name])
    files.remove_stale_temporaries(str(tmp_path))
    assert not [name for name in os.listdir(str(tmp_path)) if 'tmp' in name]


def test_newest_is_by_progress_and_run(tmp_path):
    from lib.weights import checkpoint
    from lib.weights.newest import find_newest
    prefix = str(tmp_path / 'S')
    assert find_newest(prefix)[0] is None
    save(prefix, '0009', epoch=9, run='old')
    save(prefix, '0001', epoch=1, run='new')
    save(prefix, 'interrupted', epoch=1, batch=4, run='new')
    assert find_newest(prefix)[0].tag == '0009'
    (tmp_path / 'S-run.json').write_text(json.dumps({'run': 'new'}))
    assert find_newest(prefix)[0].tag == 'interrupted'
    checkpoint.remove(prefix, 'interrupted')
    assert find_newest(prefix)[0].tag == '0001'
    (tmp_path / 'S-0001.states').unlink()
    assert find_newest(prefix)[0] is None


def test_newest_does_not_depend_on_the_size_of_an_update(tmp_path):
    """Epoch 4 was trained with updates twice as large as epoch 3, so that its counter of updates is the smaller one."""
    from lib.weights.newest import find_newest
    prefix = str(tmp_path / 'S')
    save(prefix, '0003', epoch=3, num_update=300, batch_size=8)
    save(prefix, '0004', epoch=4, num_update=200, batch_size=16)
    assert find_newest(prefix)[0].tag == '0004'
    save(prefix, 'interrupted', epoch=3, batch=90, num_update=390, batch_size=8)
    assert find_newest(prefix)[0].tag == '0004'
    save(prefix, 'interrupted', epoch=4, batch=1, num_update=90, batch_size=32)
    assert find_newest(prefix)[0].tag == 'interrupted'


def test_a_side_file_of_other_types_is_passed_over(tmp_path):
    from lib.weights.newest import find_newest
    prefix = str(tmp_path / 'S')
    save(prefix, '0001', epoch=1)
    save(prefix, '0002', epoch='2')
    newest, broken = find_newest(prefix)
    assert newest.tag == '0001' and broken == [prefix + '-0002.json']


def test_full_disk_is_one_line(tmp_path, monkeypatch):
    from lib.utils import files

    def full(_):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(files.os, 'fsync', full)
    with pytest.raises(SniperError, match='S-symbol.json: No space left'):
        save(str(tmp_path / 'S'))
    assert os.listdir(str(tmp_path)) == []
