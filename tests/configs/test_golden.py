"""The original's values and --set outcomes, but for the differences we want (listed here, once)."""
import ast
import json
import os

import numpy as np
import pytest

from configs import ConfigError, load_config
from configs.keys import key_names
from tests.conftest import ROOT
from tests.golden import golden_file

NAMES = ['sniper_res101_e2e', 'sniper_res50_e2e', 'sniper_mobilenetv2_e2e', 'sniper_res101_e2e_mask',
         'sniper_res101_e2e_autofocus', 'sniper_res101_e2e_mask_autofocus', 'sniper_res101_e2e_pascal_voc']

# key -> (value of ours, why); the original ignored the proposal keys, and for COCO also TRAIN.SCALES
IN_FORCE = {
    'TEST.RPN_PRE_NMS_TOP_N': 12000,
    'TEST.RPN_MIN_SIZE': 3,
    'TRAIN.RPN_PRE_NMS_TOP_N': -1,
    'TRAIN.RPN_MIN_SIZE': 3,
}
COCO_SCALES = {'TRAIN.SCALES': [3.0, 1.667, 512.0]}
# without an entry for each of three scales the original's default cannot run
DEFAULTS = {'TEST.BATCH_IMAGES': [2, 2, 4]}

# --set cases that the original refused and we convert: pair -> value
CONVERTED = {
    ('gpus', '0,1'): '0,1',
    ('TRAIN.lr_step', '4,6'): '4,6',
    ('TEST.BATCH_IMAGES', '1'): [1, 1, 1],
    ('TEST.NMS', '0.45'): 0.45,
    ('TEST.SCALES', '((480,512),)'): [(480, 512)],
    ('network.ANCHOR_SCALES', '(2,4)'): [2, 4],
}
# more of reference/pipeline.md 1.2
MORE_CONVERTED = {
    ('TRAIN.lr', '1'): 1.0,
    ('TRAIN.scale', '128'): 128.0,
    ('TRAIN.lr_step', '5.33'): '5.33',
    ('gpus', '0'): '0',
    ('network.PIXEL_MEANS', '[0,0,0]'): [0, 0, 0],
    ('gpus', "'0,1'"): '0,1',
}


def config_file(name):
    return os.path.join(ROOT, 'configs', 'faster', name + '.yml')


def plain(node):
    """Golden {'type', 'value'} tree -> Python values; arrays as lists."""
    value = node['value']
    if node['type'] == 'dict':
        return {name: plain(child) for name, child in value.items()}
    if node['type'] in ('list', 'tuple'):
        return {'list': list, 'tuple': tuple}[node['type']](plain(child) for child in value)
    return value


def flat(values, prefix=''):
    """Nested mapping -> {dotted key: value}."""
    result = {}
    for name, value in values.items():
        if isinstance(value, dict):
            result.update(flat(value, prefix + name + '.'))
        else:
            result[prefix + name] = value.tolist() if isinstance(value, np.ndarray) else value
    return result


def golden_values(name):
    with open(golden_file('pipeline/config_values.json')) as stream:
        return flat({key: plain(node) for key, node in json.load(stream)[name].items()})


def same(ours, theirs):
    """Equal values and types; list or tuple is all one (it depends on the EasyDict version)."""
    if isinstance(theirs, (list, tuple)):
        return (isinstance(ours, (list, tuple)) and len(ours) == len(theirs)
                and all(same(x, y) for x, y in zip(ours, theirs)))
    if isinstance(theirs, float) or isinstance(ours, float):
        return ours == theirs and not isinstance(ours, bool)
    return type(ours) is type(theirs) and ours == theirs


def check(config, wanted):
    ours = flat(config)
    different = {key: (ours.get(key), value) for key, value in wanted.items() if not same(ours.get(key), value)}
    assert not different, f'key: (ours, wanted) {different}'


def test_defaults_are_the_originals():
    check(load_config(), {**golden_values('default'), **DEFAULTS})


def test_keys_without_default_have_the_resnet_101_value():
    theirs = golden_values('sniper_res101_e2e')
    missing = set(theirs) - set(golden_values('default'))
    assert len(missing) > 8
    check(load_config(), {key: theirs[key] for key in missing})


@pytest.mark.parametrize('name', NAMES)
def test_file_has_the_originals_values(name):
    wanted = {**golden_values(name), **IN_FORCE}
    if 'pascal_voc' not in name:
        wanted.update(COCO_SCALES)
    if 'mask' in name:
        wanted['TRAIN.RPN_PRE_NMS_TOP_N'] = 6000     # another operator
    check(load_config(config_file(name)), wanted)


def test_every_key_of_the_original_exists():
    assert set(golden_values('sniper_res101_e2e')) | set(golden_values('default')) <= set(key_names())


def test_set_accepts_what_the_original_accepted_and_more():
    with open(golden_file('pipeline/config_set.json')) as stream:
        cases = json.load(stream)
    assert len(cases) > 20
    seen = 0
    for case in cases:
        words = tuple(case['args'])
        if case['ok']:
            config = load_config(config_file('sniper_res101_e2e'), words)
            check(config, {key: plain(node) for key, node in case['values'].items()})
        elif words in CONVERTED:
            seen += 1
            check(load_config(config_file('sniper_res101_e2e'), words), {words[0]: CONVERTED[words]})
        else:
            with pytest.raises(ConfigError, match='NOPE' if 'NOPE' in words[0] else words[0]):
                load_config(config_file('sniper_res101_e2e'), words)
    assert seen == len(CONVERTED)


@pytest.mark.parametrize('words', list(MORE_CONVERTED))
def test_set_converts(words):
    value = flat(load_config(config_file('sniper_res101_e2e'), words))[words[0]]
    assert value == MORE_CONVERTED[words] and type(value) is type(MORE_CONVERTED[words])


def test_the_originals_way_of_writing_loads(tmp_path):
    """The original's files write pairs with a tuple tag, under keys as they are here."""
    path = tmp_path / 'old.yml'
    path.write_text('---\nTRAIN:\n  SCALES:\n  - !!python/tuple [1400, 2000]\n  - !!python/tuple [-1, 512]\n'
                    '  VALID_RANGES:\n  - !!python/tuple [-1, 80]\n  - !!python/tuple [120, -1]\n'
                    '  ALTERNATE:\n    rpn1_lr: 0\n')
    train = load_config(path).TRAIN
    assert train.SCALES == [(1400, 2000), (-1, 512)] and train.VALID_RANGES == [(-1, 80), (120, -1)]


def test_set_texts_are_not_evaluated():
    """Words that are no literal stay texts, and texts are all they are."""
    word = '__import__("os").getcwd()'
    with pytest.raises(ValueError):
        ast.literal_eval(word)
    assert load_config(None, ['output_path', word]).output_path == word
