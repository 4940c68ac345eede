"""The loop, checkpoints and --resume with a small network: bit for bit, whatever interrupted the run."""
import json
import os
import signal

import numpy as np
import pytest

from configs import load_config
from configs.derived import chips_of_device
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.train.tiny import FakeIterator, TinyDetector, make_config

END = '%s-0002.%s'


def run(prefix, resume=False, on_batch=None, config=None, devices=None, batches=3, on_epoch=None):
    from lib.train.run import train
    from sniper_mxnet import mx
    config = config or make_config()
    devices = devices or [mx.cpu()]
    iterator = FakeIterator(chips_of_device(config.TRAIN) * len(devices), batches, on_batch,
                            on_epoch=on_epoch)
    status = train(config, TinyDetector(), iterator, ('__background__', 'a'), prefix, devices, display=1,
                   resume=resume)
    return status, iterator


def at(epoch, number, action):
    """on_batch that does `action` before batch `number` of `epoch`."""
    return lambda *position: action() if position == (epoch, number) else None


def assert_same_end(first, second, moving_tolerance=0):
    for suffix in ('params', 'states'):
        one, other = (read_arrays(END % (prefix, suffix)) for prefix in (first, second))
        assert one.keys() == other.keys()
        for name in one:
            if moving_tolerance and name.startswith('aux:'):
                np.testing.assert_allclose(one[name], other[name], rtol=moving_tolerance, err_msg=name)
            else:
                assert one[name].tobytes() == other[name].tobytes(), name
    one, other = (json.load(open(END % (prefix, 'json'))) for prefix in (first, second))
    for key in ('metrics', 'num_update', 'epoch', 'batch', 'samples', 'config_hash'):
        assert one[key] == other[key], key


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """Prefix of an uninterrupted run of 2 epochs of 3 batches."""
    prefix = str(tmp_path_factory.mktemp('straight') / 'S')
    status, iterator = run(prefix)
    assert status == 0 and iterator.started == [(0, 0), (1, 0)]
    return prefix


def test_same_seed_same_parameters(straight, tmp_path):
    run(str(tmp_path / 'S'))
    assert_same_end(straight, str(tmp_path / 'S'))


def test_files_of_a_run(straight):
    base = os.path.dirname(straight)
    sidecar = json.load(open(END % (straight, 'json')))
    assert sorted(os.listdir(base)) == ['S-0001.json', 'S-0001.params', 'S-0001.states', 'S-0002.json',
                                        'S-0002.params', 'S-0002.states', f'S-metrics-{sidecar["run"][:8]}.jsonl',
                                        'S-run.json', 'S-symbol.json']
    assert (sidecar['epoch'], sidecar['batch'], sidecar['num_update']) == (2, 0, 6)
    assert sidecar['classes'] == ['__background__', 'a'] and sidecar['samples'] == 6
    states = read_arrays(END % (straight, 'states'))
    assert all(int(value[0]) == 6 for name, value in states.items() if name.startswith('count:'))
    assert 'momentum:stem_weight' in states  # from scratch nothing is frozen


@pytest.mark.parametrize('signal_number, status', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_saves_and_resume_is_exact(straight, tmp_path, signal_number, status):
    prefix = str(tmp_path / 'S')
    before = signal.getsignal(signal_number)
    assert run(prefix, on_batch=at(1, 1, lambda: os.kill(os.getpid(), signal_number)))[0] == status
    assert signal.getsignal(signal_number) == before
    sidecar = json.load(open(prefix + '-interrupted.json'))
    assert (sidecar['epoch'], sidecar['batch']) == (1, 2)
    resumed, iterator = run(prefix, resume=True)
    assert resumed == 0 and iterator.started == [(1, 2)]
    assert_same_end(straight, prefix)
    assert not os.path.exists(prefix + '-interrupted.json')


def test_interrupted_twice(straight, tmp_path):
    prefix = str(tmp_path / 'S')
    def stop():
        os.kill(os.getpid(), signal.SIGTERM)
    assert run(prefix, on_batch=at(0, 0, stop))[0] == 143
    assert run(prefix, resume=True, on_batch=at(0, 1, stop))[0] == 143
    assert run(prefix, resume=True)[0] == 0
    assert_same_end(straight, prefix)


def test_signal_before_the_first_batch(straight, tmp_path):
    """The optimiser has no state yet; what is saved goes on all the same."""
    prefix = str(tmp_path / 'S')
    assert run(prefix, on_epoch=lambda: os.kill(os.getpid(), signal.SIGINT))[0] == 130
    sidecar = json.load(open(prefix + '-interrupted.json'))
    assert (sidecar['epoch'], sidecar['batch'], sidecar['num_update']) == (0, 0, 0)
    resumed, iterator = run(prefix, resume=True)
    assert resumed == 0 and iterator.started == [(0, 0), (1, 0)]
    assert_same_end(straight, prefix)


def test_signal_in_the_last_batch_of_an_epoch(straight, tmp_path):
    prefix = str(tmp_path / 'S')
    assert run(prefix, on_batch=at(0, 2, lambda: os.kill(os.getpid(), signal.SIGTERM)))[0] == 143
    assert os.path.exists(prefix + '-0001.json') and not os.path.exists(prefix + '-interrupted.json')
    assert run(prefix, resume=True)[1].started == [(1, 0)]
    assert_same_end(straight, prefix)


class Killed(Exception):
    """As good as SIGKILL for the files: the loop ends without saving."""


def kill():
    raise Killed


def test_killed_in_an_epoch_goes_on_from_the_last_checkpoint(straight, tmp_path):
    prefix = str(tmp_path / 'S')
    with pytest.raises(Killed):
        run(prefix, on_batch=at(1, 1, kill))
    assert run(prefix, resume=True)[1].started == [(1, 0)]
    assert_same_end(straight, prefix)


def test_adam_resumes_exactly_and_is_named_when_it_changes(tmp_path):
    config = make_config(OPTIMIZER='adam')
    whole, parts = str(tmp_path / 'whole' / 'S'), str(tmp_path / 'parts' / 'S')
    run(whole, config=config)
    stop = at(1, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run(parts, config=config, on_batch=stop)[0] == 143
    assert run(parts, config=config, resume=True)[0] == 0
    assert_same_end(whole, parts)
    states = read_arrays(END % (whole, 'states'))
    assert {name.split(':')[0] for name in states} == {'mean', 'variance', 'count'}
    assert (states['variance:stem_weight'] > 0).all() and states['mean:stem_weight'].any()
    with pytest.raises(SniperError, match='disagree about the momentum of .* the same TRAIN.OPTIMIZER'):
        run(parts, config=make_config(end_epoch=3), resume=True)


def test_resume_passes_over_damaged_checkpoints(straight, tmp_path, caplog):
    prefix = str(tmp_path / 'S')
    run(prefix)
    for suffix, damage in (('params', lambda data: data[:-7]), ('states', lambda data: data[:50] + b'x' + data[51:])):
        run(prefix, resume=True)
        content = open(END % (prefix, suffix), 'rb').read()
        with open(END % (prefix, suffix), 'wb') as stream:
            stream.write(damage(content))
        caplog.clear()
        assert run(prefix, resume=True)[1].started == [(1, 0)]
        assert f'S-0002.{suffix} is missing or damaged' in caplog.text
        assert_same_end(straight, prefix)


def spoil(path, content):
    os.remove(path)
    if content is not None:
        with open(path, 'w') as stream:
            stream.write(content)


@pytest.mark.parametrize('content', [None, '', '{"epoch": 2}'])
def test_resume_without_side_file(straight, tmp_path, caplog, content):
    """An older checkpoint is taken. If there is none, nothing is overwritten."""
    prefix = str(tmp_path / 'S')
    run(prefix)
    spoil(END % (prefix, 'json'), content)
    assert run(prefix, resume=True)[1].started == [(1, 0)]
    assert 'S-0002.json is missing or damaged' in caplog.text
    assert_same_end(straight, prefix)

    for epoch in (1, 2):
        spoil(f'{prefix}-{epoch:04d}.json', content)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(str(tmp_path))}
    with pytest.raises(SniperError, match='S-0001.json, .*S-0002.json are missing or damaged'):
        run(prefix, resume=True)
    assert before == {name: (tmp_path / name).read_bytes() for name in os.listdir(str(tmp_path))}
    assert run(prefix)[0] == 0


def test_resume_beside_weights_begins(straight, tmp_path):
    """Weights without an optimiser's state are no checkpoint to go on from, with or without a side file."""
    prefix = str(tmp_path / 'S')
    (tmp_path / 'S-0007.params').write_bytes(b'')
    (tmp_path / 'S-0000.json').write_text('{"classes": []}')
    assert run(prefix, resume=True)[1].started == [(0, 0), (1, 0)]
    assert_same_end(straight, prefix)


def test_resume_without_checkpoint_begins(straight, tmp_path, caplog):
    caplog.set_level('INFO')
    assert run(str(tmp_path / 'S'), resume=True)[0] == 0
    assert 'training starts from the beginning' in caplog.text
    assert_same_end(straight, str(tmp_path / 'S'))


def test_new_run_is_not_mixed_with_an_old_one(straight, tmp_path):
    """A fresh start beside old checkpoints, killed in its second epoch: resume continues the new run."""
    prefix = str(tmp_path / 'S')
    run(prefix, config=make_config(lr=0.05))
    with pytest.raises(Killed):
        run(prefix, on_batch=at(1, 2, kill))
    assert run(prefix, resume=True)[1].started == [(1, 0)]
    assert_same_end(straight, prefix)


def test_finished_run_has_nothing_to_resume(straight, caplog):
    caplog.set_level('INFO')
    status, iterator = run(straight, resume=True)
    assert status == 0 and iterator.started == [] and 'nothing to do' in caplog.text


def test_more_epochs_after_the_end(tmp_path):
    run(str(tmp_path / 'a'), config=make_config(end_epoch=3))
    run(str(tmp_path / 'b'))
    assert run(str(tmp_path / 'b'), resume=True, config=make_config(end_epoch=3))[1].started == [(2, 0)]
    one, other = (read_arrays(str(tmp_path / name) + '-0003.params') for name in 'ab')
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_changed_configuration_is_said(tmp_path, caplog):
    prefix = str(tmp_path / 'S')
    with pytest.raises(Killed):
        run(prefix, on_batch=at(1, 1, kill))
    run(prefix, resume=True, config=make_config(lr=0.01))
    assert 'TRAIN.lr 0.1 -> 0.01' in caplog.text


def test_other_batch_size_after_a_resume(tmp_path):
    """Updates of 2 chips, then of 4: the schedule stands where it would have stood, and so do chips."""
    prefix = str(tmp_path / 'S')
    with pytest.raises(Killed):
        run(prefix, on_batch=at(1, 1, kill), config=make_config(end_epoch=3), batches=4)
    status, iterator = run(prefix, resume=True, config=make_config(end_epoch=3, BATCH_IMAGES=4), batches=2)
    assert status == 0 and iterator.started == [(1, 0), (2, 0)]
    sidecar = json.load(open(prefix + '-0003.json'))
    assert sidecar['num_update'] == 2 + 2 * 2 and sidecar['samples'] == 8  # 4 updates of 2 chips count as 2


def test_only_what_changes_the_training_is_said_to_have_changed(caplog):
    from configs import flat_config
    from lib.train.resume import where_to_go_on
    before = flat_config(load_config())
    sidecar = {'epoch': 1, 'batch': 0, 'batch_size': 4, 'config': before}
    quiet = ['TRAIN.end_epoch', '9', 'TRAIN.NUM_PROCESS', '1', 'TEST.NMS', '0.1', 'gpus', '1', 'output_path', 'x']
    where_to_go_on(sidecar, load_config(None, quiet), 4)
    assert not caplog.text
    where_to_go_on(sidecar, load_config(None, quiet + ['TRAIN.lr', '0.5', 'TRAIN.LR_POLICY', 'cosine']), 4)
    assert 'TRAIN.LR_POLICY' in caplog.text and 'TRAIN.end_epoch 0 -> 9, TRAIN.lr 0 -> 0.5' in caplog.text


def test_where_to_go_on_with_other_batches():
    from lib.train.resume import Position, where_to_go_on
    config = make_config()
    sidecar = {'epoch': 3, 'batch': 5, 'batch_size': 12, 'config': {}}
    assert where_to_go_on({}, config, 4) == Position(0, 0, 0, 4)
    assert where_to_go_on(sidecar, config, 12) == Position(3, 5, 0, 12)
    other = where_to_go_on(sidecar, config, 16)
    assert other == Position(3, 0, 60, 12)
    again = dict(sidecar, batch=2, batch_size=16, first_chip=60, order_batch=12)
    assert where_to_go_on(again, config, 16) == Position(3, 2, 60, 12)
    assert where_to_go_on(again, config, 12) == Position(3, 0, 92, 12)
    assert where_to_go_on(dict(sidecar, batch=0), config, 16) == Position(3, 0, 0, 16)


@pytest.mark.parametrize('kvstore', ['device', 'local'])
def test_two_devices_resume(tmp_path, kvstore):
    """Exact but for the moving statistics: each device has its own, a checkpoint holds their average."""
    from sniper_mxnet import mx
    config = make_config(BATCH_IMAGES=1)
    config.default.kvstore = kvstore
    devices = [mx.cpu(0), mx.cpu(1)]
    one, other = str(tmp_path / 'a'), str(tmp_path / 'b')
    run(one, config=config, devices=devices)
    with pytest.raises(Killed):
        run(other, config=config, devices=devices, on_batch=at(1, 1, kill))
    run(other, resume=True, config=config, devices=devices)
    assert_same_end(one, other, moving_tolerance=1e-5)


def test_non_finite_loss_names_the_images(tmp_path):
    prefix = str(tmp_path / 'S')
    with pytest.raises(SniperError, match='not finite.*epoch 1, batch .*image_0_.*jpg') as error:
        run(prefix, config=make_config(lr=1e30, warmup=False))
    assert '\n' not in str(error.value)
    assert not os.path.exists(prefix + '-0001.params')


@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('rule, endings', [('weights', ('_weight', '_gamma')), ('convolutions', ('_weight',)),
                                           ('all', ('',))])
def test_momentum_and_decay_reach_the_right_parameters(tmp_path, rule, endings, count):
    """One step by hand: in the usual case weights and gammas decay, biases and betas do not."""
    from lib.train.initialise import init_parameters, make_step
    from lib.train.schedule import init_optimiser, learning_rate
    from sniper_mxnet import mx
    config = make_config(wd=0.5, warmup=False, WD_ON=rule)
    with make_step(config, TinyDetector(), FakeIterator(2), [mx.cpu(number) for number in range(count)]) as step:
        init_parameters(step, TinyDetector(), config)
        init_optimiser(step, config, learning_rate(config, 6, 2))
        before = {name: value.asnumpy().copy() for name, value in step.parameters()[0].items()}
        for _, grads, _ in step.trained_arrays():
            for grad in grads:
                grad[:] = 0
        step.update()
        for name, value in step.parameters()[0].items():
            expected = before[name] * (1 - 0.1 * 0.5 if name.endswith(endings) else 1)
            np.testing.assert_allclose(value.asnumpy(), expected, rtol=1e-6, err_msg=name)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_new_run_sets_the_earlier_one_aside(tmp_path, caplog):
    """All of it, with its first checkpoint: no later epoch is left, and the earlier run can be gone on with there."""
    prefix = str(tmp_path / 'S')
    run(prefix, config=make_config(lr=0.05))
    earlier = contents(tmp_path)
    with pytest.raises(Killed):
        run(prefix, on_batch=at(0, 2, kill))
    killed, = set(contents(tmp_path)) - set(earlier)    # what it measured
    assert contents(tmp_path) == dict(earlier, **{killed: (tmp_path / killed).read_bytes()}) and 'metrics' in killed
    run(prefix, config=make_config(end_epoch=1))
    assert 'are set aside when this one saves its first' in caplog.text
    place, = (name for name in os.listdir(str(tmp_path)) if name.startswith('before-'))
    assert {name: content for name, content in contents(tmp_path / place).items() if name != killed} == earlier
    assert sorted(name for name in contents(tmp_path) if 'metrics' not in name) == [
        'S-0001.json', 'S-0001.params', 'S-0001.states', 'S-run.json', 'S-symbol.json']
    assert run(str(tmp_path / place / 'S'), resume=True, config=make_config(lr=0.05, end_epoch=3))[1].started == [
        (2, 0)]


def test_resume_beside_the_checkpoints_of_another_run(straight, tmp_path, caplog):
    """A run that was killed before its first checkpoint begins again; how to go on with the earlier one is said."""
    prefix = str(tmp_path / 'S')
    run(prefix, config=make_config(lr=0.05, end_epoch=1))
    (tmp_path / 'S-run.json').write_text('{"run": "killed"}')
    assert run(prefix, resume=True)[1].started == [(0, 0), (1, 0)]
    assert 'of the run that' in caplog.text and 'S-run.json names (delete that file to go on with' in caplog.text
    assert_same_end(straight, prefix)
    assert [os.path.exists(str(tmp_path / name / 'S-0001.params')) for name in os.listdir(str(tmp_path))
            if name.startswith('before-')] == [True]
