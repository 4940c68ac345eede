"""Contradictions between keys, and capabilities that are not there yet."""
import os

import pytest

from configs import ConfigError, check_supported, load_config
from configs.checks import lr_epochs
from configs.keys import declared_keys, plain_value
from configs.schema import FLOAT, FLOATS, INT, NUMBER_OR_NUMBERS, Limits
from tests.conftest import ROOT

TINY = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')

ITERATIONS = ['TRAIN.end_epoch', '0', 'TRAIN.lr_step', "''", 'TRAIN.end_iteration', '90']
EVERY = ['TRAIN.lr_every', '9', 'TRAIN.lr_step', "''", 'TRAIN.LR_POLICY', 'step']

# purpose, --set words -> parts of the message
CONTRADICTIONS = [
    ('train', ['symbol', "''"], ['symbol']),
    ('train', ['dataset.NUM_CLASSES', '1'], ['dataset.NUM_CLASSES is 1', 'background']),
    ('train', ['TRAIN.SCALES', '[2.0, 256.0]'], ['TRAIN.SCALES has 2', 'TRAIN.VALID_RANGES has 3']),
    ('train', ['TRAIN.SCALES', '[]', 'TRAIN.VALID_RANGES', '[]'], ['TRAIN.SCALES is empty']),
    ('train', ['TRAIN.SCALES', '[2.0, -1.0, 256.0]'], ['TRAIN.SCALES', '-1.0']),
    ('train', ['dataset.dataset_path', ' '], ['dataset.dataset_path', 'name a folder']),
    ('train', ['TRAIN.lr_step', 'four'], ['TRAIN.lr_step', "'four'", '4,5.33']),
    ('train', ['TRAIN.lr_step', '4,,6'], ['TRAIN.lr_step']),
    ('train', ['TRAIN.lr_step', "'-1'"], ['TRAIN.lr_step']),
    ('train', ['TRAIN.BATCH_IMAGES', '0'], ['TRAIN.BATCH_IMAGES is 0', '1 or more']),
    ('train', ['TRAIN.end_epoch', '-1'], ['TRAIN.end_epoch']),
    ('train', ['TRAIN.end_iteration', '-1'], ['TRAIN.end_iteration is -1', '0 or more']),
    ('train', ['TRAIN.SNAPSHOT_ITERATIONS', '-5'], ['TRAIN.SNAPSHOT_ITERATIONS is -5', '0 or more']),
    ('train', ['TRAIN.lr_step_iterations', '[0]'], ['TRAIN.lr_step_iterations is [0]', '1 or more']),
    ('train', ['TRAIN.end_iteration', '9'], ['TRAIN.end_iteration is 9 and TRAIN.end_epoch 4', 'one of them to 0']),
    ('train', ['TRAIN.lr_step_iterations', '[9]'], ['[9]', 'TRAIN.end_iteration', 'TRAIN.lr_step']),
    ('train', ['TRAIN.lr_step_iterations', '[9]', 'TRAIN.lr_step', '5.33'], ["TRAIN.lr_step '5.33'", '[]', "''"]),
    ('train', ITERATIONS + ['TRAIN.lr_step', '5.33', 'TRAIN.LR_POLICY', 'step'],
     ["TRAIN.lr_step is '5.33'", 'TRAIN.lr_step_iterations']),
    ('train', ITERATIONS + ['TRAIN.lr_step_iterations', '[5, 5]'], ['[5, 5]', 'ascend']),
    ('train', ITERATIONS + ['TRAIN.lr_step_iterations', '[5, 90]'], ['[5, 90]', 'below TRAIN.end_iteration, 90']),
    ('train', ITERATIONS + ['TRAIN.lr_step_iterations', '[5]', 'TRAIN.lr_factor', '[0.1, 0.2]'],
     ['TRAIN.lr_step_iterations has 1 iterations']),
    ('train', ['TRAIN.lr_every', '9', 'TRAIN.lr_step', '5.33'], ['TRAIN.lr_every is 9', "lr_step to ''"]),
    ('train', EVERY + ['TRAIN.lr_step_iterations', '[5]', 'TRAIN.end_iteration', '90', 'TRAIN.end_epoch', '0'],
     ['TRAIN.lr_every is 9', 'lr_step_iterations to []']),
    ('train', EVERY + ['TRAIN.LR_POLICY', 'cosine'], ["TRAIN.LR_POLICY 'cosine'", 'lr_every to 0']),
    ('train', EVERY + ['TRAIN.lr_factor', '[0.1, 0.2]'], ['TRAIN.lr_factor is [0.1, 0.2]', 'one number']),
    ('train', EVERY + ['TRAIN.lr_every', '-1'], ['TRAIN.lr_every is -1', '0 or more']),
    ('train', ['TRAIN.CHIP_STRIDES', '[]'], ['TRAIN.CHIP_STRIDES']),
    ('train', ['TRAIN.CHIP_STRIDES', '[0]'], ['TRAIN.CHIP_STRIDES']),
    ('train', ['TRAIN.SCALE_WEIGHTS', '[1, 2]'], ['TRAIN.SCALE_WEIGHTS has 2', 'SCALES has 3', 'a scale']),
    ('train', ['TRAIN.SCALE_WEIGHTS', '[1, 0, 2]'], ['TRAIN.SCALE_WEIGHTS', 'above 0']),
    ('train', ['TRAIN.SCALE_WEIGHTS', '[1, 1, 2]', 'TRAIN.SAMPLER', 'crops'], ['TRAIN.SCALE_WEIGHTS', "'crops'", '[]']),
    ('train', ['TRAIN.NEG_CHIP_MIN_ROWS', '[10]'], ['TRAIN.NEG_CHIP_MIN_ROWS', 'two numbers']),
    ('train', ['TRAIN.NEG_CHIPS_PER_IMAGE', '-1'], ['TRAIN.NEG_CHIPS_PER_IMAGE is -1']),
    ('train', ['TRAIN.NUM_PROCESS', '-2'], ['TRAIN.NUM_PROCESS is -2', "'auto'"]),
    ('test', ['TEST.VALID_RANGES', '[(50,10),(20,120),(60,640),(480,-1)]'],
     ['TEST.VALID_RANGES', '(50, 10)', 'above the first']),
    ('train', ['default.kvstore', 'local', 'default.gradient_compression', '2bit'],
     ["gradient_compression is '2bit'", "kvstore 'local' does not have", 'dist_sync']),
    ('train', ['default.kvstore', 'dist_async', 'default.gradient_compression', '2bit'],
     ["'dist_async' does not have"]),
    ('train', ['default.gradient_compression', '2bit', 'TRAIN.fp16', 'True'], ['single precision only']),
    ('train', ['default.gradient_compression', '2bit', 'default.compression_threshold', '0'],
     ['compression_threshold']),
    ('train', ['default.kvstore', 'dist_async', 'TRAIN.fp16', 'True'], ['TRAIN.fp16', 'dist_async', 'dist_sync']),
    ('train', ['default.kvstore', 'dist_async', 'TRAIN.SNAPSHOT_ITERATIONS', '5'],
     ['TRAIN.SNAPSHOT_ITERATIONS is 5', 'different iterations', 'dist_sync']),
    ('train', ['default.worker_timeout', '0'], ['default.worker_timeout is 0']),
    ('test', ['TEST.SCALES', '[4x,3x,2x,1x,256px]'], ['TEST.SCALES has 5', 'TEST.VALID_RANGES has 4']),
    ('test', ['TEST.SCALES', '[1x]', 'TEST.VALID_RANGES', '[(-1,-1)]', 'TEST.BATCH_IMAGES', '[1,1,1]'],
     ['TEST.BATCH_IMAGES has 3']),
    ('test', ['TEST.SCALES', '[(-1,512),(-1,256),(2,1)]'], ['TEST.SCALES', '[2, 1]', 'pixels', '[2x, 1x]']),
    ('test', ['TEST.SCALES', '[0,1,-1]'], ['TEST.SCALES', '0', 'above 0']),
    ('test', ['TEST.BATCH_IMAGES', '0'], ['TEST.BATCH_IMAGES']),
    ('demo', ['TEST.CONCURRENT_JOBS', '0'], ['TEST.CONCURRENT_JOBS is 0']),
    ('test', ['TEST.NMS', '-1', 'TEST.NMS_SIGMA', '-1'], ['TEST.NMS', 'both off']),
    ('test', ['TEST.NMS', '0.3', 'TEST.NMS_METHOD', 'gaussian', 'TEST.NMS_SIGMA', '0'], ['TEST.NMS_SIGMA is 0']),
    ('test', ['TEST.SLICES', '[256, 0]'], ['TEST.SLICES has 2 entries', 'one entry a scale']),
    ('test', ['TEST.SLICES', '[0, 31, 0, 0]'], ['TEST.SLICES is [0, 31, 0, 0]', '32 pixels or more']),
    ('test', ['TEST.SLICES', '[0, 64, 0, 0]', 'TEST.DO_PRUNING', '[False, True, False, False]'],
     ['TEST.SLICES', 'slices or on FocusChips']),
    ('test', ['TEST.SLICES', '[0, 64, 0, 0]', 'TEST.EXTRACT_PROPOSALS', 'True'], ['whole images', '[0, 0, 0, 0]']),
    ('test', ['TEST.SLICE_OVERLAP', '1'], ['TEST.SLICE_OVERLAP is 1']),
]


@pytest.mark.parametrize('purpose, words, parts', CONTRADICTIONS,
                         ids=lambda x: ' '.join(x) if isinstance(x, list) else x)
def test_contradictions(purpose, words, parts):
    config = load_config(TINY, words)
    with pytest.raises(ConfigError) as caught:
        check_supported(config, purpose)
    message = str(caught.value)
    assert '\n' not in message and all(part in message for part in parts), message


@pytest.mark.parametrize('key, value', [('kvstore', 'dist_gpu'), ('kvstore', 'horovod'),
                                        ('gradient_compression', '1bit'), ('gradient_compression', 'fp16')])
def test_kinds_of_exchange_that_there_are_not(key, value):
    with pytest.raises(ConfigError, match=f"default.{key}.*{value}.*'(device|2bit)'"):
        load_config(TINY, ['default.' + key, value])


def test_what_a_purpose_does_not_use_is_not_looked_at():
    check_supported(load_config(TINY, ['TRAIN.SCALES', '[2.0, 256.0]']), 'test')
    check_supported(load_config(TINY, ['TEST.SCALES', '[4x,3x,2x,1x,256px]']), 'train')


def test_an_unknown_purpose_is_a_bug():
    with pytest.raises(ValueError):
        check_supported(load_config(TINY), 'training')


def test_lr_epochs():
    assert lr_epochs('') == [] and lr_epochs('5.33') == [5.33] and lr_epochs('4,6') == lr_epochs(' 4, 6 ') == [4.0, 6.0]


LIMITED = {name: declared for name, declared in declared_keys().items() if declared.limits != Limits()}


@pytest.mark.parametrize('name', list(LIMITED))
def test_numbers_stay_within_what_their_keys_declare(name):
    declared, purpose = LIMITED[name], 'test' if name.startswith('TEST.') else 'train'
    low, high, above = declared.limits
    below, beyond = [] if low is None else [low - 1], [] if high is None else [high + 1]
    outside = below + beyond + ([] if above is None else [above])
    of_floats = declared.kind in (FLOAT, FLOATS, NUMBER_OR_NUMBERS) or isinstance(declared.default, float)
    outside += [] if of_floats else [2 ** 40]
    sample = plain_value(declared.kind.convert(declared.default))
    for number in outside:
        value = [number] * max(1, len(sample)) if isinstance(sample, list) else number
        with pytest.raises(ConfigError, match=f'^(--set: )?{name}') as caught:
            check_supported(load_config(None, [name, value]), purpose)
        assert '\n' not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize('name', [name for name, declared in declared_keys().items() if declared.kind in (INT, FLOAT)])
def test_no_number_is_beyond_what_the_operators_take(name):
    for text in ('nan', '-inf', '1e39', '1e-38', '1' + '0' * 400, '-9' + '9' * 40, '1e400'):
        with pytest.raises(ConfigError, match=f'^--set: {name}') as caught:
            load_config(None, [name, text])
        assert len(str(caught.value)) < 200, text
