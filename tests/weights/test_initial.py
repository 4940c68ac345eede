"""What network.pretrained may name."""
import json

import pytest

from configs import load_config
from lib.utils.errors import SniperError
from lib.weights.initial import BY_NAME, MODELS, NEW, WHOLE, initial_weights, shipped_models


def named(*words):
    return initial_weights(load_config(None, ['symbol', 'sniper_tiny', 'network.pretrained', *map(str, words)]))


def weights(tmp_path, **facts):
    (tmp_path / 'W-0003.params').write_bytes(b'')
    (tmp_path / 'W-0003.json').write_text(json.dumps(facts))
    return tmp_path / 'W'


def test_shipped_models_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_models() == ['sniper_tiny', 'sniper_tiny_autofocus']
    found = named('sniper_tiny')
    assert found.path == f'{MODELS}/sniper_tiny-0000.params' and found.heads == BY_NAME and found.classes[1] == 'disc'
    (tmp_path / 'sniper_tiny-0000.params').write_bytes(b'')    # a file of the user's own comes first
    assert named('sniper_tiny') == ('sniper_tiny-0000.params', {}, NEW)


def test_a_prefix_or_a_file(tmp_path):
    prefix = weights(tmp_path, classes=['__background__', 'a'])
    for words in ((prefix, 'network.pretrained_epoch', 3), (f'{prefix}-0003.params',)):
        assert named(*words)[::2] == (f'{prefix}-0003.params', BY_NAME)
    (tmp_path / 'W-interrupted.params').write_bytes(b'')
    assert named(f'{prefix}-interrupted.params').classes == ()
    assert named('') is None


@pytest.mark.parametrize('kept, facts, heads', [
    ('auto', {}, NEW), ('auto', {'classes': []}, BY_NAME), ('by_name', {}, BY_NAME), ('True', {}, WHOLE),
    ('False', {'classes': ['a']}, NEW), ('auto', {'classes': 'a'}, NEW)])
def test_what_becomes_of_the_heads(tmp_path, kept, facts, heads):
    path = f'{weights(tmp_path, **facts)}-0003.params'
    assert named(path, 'network.KEEP_HEADS', kept).heads == heads


@pytest.mark.parametrize('words, said', [
    (['snipertiny'], r'neither a shipped model \(sniper_tiny, sniper_tiny_autofocus\) nor the beginning of '
                     'snipertiny-0000.params'),
    (['sniper_tiny', 'network.pretrained_epoch', '4'], r'shipped model \(sniper_tiny, sniper_tiny_autofocus\)'),
    (['no/W'], 'no/W-0000.params do not exist: fetch or convert them'),
    (['{}'], r'W-0000.params do not exist \(there are epochs 3: --set network.pretrained_epoch NUMBER\)'),
    (['{}-0004.params'], 'W-0004.params-0000.params do not exist')])
def test_what_is_not_there_is_one_line(tmp_path, words, said):
    prefix = weights(tmp_path)
    with pytest.raises(SniperError, match=said) as error:
        named(*(word.format(prefix) for word in words))
    assert '\n' not in str(error.value)
