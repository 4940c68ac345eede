"""Files over files, mistakes and what is said about them."""
import copy
import glob
import os
import pickle
import re

import numpy as np
import pytest
import yaml
from easydict import EasyDict

from configs import ConfigError, config_name, load_config
from configs.__main__ import main as print_config
from configs.keys import declared_keys, flat_config, key_names, value_of
from configs.legacy import LEGACY
from configs.schema import PATH, PATHS
from configs.yaml_files import read_yaml
from lib.tasks import check_config
from lib.utils.errors import SniperError
from tests.conftest import ROOT

SHIPPED = sorted(glob.glob(os.path.join(ROOT, 'configs', '*', '*.yml')))


def write(folder, text, name='experiment.yml'):
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize('path', SHIPPED, ids=os.path.basename)
def test_shipped_files_load(path):
    config = load_config(path)
    assert isinstance(config, EasyDict) and isinstance(config.network.PIXEL_MEANS, np.ndarray)


def test_tiny_is_complete():
    config = load_config(os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml'))
    for purpose in ('train', 'test', 'demo'):
        check_config(config, purpose)
    assert config.TRAIN.VALID_RANGES[0] == (-1, 40) and config.dataset.NUM_CLASSES == 7


def leaves(mapping, prefix=''):
    """Nested mapping -> (dotted key, value) pairs."""
    for name, value in mapping.items():
        if isinstance(value, dict):
            yield from leaves(value, prefix + name + '.')
        else:
            yield prefix + name, value


@pytest.mark.parametrize('path', [path for path in SHIPPED if '_res' in path or '_mobile' in path],
                         ids=os.path.basename)
def test_files_hold_differences_only(path):
    """The original's files: a key whose value the base has already is noise that later drifts."""
    with open(path) as stream:
        own = yaml.safe_load(stream)
    base = own.pop('_base_', None)
    if not isinstance(base, str):
        return
    before = dict(leaves(load_config(os.path.join(os.path.dirname(path), base))))
    after = dict(leaves(load_config(path)))
    repeated = [name for name, _ in leaves(own) if repr(before[name]) == repr(after[name])]
    assert not repeated


def test_defaults_are_not_shared():
    first = load_config()
    first.TRAIN.SCALES.append(1.0)
    first.network.PIXEL_MEANS += 1
    assert len(load_config().TRAIN.SCALES) == 3 and load_config().network.PIXEL_MEANS.sum() == 0


def test_later_bases_and_own_keys_win(tmp_path):
    write(tmp_path, 'TRAIN: {lr: 1.0, wd: 1.0, momentum: 1.0}', 'a.yml')
    (tmp_path / 'sub').mkdir()
    write(tmp_path, '_base_: ../a.yml\nTRAIN: {wd: 2.0, momentum: 2.0}', 'sub/b.yml')
    config = load_config(write(tmp_path, '_base_: [a.yml, sub/b.yml]\nTRAIN: {momentum: 3.0}'),
                         ['TRAIN.scale', '4'])
    assert (config.TRAIN.lr, config.TRAIN.wd, config.TRAIN.momentum, config.TRAIN.scale) == (1.0, 2.0, 3.0, 4.0)


def test_exponents_without_a_dot_are_numbers(tmp_path):
    assert load_config(write(tmp_path, 'TRAIN: {lr: 1e-3}')).TRAIN.lr == 0.001


def test_numbers_become_texts_where_a_text_is_meant(tmp_path):
    config = load_config(write(tmp_path, 'gpus: 0\nTRAIN: {lr_step: 5.33}'))
    assert (config.gpus, config.TRAIN.lr_step) == ('0', '5.33')
    assert load_config(write(tmp_path, 'TRAIN: {lr_step: [4, 6]}')).TRAIN.lr_step == '4,6'


def aliases_of_aliases(first, joint):
    """Ten lines that unfold to 9 ** 9 values."""
    names = 'abcdefghij'
    lines = [f'{name}: &{name} ' + joint % ', '.join(['*' + before] * 9) for before, name in zip(names, names[1:])]
    return '\n'.join([f'a: &a {first}'] + lines)


BAD_FILES = {
    'aliases': (aliases_of_aliases('[x, x]', '[%s]') + '\ngpus: *j', ['aliases', 'unfold', '100000']),
    'merged aliases': (aliases_of_aliases('{x: 1}', '{<<: [%s]}'), ['aliases', 'unfold']),
    'alias of itself': ('TRAIN: &t\n  lr: *t\n', ['line 1', 'aliases']),
    'without end': ('#' * 1000001, ['1000000 characters', 'no configuration file']),
    'misspelt inner key': ('TRAIN:\n  lr: 0.1\n  LRR: 1\n', ['experiment.yml line 3', 'TRAIN.LRR', 'TRAIN.lr']),
    'misspelt section': ('TRIAN: {lr: 0.1}', ['line 1', 'TRIAN', 'nearest valid key is TRAIN']),
    'key outside its section': ('lr: 0.1', ['lr', 'nearest valid key is TRAIN.lr']),
    'wrong case': ('TRAIN: {Scales: [1.0]}', ['TRAIN.Scales', 'nearest valid key is TRAIN.SCALES']),
    'text for number': ('TRAIN: {lr: fast}', ['line 1', 'TRAIN.lr wants a number', "'fast' (str)"]),
    'float for int': ('TRAIN: {end_epoch: 1.5}', ['TRAIN.end_epoch wants a whole number', '1.5 (float)']),
    'int for bool': ('TRAIN: {FLIP: 1}', ['TRAIN.FLIP wants True or False', '1 (int)']),
    'bool for int': ('TRAIN: {end_epoch: true}', ['TRAIN.end_epoch wants a whole number', 'True (bool)']),
    'not a number': ('TRAIN: {lr: .nan}', ['TRAIN.lr wants a number', 'nan']),
    'nothing': ('output_path:', ['output_path wants a path, got nothing']),
    'mapping for value': ('TRAIN: {lr: {a: 1}}', ['TRAIN.lr wants a number', '(dict)']),
    'value for section': ('TRAIN: 3', ['TRAIN is a section']),
    'section empty': ('TRAIN:', ['TRAIN is a section']),
    'text for texts': ('network: {FIXED_PARAMS: base.}', ['network.FIXED_PARAMS wants a list', 'write ["base."]']),
    'two means': ('network: {PIXEL_MEANS: [1, 2]}', ['network.PIXEL_MEANS wants a list of 3 numbers']),
    'triples': ('TEST: {SCALES: [[1, 2, 3]]}', ['TEST.SCALES wants a list of scales', '2x', '256px', 'a pair']),
    'choice': ('TRAIN: {LR_POLICY: cosin}', ['TRAIN.LR_POLICY', "'cosin'", "'step' or 'cosine'"]),
    'key twice': ('TRAIN:\n  lr: 0.1\n  wd: 0.1\n  lr: 0.2\n', ['line 4', 'lr stands twice']),
    'section twice': ('TRAIN: {lr: 0.1}\nTRAIN: {wd: 0.1}\n', ['line 2', 'TRAIN stands twice']),
    'syntax': ('TRAIN:\n  lr: [1, 2\n  wd: 3\n', ['experiment.yml line', 'not valid YAML']),
    'tab': ('TRAIN:\n\tlr: 1\n', ['line 2', 'not valid YAML']),
    'list': ('- TRAIN\n- TEST\n', ['top level', 'list']),
    'plain text': ('hello', ['top level', 'str']),
    'empty': ('', ['is empty']),
    'only comments': ('# nothing\n', ['is empty']),
    'two documents': ('gpus: cpu\n---\ngpus: cpu\n', ['not valid YAML']),
    'nested too deep': ('TRAIN: ' + '[' * 5000, ['experiment.yml']),
    'impossible date': ('gpus: 2001-99-99', ['experiment.yml']),
    'key is a list': ('? [a, b]\n: 1\n', ['experiment.yml']),
    'base of a wrong kind': ('_base_: [1]', ['_base_']),
    'base missing': ('_base_: nowhere.yml', ['nowhere.yml', 'does not exist']),
    'base is itself': ('_base_: experiment.yml', ['experiment.yml', 'leads back']),
    'hostile object': ('gpus: !!python/object/apply:os.system ["touch HERE"]', ['line 1', 'os.system', 'not allowed']),
    'hostile name': ('gpus: !!python/name:os.system', ['os.system', 'not allowed']),
    'own tag': ('gpus: !x 1', ['!x', 'not allowed']),
    'tuple of nothing': ('TRAIN: {SCALES: !!python/tuple 3}', ['wants a list']),
}


@pytest.mark.parametrize('name', list(BAD_FILES))
def test_bad_files_say_what_and_where(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text, parts = BAD_FILES[name]
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert '\n' not in message and len(message) < 400
    assert all(part in message for part in parts), message
    assert not os.path.exists('HERE')


def test_a_file_of_bytes_or_none_at_all(tmp_path):
    (tmp_path / 'bytes.yml').write_bytes(b'\xff\xfe\x00\x01')
    for path in (tmp_path / 'bytes.yml', tmp_path, tmp_path / 'missing.yml'):
        with pytest.raises(SniperError, match=os.path.basename(str(path))):
            load_config(path)


BAD_SETS = {
    ('TRAIN.lr',): ['pairs', '1 words', 'TRAIN.lr'],
    ('TRAIN.learning', '1'): ['TRAIN.learning', 'nearest valid key'],
    ('TRAIN.NUM_PROCES', '1'): ['nearest valid key is TRAIN.NUM_PROCESS'],
    ('TRAIN.lr.x', '1'): ['TRAIN.lr.x'],
    ('TRAIN', '1'): ['TRAIN is a section'],
    ('TRAIN.warmup', 'true'): ['TRAIN.warmup wants True or False', "'true'"],
    ('TRAIN.fp16', 'None'): ['TRAIN.fp16 wants True or False', 'nothing'],
    ('TRAIN.BATCH_IMAGES', '4.0'): ['TRAIN.BATCH_IMAGES wants a whole number', '4.0'],
    ('TRAIN.lr', '1e999'): ['TRAIN.lr wants a number'],
    ('TRAIN.NUM_PROCESS', 'many'): ['TRAIN.NUM_PROCESS', "'auto'"],
    ('output_path', 'True'): ['output_path wants a path'],
    ('', '1'): ['nearest valid key'],
    ('TRAIN.lr', '(' * 5000): ['TRAIN.lr wants a number'],
    ('gpus=cpu',): ["apart: 'gpus cpu', not 'gpus=cpu'"],
    ('TRAIN.lr=1', 'gpus=cpu'): ["apart: 'TRAIN.lr 1'"],
    ('--cfg', 'x.yml'): ['must come last', '--cfg'],
    ('network.FIXED_PARAMS', '[base., 3]'): ["write '[\"base.\", \"3\"]'"],
    ('network.FIXED_PARAMS', 'base.'): ["got 'base.' (str): write '[\"base.\"]'"],
}


@pytest.mark.parametrize('words', list(BAD_SETS), ids=lambda words: words[0] + '=' + words[-1][:8])
def test_bad_sets_say_what(words):
    with pytest.raises(ConfigError) as caught:
        load_config(None, words)
    message = str(caught.value)
    assert '\n' not in message and len(message) < 400
    assert all(part in message for part in ['--set'] + BAD_SETS[words]), message


@pytest.mark.parametrize('text, expected', [
    ('["cells = RBC + WBC", Platelets]', ['cells = RBC + WBC', 'Platelets']),
    ('[car, person, "ignore = van + tram"]', ['car', 'person', 'ignore = van + tram']), ("['a b']", ['a b'])])
def test_texts_need_no_quotes_in_a_list(text, expected):
    assert load_config(None, ['dataset.CLASSES', text]).dataset.CLASSES == expected


def test_every_key_can_be_set_to_its_own_value():
    config = load_config()
    words = []
    for name in key_names():
        value = config
        for part in name.split('.'):
            value = value[part]
        words += [name, repr(value.tolist() if isinstance(value, np.ndarray) else value)]
    assert repr(load_config(None, words).TEST) == repr(config.TEST)


def test_keys_are_fixed_and_values_are_not():
    config = load_config()
    for same in (config, copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        same.TRAIN.lr = 0.5
        assert same.TRAIN.lr == same['TRAIN']['lr'] == 0.5
        with pytest.raises(ConfigError, match='nearest valid key is lr'):
            same.TRAIN.LR = 1
        with pytest.raises(ConfigError):
            same['TRIAN'] = {}
        with pytest.raises(AttributeError):
            same.TRAIN.LR


def test_switches_follow_the_number_of_scales():
    test = load_config(None, ['TEST.SCALES', '[(480,512)]', 'TEST.VALID_RANGES', '[(-1,-1)]',
                              'TEST.BATCH_IMAGES', '3']).TEST
    assert test.BATCH_IMAGES == [3] and test.USE_CACHE == test.DO_PRUNING == [False]


def test_anchors_and_stride_follow_from_the_network():
    network = load_config().network
    assert network.NUM_ANCHORS == 9 and network.RPN_FEAT_STRIDE == 16
    words = ['symbol', 'mobilenetv2_e2e', 'network.ANCHOR_SCALES', '[2, 4]']
    network = load_config(None, words).network
    assert network.NUM_ANCHORS == 6 and network.RPN_FEAT_STRIDE == 32
    network = load_config(None, words + ['network.NUM_ANCHORS', '7', 'network.RPN_FEAT_STRIDE', '8']).network
    assert network.NUM_ANCHORS == 7 and network.RPN_FEAT_STRIDE == 8  # for lib.tasks to refuse


def test_shipped_files_leave_out_what_need_not_be_set():
    needless = {'network.NUM_ANCHORS', 'network.RPN_FEAT_STRIDE'}
    assert needless <= set(declared_keys(LEGACY))
    for path in SHIPPED:
        assert not needless & set(read_yaml(path)[1]), path


def test_printed_configuration_loads_again(tmp_path, capsys):
    for path in SHIPPED:
        print_config([path, '--meanings', '--set', 'TRAIN.lr', '0.5'])
        printed = capsys.readouterr().out
        again = load_config(write(tmp_path, printed, 'printed.yml'))
        assert again.TRAIN.lr == 0.5
        assert repr(again) == repr(load_config(path, ['TRAIN.lr', '0.5'])), path


def test_config_name():
    assert config_name('a/b.c/sniper.v2.yml') == 'sniper'


def test_keys_that_programs_read_exist():
    """config.SECTION.NAME in the code names a declared key: no typo waits for the day it is run."""
    paths = glob.glob(os.path.join(ROOT, '*.py'))
    for folder in ('lib', 'symbols'):
        paths += glob.glob(os.path.join(ROOT, folder, '**', '*.py'), recursive=True)
    names = set(key_names())
    read = set()
    for path in paths:
        with open(path, encoding='utf-8') as stream:
            found = re.findall(r'\b(?:config|cfg)\.((?:TRAIN|TEST|network|dataset|default)\.\w+)', stream.read())
        wrong = [name for name in found if name not in names and name.split('.')[1] not in dir(EasyDict)]
        assert not wrong, f'{os.path.relpath(path, ROOT)} reads {wrong}'
        read.update(found)
    assert len(read) > 30


def test_setting_a_key_without_effect_is_said(caplog):
    load_config(None, ['TRAIN.SHUFFLE', False])
    assert 'TRAIN.SHUFFLE has no effect' in caplog.text
    caplog.clear()
    load_config(None, ['TRAIN.FLIP', False])
    assert not caplog.text


PATH_KEYS = [name for name, declared in declared_keys().items() if declared.kind in (PATH, PATHS)]


def test_every_key_that_names_a_place_is_a_path():
    named = [name for name, declared in declared_keys().items()
             if not declared.unused and re.match(r"(folder|prefix|file)s? of ", declared.meaning)]
    assert set(named) <= set(PATH_KEYS) and len(PATH_KEYS) >= 10


@pytest.mark.parametrize('name', PATH_KEYS)
def test_paths_are_what_a_shell_makes_of_them(tmp_path, monkeypatch, name):
    monkeypatch.setenv('HOME', '/home/someone')
    nested = '{v}'
    for word in reversed(name.split('.')):
        nested = f'{{{word}: {nested}}}'
    for value, found in (('~/x', '/home/someone/x'), ('"~"', '/home/someone'), ('./x', './x'), ('2024', '2024')):
        (tmp_path / 'a.yml').write_text(nested.replace('{v}', value))
        assert value_of(load_config(tmp_path / 'a.yml'), name) == found
        assert value_of(load_config(None, [name, value]), name) == found
    assert value_of(load_config(None, [name, tmp_path]), name) == str(tmp_path)
    for value in ('$HOME/x', r'C:\x', 'file:///x'):
        (tmp_path / 'a.yml').write_text(nested.replace('{v}', f"'{value}'"))
        with pytest.raises(ConfigError, match=f'a.yml line 1: {name}: .* write '):
            load_config(tmp_path / 'a.yml')
        with pytest.raises(ConfigError, match=f'--set: {name}: .* write '):
            load_config(None, [name, value])


def test_the_files_themselves_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'base.yml').write_text('symbol: x')
    (tmp_path / 'a.yml').write_text('_base_: ~/base.yml')
    assert load_config('~/a.yml').symbol == 'x'


def test_some_keys_as_set_takes_them(capsys):
    path = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
    print_config([path, '--keys', 'gpus,dataset.image_set,TRAIN.SCALES,dataset.CLASSES', '--set', 'gpus', '0,1'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == ['gpus', 'dataset.image_set', 'TRAIN.SCALES', 'dataset.CLASSES']
    again, once = load_config(path, lines), load_config(path, ['gpus', '0,1'])
    assert flat_config(again) == flat_config(once)
    for names, said in (('gpus,nothing', "no configuration key 'nothing'"), ('', "no configuration key ''"),
                        ('TRAIN.LR', "no configuration key 'TRAIN.LR'; the nearest valid key is TRAIN.lr")):
        with pytest.raises(ConfigError, match=f'--keys: there is {said}'):
            print_config([path, '--keys', names])
        assert not capsys.readouterr().out
