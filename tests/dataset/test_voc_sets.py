"""Splitting a plain folder into train and test."""
import pytest

from lib.dataset import get_dataset
from lib.dataset.voc_sets import main
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import make_part, write, xml


def ids(folder, name):
    return get_dataset('PascalVOC', name, folder, folder).image_ids


def test_split(tmp_path, capsys):
    folder = make_part(tmp_path, {f'i{number:02d}': xml(('cell', 1, 1, 9, 9)) for number in range(20)})
    assert main([folder, '--test', '0.25']) == 0
    train, test = ids(folder, 'train'), ids(folder, 'test')
    assert (len(train), len(test)) == (15, 5) and sorted(train + test) == ids(folder, 'all')
    assert test != ids(folder, 'all')[-5:]
    assert 'train.txt: 15 images' in capsys.readouterr().out
    with pytest.raises(SniperError, match='train.txt exists'):
        main([folder])
    other = make_part(tmp_path / 'other', {f'i{number:02d}': xml(('cell', 1, 1, 9, 9)) for number in range(20)})
    main([other, '--test', '0.25'])
    assert ids(other, 'test') == test
    again = make_part(tmp_path / 'again', {f'i{number:02d}': xml(('cell', 1, 1, 9, 9)) for number in range(20)})
    main([again, '--test', '0.25', '--seed', '1'])
    assert ids(again, 'test') != test


@pytest.mark.parametrize('annotations, arguments, part', [
    ({'a': xml()}, [], 'has one annotation'), ({}, [], 'lists no images'), ({'a': xml()}, ['--test', '1'], '--test')])
def test_mistakes(tmp_path, annotations, arguments, part):
    with pytest.raises(SniperError, match=part):
        main([make_part(tmp_path, annotations)] + arguments)


def test_no_annotations(tmp_path):
    with pytest.raises(SniperError, match='nor a folder Annotations'):
        main([str(tmp_path)])
    make_part(tmp_path / 'VOC2007', {'a': xml()})
    with pytest.raises(SniperError, match='holds 1 folders of data'):
        main([str(tmp_path)])


def test_files_beside_each_other(tmp_path):
    for number in range(4):
        write(tmp_path / f'{number}.xml', xml(('cell', 1, 1, 9, 9)))
    main([str(tmp_path)])
    assert len(ids(str(tmp_path), 'train')) == 3
