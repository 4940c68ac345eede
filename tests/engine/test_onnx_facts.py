"""What an exported file says about itself, and files that are none, or another's."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.engine.exported_model import graph_settings
from lib.engine.onnx_facts import MASKS, PICTURES, check_network, masks_path, read_configuration, read_facts
from lib.utils.errors import SniperError
from tests.engine import onnx_file

MEND = 'export the network again with scripts/export_onnx.py'


def config_of(*overrides):
    return load_config(None, ['symbol', 'sniper_tiny', 'dataset.NUM_CLASSES', 3, *overrides])


def test_facts_and_configuration(tmp_path):
    facts = onnx_file.facts(configuration={'TEST.NMS': 0.5, 'output_path': '/etc', 'gone': 1, 'symbol': 'sniper_tiny'})
    path = onnx_file.write(tmp_path / 'a.onnx', facts)
    assert read_facts(path) == facts
    assert read_configuration(path) == ['TEST.NMS', 0.5, 'symbol', 'sniper_tiny'], 'keys of folders are not taken over'


@pytest.mark.parametrize('content, words', [
    (b'', 'is no ONNX file'), (b'\xff\xd8\xff\xe0 a picture', 'is no ONNX file'),
    (b'PK\x03\x04' * 99, 'is no ONNX file'),
    (np.random.default_rng(0).bytes(5000), 'is no ONNX file'), (b'\x00' * 99, 'is no ONNX file'),
    (onnx_file.content(onnx_file.facts(), key='their'), 'of another program'),
    (onnx_file.content('{'), 'is no JSON object'), (onnx_file.content('[' * 100000), 'is no JSON object'),
    (onnx_file.content('[]'), 'is no JSON object'), (onnx_file.content(onnx_file.facts(format=2)), 'format 2'),
    (onnx_file.content(onnx_file.facts(kind=PICTURES)), 'suppresses by itself'),
    (onnx_file.content(onnx_file.facts(kind=MASKS)), 'makes masks alone'),
    (onnx_file.content(onnx_file.facts(kind=7)), "kind 7"),
    (onnx_file.content(onnx_file.facts(classes=[1])), r'damaged \(classes'),
    (onnx_file.content(onnx_file.facts(precision='int4')), r'damaged \(precision'),
    (onnx_file.content(onnx_file.facts(proof={'sum_output': ['a']})), r'damaged \(proof'),
    (onnx_file.content(onnx_file.facts(proof={'sum_output': [10 ** 400, 1]})), r'damaged \(proof'),
    (onnx_file.content(onnx_file.facts(proof={'sum_output': [1]})), r'damaged \(proof'),
    (onnx_file.content(onnx_file.facts(inputs=[])), r'damaged \(inputs'),
    (onnx_file.content(onnx_file.facts(symbol=None, settings=[])), r'damaged \(symbol, settings')])
def test_other_files(tmp_path, content, words):
    path = tmp_path / 'a.onnx'
    path.write_bytes(content)
    with pytest.raises(SniperError, match=words) as error:
        read_facts(str(path))
    assert 'a.onnx' in str(error.value)


def test_a_file_that_is_cut_anywhere(tmp_path):
    content, path = onnx_file.content(onnx_file.facts()), tmp_path / 'a.onnx'
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(SniperError, match='cut short|no ONNX file|another program'):
            read_facts(str(path))
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(SniperError, match='cut short: copy it anew'):
        read_facts(str(path))


def test_no_file_and_a_file_beyond_what_there_can_be(tmp_path):
    with pytest.raises(SniperError, match='a.onnx is missing: name a file'):
        read_facts(str(tmp_path / 'a.onnx'))
    os.mkfifo(tmp_path / 'pipe.onnx')
    with pytest.raises(SniperError, match='pipe.onnx is no plain file: name a file'):     # and does not wait
        read_facts(str(tmp_path / 'pipe.onnx'))
    path = onnx_file.write(tmp_path / 'b.onnx', onnx_file.facts())
    os.truncate(path, 5 << 29)
    with pytest.raises(SniperError, match='has 2.5 GiB, and an ONNX file has 2 at most'):
        read_facts(path)


def test_a_configuration_that_is_none_speaks_of_the_file(tmp_path):
    path = onnx_file.write(tmp_path / 'a.onnx', onnx_file.facts(configuration={'TEST.SCALES': 'nonsense'}))
    with pytest.raises(SniperError, match='a.onnx is damaged .in its configuration, .*TEST.SCALES.*: export'):
        read_configuration(path)


def test_the_network_of_the_configuration():
    config = config_of()
    facts = onnx_file.facts(config)
    check_network('a.onnx', facts, config, 'test')
    check_network('a.onnx', facts, config_of('TEST.BATCH_IMAGES', 7), 'test')
    more = dict(facts, settings=dict(facts['settings'], **{'TEST.WITH_MASK': True, 'TEST.AUTO_FOCUS': True}))
    check_network('a.onnx', more, config, 'test')
    for other, words in ((config_of('TEST.RPN_POST_NMS_TOP_N', 9), 'RPN_POST_NMS_TOP_N 300, now 9'),
                         (config_of('TEST.AUTO_FOCUS', True), 'AUTO_FOCUS False, now True'),
                         (config_of('symbol', 'resnet_mx_50_e2e'), 'is the network sniper_tiny, but')):
        with pytest.raises(SniperError, match=words):
            check_network('a.onnx', facts, other, 'test')
    with pytest.raises(SniperError, match="graph 'test', and 'proposal_test' is wanted"):
        check_network('a.onnx', facts, config, 'proposal_test')
    assert graph_settings(config)['TEST.BATCH_IMAGES'], 'or nothing is left out above'


def test_the_masks_beside_it(tmp_path):
    path, beside = str(tmp_path / 'a.onnx'), tmp_path / 'a.masks.onnx'
    facts = onnx_file.facts(masks='a.masks.onnx', pair='one')
    onnx_file.write(beside, onnx_file.facts(kind=MASKS, pair='one'))
    assert masks_path(path, facts) == str(beside)
    onnx_file.write(beside, onnx_file.facts(kind=MASKS, pair='another'))
    for changed, words in (({}, 'is not the mask network that belongs to'), ({'masks': ''}, 'without masks'),
                           ({'masks': '../a.masks.onnx'}, 'without masks'), ({'masks': 'b.onnx'}, 'is missing')):
        with pytest.raises(SniperError, match=words):
            masks_path(path, dict(facts, **changed))
