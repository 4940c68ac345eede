"""From defaults, YAML files and `--set` pairs to one configuration; later ones win.

A YAML file holds differences: `_base_: other.yml` (or a list of files), relative to the file itself, is
read first. Keys and kinds are those of configs/defaults.py and configs/legacy.py; anything else is a ConfigError.
"""
import ast
import copy
import difflib
import json
import logging
import os
import shlex
from typing import Iterable, Union

from easydict import EasyDict

from configs.defaults import KEYS
from configs.derived import derive
from configs.keys import ALL_KEYS, declared_keys, default_values, key_names
from configs.schema import FLOAT, INT_OR_INTS, PATH, PATHS, TEXT, TEXTS, ConfigError, Key
from configs.yaml_files import read_yaml, texts_in
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

BASE = '_base_'
DEFAULT, INHERITED, FILE, SET = 'default', 'inherited', 'file', '--set'  # where a value comes from, see source_of


class Config(EasyDict):
    """An EasyDict whose keys are fixed once it is loaded: assigning to a key that is not there raises."""

    def __setattr__(self, name, value):
        # __dict__, not the mapping: copy.deepcopy restores attributes before items.
        if self.__dict__.get('_frozen') and name not in self.__dict__:
            raise ConfigError(f'there is no configuration key {name}; the nearest valid key is '
                              f'{nearest_key(name, self.keys())}')
        super().__setattr__(name, value)

    __setitem__ = __setattr__


def load_config(path: Union[str, os.PathLike, None] = None, overrides: Iterable = (),
                base: Iterable = ()) -> EasyDict:
    """Defaults, then the file at `path`, then `overrides` (flat list: key, value, key, value, ...) -> EasyDict.

    base: such a list in the place of a file, what an exported network was made with.

    A value of `overrides` is a Python literal, or else a plain text; conversions as in configs/schema.py.
    Raises ConfigError naming the key, the file and the nearest valid key. Relations between keys are
    checked by `check_supported`, so that a pair may be set one after the other.
    """
    config = _defaults(ALL_KEYS)
    if path is not None:
        _apply_file(config, user_path(path), ())
    _apply_overrides(config, list(base))
    overrides = list(overrides)
    _apply_overrides(config, overrides)
    _leave_out_scales(config.TEST, set(map(str, overrides[::2])))
    _fit_lists(config.TEST)
    derive(config)
    return _freeze(config)


def source_of(config: EasyDict, name: str) -> str:
    """Where the value of a key ('TEST.TEST_EPOCH') that holds one number or text comes from: SET, FILE (the one that
    was asked for), INHERITED (from its `_base_`) or DEFAULT. A value that a program has assigned since counts as SET.
    """
    *sections, last = name.split('.')
    for section in sections:
        config = config[section]
    source, value = config.__dict__.get('_sources', {}).get(last, (DEFAULT, None))
    if source == DEFAULT:
        value = default_values([name])[name]
    return source if value == config[last] else SET


def config_name(path: Union[str, os.PathLike]) -> str:
    """Base name of a configuration file up to its first dot: names the output folder."""
    return os.path.basename(os.fspath(path)).split('.')[0]


def _defaults(keys):
    config = Config()
    for name, declared in keys.items():
        if isinstance(declared, Key):
            config[name] = copy.deepcopy(declared.kind.convert(declared.default))
        else:
            config[name] = _defaults(declared)
    return config


def _freeze(config):
    """Fix the keys of all sections; values may still change. (EasyDict would turn a method into a key.)"""
    for value in config.values():
        if isinstance(value, Config):
            _freeze(value)
    config.__dict__['_frozen'] = True
    return config


def _apply_file(config, path, parents):
    real = os.path.realpath(path)
    if real in parents:
        raise ConfigError(f'{path}: {BASE} leads back to the file itself')
    values, lines = read_yaml(path)
    bases = values.pop(BASE, [])
    for base in [bases] if isinstance(bases, str) else bases or []:
        if not isinstance(base, str):
            raise ConfigError(f'{path}: {BASE} wants a file name or a list of them')
        _apply_file(config, os.path.join(os.path.dirname(path), user_path(base)), parents + (real,))

    def where(name):
        return f'{path} line {lines[name]}' if name in lines else path
    _apply_mapping(config, ALL_KEYS, values, '', where, INHERITED if parents else FILE)


def _apply_mapping(config, keys, values, prefix, where, source):
    for name, value in values.items():
        full = f'{prefix}{name}'
        if name not in keys:
            raise ConfigError(f'{where(full)}: there is no configuration key {full}; the nearest valid key is '
                              f'{nearest_key(full)}')
        if isinstance(keys[name], Key):
            _assign(config, name, _convert(full, keys[name], value, where(full)), source)
        elif isinstance(value, dict):
            _apply_mapping(config[name], keys[name], value, full + '.', where, source)
        else:
            raise ConfigError('{}: {} is a section of keys ({}, ...), not a value'.format(
                where(full), full, ', '.join(list(keys[name])[:3])))


def _apply_overrides(config, words):
    for word in words[::2]:
        if str(word).startswith('--'):
            raise ConfigError(f'--set must come last and be given once, but {word} stands among its pairs')
        if '=' in str(word) and str(word).split('=')[0] in declared_keys():
            raise ConfigError(f'--set wants a key and its value apart: {str(word).replace("=", " ", 1)!r:.80}, not '
                              f'{word!r:.80}')
    if len(words) % 2:
        raise ConfigError(f'--set wants pairs KEY VALUE, but got {len(words)} words; the last one is {words[-1]!r}')
    for name, text in zip(words[::2], words[1::2]):
        node, keys = config, ALL_KEYS
        *sections, last = str(name).split('.')
        for section in sections:
            if section not in keys or isinstance(keys[section], Key):
                keys = {}
                break
            node, keys = node[section], keys[section]
        if last not in keys:
            raise ConfigError(f'--set: there is no configuration key {name}; the nearest valid key is '
                              f'{nearest_key(str(name))}')
        if not isinstance(keys[last], Key):
            raise ConfigError(f'--set: {name} is a section; set one of its keys, such as '
                              f'{name}.{next(iter(keys[last]))}')
        _assign(node, last, _convert(name, keys[last], _parse(text, keys[last]), '--set'), SET)
        if keys[last].unused:
            logger.warning('--set %s has no effect: the key is there so that old files load', name)


def _assign(section, name, value, source):
    section[name] = value
    section.__dict__.setdefault('_sources', {})[name] = source, value  # beside the keys, as _frozen is


def _parse(text, declared):
    """A word of the command line -> value: the Python literal it is, a list of texts without quotes, else the text."""
    if not isinstance(text, str):
        return text
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return texts_in(text) if declared.kind is TEXTS else text
    if declared.kind in (TEXT, PATH, PATHS) and isinstance(value, (int, float, tuple)) and not isinstance(value, bool):
        return text  # 5.33, 0,1: the key is a text, so what was typed is meant
    if declared.kind is FLOAT and type(value) is int and abs(value) < 2 ** 128:  # beyond, it is none
        return float(value)
    return value


def _convert(name, declared, value, where):
    try:
        value = declared.kind.convert(value)
    except (ValueError, OverflowError):
        got = 'nothing' if value is None else f'{value!r:.60} ({type(value).__name__})'
        raise ConfigError(f'{where}: {name} wants {declared.kind.wants}, got {got}'
                          f'{_as_texts(value, declared, where)}') from None
    except SniperError as error:
        raise ConfigError(f'{where}: {name}: {error}') from None
    if declared.choices and value not in declared.choices:
        raise ConfigError(f'{where}: {name} is {value!r}; it can be {" or ".join(repr(x) for x in declared.choices)}')
    return value


def _as_texts(value, declared, where):
    """How a text that was meant as a list of texts is written; shells take quotes away."""
    if declared.kind is not TEXTS or not isinstance(value, str):
        return ''
    words = (word.strip(' "\'') for word in value.strip(' []()').split(','))
    meant = json.dumps([word for word in words if word], ensure_ascii=False)
    return f': write {shlex.quote(meant) if where == "--set" else meant:.120}'


def _leave_out_scales(test, named):
    """Where --set (the keys `named`) gives fewer TEST.SCALES than the file has, and no ranges: those of the first, the
    last one without a limit, so that commands made for three scales hold for files with four."""
    scales = len(test.SCALES)
    if 'TEST.SCALES' not in named or any(test.DO_PRUNING):  # AutoFocus goes from coarse to fine
        return
    if 'TEST.VALID_RANGES' not in named and 0 < scales < len(test.VALID_RANGES):
        ranges = test.VALID_RANGES[:scales]
        test.VALID_RANGES = ranges[:-1] + [(ranges[-1][0] if scales > 1 else -1, -1)]
        logger.info('TEST.SCALES has %d entries and no TEST.VALID_RANGES beside it: these are %s', scales,
                    test.VALID_RANGES)
    if 'TEST.BATCH_IMAGES' not in named and not isinstance(test.BATCH_IMAGES, int):
        test.BATCH_IMAGES = test.BATCH_IMAGES[:scales]


def _fit_lists(test):
    """One BATCH_IMAGES for all scales becomes a list; ranges and switches that are all off get one entry a scale."""
    scales = len(test.SCALES)
    if set(test.VALID_RANGES) == {(-1, -1)}:
        test.VALID_RANGES = [(-1, -1)] * scales
    if isinstance(test.BATCH_IMAGES, int):
        test.BATCH_IMAGES = INT_OR_INTS.convert([test.BATCH_IMAGES] * scales)
    for name, declared in KEYS['TEST'].items():
        off = declared.default[0] if declared.per_scale else None
        if declared.per_scale and all(value == off for value in declared.default + test[name]):
            test[name] = [off] * scales


def nearest_key(name, names=None):
    """The valid key that looks most like `name`; a right last word counts most (lr -> TRAIN.lr)."""
    def likeness(candidate):
        one, other = name.lower(), candidate.lower()
        whole = difflib.SequenceMatcher(None, one, other).ratio()
        last = difflib.SequenceMatcher(None, one.split('.')[-1], other.split('.')[-1]).ratio()
        return whole + last
    return max(names or key_names() + list(ALL_KEYS), key=likeness)
