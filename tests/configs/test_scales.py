"""How scales are written: what is taken, in which spelling, and what a mistake is told."""
import os

import pytest

from configs import ConfigError, check_supported, load_config, values_affecting
from configs.scales import ascending, check_scales, read_scale, scale_name
from tests.conftest import ROOT

TINY = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')

# as a file or --set has it -> as a configuration holds it, in TRAIN and in TEST
TAKEN = [
    ('[2x, 1x, 256px]', ['2x', '1x', '256px']),
    ('2x,1x,256px', ['2x', '1x', '256px']),
    ("['2X', \"1 x\", '256 PX']", ['2x', '1x', '256px']),
    ('[x2, x 1.0, 256 pixels]', ['2x', '1x', '256px']),
    ('[2×, .5x, 1e-1x]', ['2x', '0.5x', '0.1x']),
    ('[(960, 1280), 2x, 256px]', [(960, 1280), '2x', '256px']),
    ('[[960, 1280], [480.5, 640], [-1, 256]]', [(960, 1280), (480.5, 640), (-1, 256)]),
    ('0.33x', ['0.33x']),
]
# what is wrong -> parts of the line, whichever the key
REFUSED = [
    ('[0x, 1x, 256px]', ["'0x'", 'above 0']), ('[-2x, 1x, 256px]', ["'-2x'", 'above 0']),
    ('[nanx, 1x, 256px]', ["'nanx'", 'such as 2x']), ('[2x, nan, 256px]', ["'nan'", 'such as 2x']),
    ('[1e999x, 1x, 256px]', ["'1e999x'", 'at most 100']), ('[infx, 1x, 256px]', ["'infx'"]),
    ('[1000x, 1x, 256px]', ["'1000x'", 'at most 100']), ('[2x, 1x, 0.5px]', ["'0.5px'", '8', 'pixels']),
    ('[2x, 1x, 1e9px]', ["'1e9px'", '65535']), ('[two, 1x, 256px]', ["'two'", '256px']),
    ('[2%, 1x, 256px]', ["'2%'"]), ('[2x 1x, 256px]', ["'2x 1x'"]), ('[2m, 1x, 256px]', ["'2m'"]),
    ('[[2x, 1x], 1x, 1x]', ['wants a list of scales']), ('[True, 1x, 1x]', ["'True'"]), ('', ['wants a list']),
    ('[2x, 1x', ['wants a list']), ('[[1, 2, 3], 1x, 1x]', ['a pair of pixels']), ('{a: 2x}', ['256px']),
]


def scales(section, text):
    return load_config(TINY, [section + '.SCALES', text])[section].SCALES


@pytest.mark.parametrize('section', ['TRAIN', 'TEST'])
@pytest.mark.parametrize('text, wanted', TAKEN)
def test_forms(section, text, wanted):
    assert scales(section, text) == wanted
    assert scales(section, wanted) == wanted


@pytest.mark.parametrize('section', ['TRAIN', 'TEST'])
@pytest.mark.parametrize('text, parts', REFUSED)
def test_mistakes(section, text, parts):
    with pytest.raises(ConfigError) as caught:
        scales(section, text)
    message = str(caught.value)
    assert '\n' not in message and all(part in message for part in [section + '.SCALES'] + parts), message


def test_a_pair_is_no_width_and_height():
    for section in ('TRAIN', 'TEST'):
        with pytest.raises(ConfigError, match=r'the short side comes first: write \[480, 640\], or 480px for the long'):
            check_scales(section, [(640, 480), '1x'])
        check_scales(section, [(480, 640), (-1, 640), (640, 640)])


def test_a_file_writes_them_without_quotes(tmp_path):
    path = tmp_path / 'own.yml'
    path.write_text('TRAIN:\n  SCALES: [2x, 1x, 256px]\nTEST:\n  SCALES: [2.0, 1, [480, 640], 256px]\n')
    config = load_config(path)
    assert config.TRAIN.SCALES == ['2x', '1x', '256px']
    assert config.TEST.SCALES == ['2x', '1x', (480, 640), '256px']
    path.write_text('TEST:\n  SCALES: [2x, 1y]\n')
    with pytest.raises(ConfigError, match=r"own.yml line 2: TEST.SCALES: the scale '1y'"):
        load_config(path)


def test_numbers_in_training_are_factors_and_last_pixels():
    assert scales('TRAIN', '[2, 1.5, 256]') == [2.0, 1.5, 256.0]
    # the case of a user, who meant factors, and its kind
    for text, parts in [('[2.0, 1.0, 0.5]', ['[2, 1, 0.5]', 'pixels of the long side', '[2x, 1x, 0.5x]', '256px']),
                        ('[2.0]', ['[2]', '[2x]']), ('[3, 2, 1]', ['[3x, 2x, 1x]']),
                        ('[2.0, 1.0, 31]', ['31 are too few']),
                        ('[800, 1280, 512]', ['800 is none', '800px', 'brackets']),
                        ('[2x, 1x, 256]', ['write 256px']), ('[2x, 1x, 0.5]', ['write 0.5x']),
                        ('[[480, 640], [240, 320], 512]', ['write 512px']),
                        ('[[2, 1], [1, 2], 512px]', ['the pair [2', '[2x, 1x]'])]:
        value = scales('TRAIN', text)
        config = load_config(TINY, ['TRAIN.SCALES', value, 'TRAIN.VALID_RANGES', [(-1, -1)] * len(value)])
        with pytest.raises(ConfigError) as caught:
            check_supported(config, 'train')
        message = str(caught.value)
        assert '\n' not in message and all(part in message for part in ['TRAIN.SCALES'] + parts), message


def test_numbers_in_a_test_are_factors():
    assert scales('TEST', '[2, 1.5, 0.33]') == scales('TEST', '[2x, 1.5x, 0.33x]')
    for text in ('[800, 1280]', '(480, 640)', '[2x, 1x, 256]'):
        with pytest.raises(ConfigError, match=r'TEST.SCALES: .*px for pixels of the long side, or a pair in brackets'):
            scales('TEST', text)


def test_equal_scales_are_equal_to_caches():
    def shown(text):
        return values_affecting(load_config(TINY, ['TEST.SCALES', text]), 'detections', scale=0)
    assert shown('[2x]') == shown('[2.0]') == shown("['2 X']") != shown('[2.1x]')


def test_names_and_order():
    names = [scale_name(scale) for scale in ('0.33x', '256px', (960, 1280), (480.5, 640))]
    assert names == ['0.33x', '256px', '960x1280', '480.5x640']
    assert ascending('0.5x', '2x') and ascending('256px', '512px') and ascending((480, 640), (480, 800))
    assert not ascending('2x', '2x') and not ascending('2x', '0.5x') and not ascending((480, 640), (400, 800))
    assert ascending('2x', '256px') and ascending('256px', '2x')  # which is finer depends on the image
    assert read_scale(' 2 X ') == ('x', 2) and read_scale('256px') == ('px', 256)


@pytest.mark.parametrize('scales, ranges', [
    ('[[3360,4480],[1680,2240],[672,896]]', [(-1, 48), (20, 120), (60, -1)]), ('[1x]', [(-1, -1)]),
    ('[2x,1x,0.33x,256px]', [(-1, 48), (20, 120), (60, 640), (480, -1)])])
def test_fewer_test_scales_than_the_file_has(scales, ranges):
    """Commands that were made for three scales, or one, without ranges."""
    config = load_config(TINY, ['TEST.SCALES', scales])
    check_supported(config, 'test')
    assert config.TEST.VALID_RANGES == ranges and len(config.TEST.BATCH_IMAGES) == len(ranges)
    config = load_config(TINY, ['TEST.SCALES', '[2x,1x]', 'TEST.VALID_RANGES', '[(-1,30),(20,-1)]'])
    assert config.TEST.VALID_RANGES == [(-1, 30), (20, -1)]


def test_what_a_network_was_made_with_is_left_out_like_a_files():
    base = ['TEST.SCALES', '[2x, 1x]', 'TEST.VALID_RANGES', '[(-1, 60), (20, -1)]', 'TEST.BATCH_IMAGES', '[2, 4]']
    test = load_config(None, ['TEST.SCALES', '[1x]'], base=base).TEST
    assert (test.VALID_RANGES, test.BATCH_IMAGES) == ([(-1, -1)], [2])
    assert len(load_config(None, base=base).TEST.VALID_RANGES) == 2


def test_scales_of_autofocus_are_not_left_out():
    words = ['TEST.SCALES', '[2x]']
    with pytest.raises(ConfigError, match='give one range a scale'):
        check_supported(load_config(TINY.replace('e2e', 'autofocus'), words), 'test')


def test_the_size_of_the_input_is_of_tests_alone():
    config = load_config(None, ['TEST.SCALES', '[Input]', 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', '1'])
    assert config.TEST.SCALES == ['input']
    with pytest.raises(ConfigError, match="the scale 'input' is none"):
        load_config(None, ['TRAIN.SCALES', '[input]'])
