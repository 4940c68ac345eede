"""Read one configuration file into plain values, with the line of every key.

Files are untrusted: the safe loader plus `!!python/tuple`, which the original's files write pairs with.
"""
import math
from typing import Dict, List, Tuple, Union

import yaml

from configs.schema import ConfigError

MOST_VALUES, MOST_CHARACTERS = 100000, 1000000  # believed of a file


class _Loader(yaml.SafeLoader):
    """The safe loader, tuples admitted, keys written twice refused."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in getattr(node, 'value', ()):
            if isinstance(key_node, yaml.ScalarNode) and key_node.value != '<<':
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'the key {key_node.value} stands twice', key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _construct_tuple(loader, node):
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(None, None, '!!python/tuple wants a list', node.start_mark)
    return tuple(loader.construct_sequence(node, deep=True))


def _refuse(loader, node):
    tag = node.tag.replace('tag:yaml.org,2002:', '!!')
    raise yaml.constructor.ConstructorError(
        None, None, f'the tag {tag} is not allowed; write plain values', node.start_mark)


_Loader.add_constructor('tag:yaml.org,2002:python/tuple', _construct_tuple)
_Loader.add_constructor(None, _refuse)


def texts_in(text: str) -> Union[str, List[str]]:
    """'[car, "ignore = van + tram"]', with or without quotes as in a file -> list of its texts; what is none -> the
    text itself."""
    try:
        found = yaml.load(text, Loader=_Loader) if text.strip().startswith('[') else None    # a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else text


def read_yaml(path: str, what: str = 'configuration file') -> Tuple[dict, Dict[str, int]]:
    """File -> (mapping, {dotted key: line number from 1}). what: what messages call the file.

    Raises ConfigError with the file and line for a missing or unreadable file, bad syntax, a tag beyond
    plain values and tuples, a key written twice, an empty file, or a top level that is no mapping.
    """
    try:
        with open(path, encoding='utf-8') as stream:
            text = stream.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        raise ConfigError(f'the {what} {path or repr(path)} does not exist; see configs/ for those there '
                          'are') from None
    except UnicodeDecodeError as error:
        raise ConfigError(f'cannot read the {what} {path}: it is no text in UTF-8 ({error}); save it as '
                          'that') from None
    except OSError as error:
        raise ConfigError(f'cannot read the {what} {path:.200}: {error.strerror or error}') from None
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f'{path} has more than {MOST_CHARACTERS} characters: it is no {what}')
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _unfolded_size(node, {})
        value = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError(_yaml_message(path, error)) from None
    except RecursionError:
        raise ConfigError(f'{path}: not a usable YAML file: its values are nested too deeply') from None
    except ValueError as error:  # 2001-99-99 as a date
        raise ConfigError(f'{path}: not a usable YAML file: {error}') from None
    if value is None:
        raise ConfigError(f'{path}: the {what} is empty')
    if not isinstance(value, dict):
        raise ConfigError(f'{path}: the top level must be a mapping of keys, as in TRAIN: {{lr: 0.01}}, not a '
                          f'{type(value).__name__}')
    return value, _key_lines(node)


def _unfolded_size(node, sizes):
    """Values below a node, those behind aliases counted every time; refused if they are more than anyone writes."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf  # until it is known: an alias of a value within itself meets this
        parts = getattr(node, 'value', ()) if isinstance(node, yaml.CollectionNode) else ()
        sizes[id(node)] = 1 + sum(_unfolded_size(part, sizes) for pair in parts
                                  for part in (pair if isinstance(pair, tuple) else (pair,)))
        if sizes[id(node)] > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f'its aliases (*name) unfold to more than {MOST_VALUES} values', node.start_mark)
    return sizes[id(node)]


def _yaml_message(path, error):
    mark = getattr(error, 'problem_mark', None) or getattr(error, 'context_mark', None)
    where = f'{path} line {mark.line + 1}' if mark else path
    problem = getattr(error, 'problem', None) or str(error).splitlines()[0]
    return f'{where}: not valid YAML: {problem}'


def _key_lines(node, prefix=''):
    lines = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            continue
        name = prefix + key_node.value
        lines[name] = key_node.start_mark.line + 1
        if isinstance(value_node, yaml.MappingNode):
            lines.update(_key_lines(value_node, name + '.'))
    return lines
