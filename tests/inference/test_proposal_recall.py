"""The command on proposal files: files of ours and of the original, and what can be wrong with them."""
import json
import os
import pickle

import numpy as np
import pytest

from lib.dataset.proposals import ProposalSet, write_proposals
from lib.inference import proposal_recall
from lib.utils.errors import SniperError
from tests.inference import tiny_data

BOX = [5, 6, 34, 45]    # the object of each picture of tiny_data
ROWS = [np.array([[*BOX, 0.9], [60, 0, 90, 20, 0.8], [61, 0, 90, 20, 0.7]], np.float32),
        np.array([[*BOX[:3], 33, 0.5], [0, 60, 20, 90, 0.6]], np.float32), np.zeros((0, 5), np.float32)]


@pytest.fixture
def data(tmp_path):
    tiny_data.write_data(str(tmp_path / 'data'))
    return tmp_path


def run(data, *words):
    settings = tiny_data.settings(str(data)) + ['dataset.image_set', 'val', 'proposal_path', str(data / 'found')]
    out = str(data / 'figures.json')
    assert proposal_recall.main(['--cfg', tiny_data.CONFIG, '--json', out, *words, '--set', *settings]) == 0
    with open(out) as stream:
        return json.load(stream)['COCO_val']


def test_a_file_as_training_finds_it(data, capsys):
    """NMS leaves one of two that overlap; IoU of the second picture's best is 0.7."""
    write_proposals(str(data / 'found' / 'COCO_val_rpn.npz'), ProposalSet.from_images(ROWS, ['10', '11', '12']))
    figures = run(data)
    assert figures['images'] == 3 and figures['without'] == 1
    assert figures['proposals'] == pytest.approx(4 / 3) and figures['elsewhere'] == pytest.approx(2 / 3)
    assert figures['recall50']['all']['10'] == pytest.approx(2 / 3)
    assert figures['average_recall']['all']['1000'] == pytest.approx((1 + 0.5) / 3)
    out = capsys.readouterr().out
    assert 'COCO_val: 3 images' in out and '1 images have no proposals' in out and '@1000' in out


def test_a_pickle_of_the_original(data):
    path = str(data / 'old.pkl')
    with open(path, 'wb') as stream:
        pickle.dump(ROWS, stream)
    assert run(data, '--test', '--proposals', path)['recall50']['all']['10'] == pytest.approx(2 / 3)
    with open(path, 'wb') as stream:
        pickle.dump(ROWS[:2], stream)
    with pytest.raises(SniperError, match='holds proposals of 2 images, but the data set has 3'):
        run(data, '--proposals', path)


def test_bad_input(data):
    with pytest.raises(SniperError, match='there is no proposal file .*COCO_val_rpn.npz'):   # and no key is blamed
        run(data)
    (data / 'text.pkl').write_text('# a title')
    with pytest.raises(SniperError, match='text.pkl is not read: it is no pickle of plain data'):
        run(data, '--proposals', str(data / 'text.pkl'))
    with pytest.raises(SniperError, match='nothing.npz cannot be read: No such file'):
        run(data, '--proposals', str(data / 'nothing.npz'))
    words = ['--cfg', tiny_data.CONFIG, '--proposals', 'a.npz', '--set', *tiny_data.settings(str(data))]
    with pytest.raises(SniperError, match="a.npz is a file of one set, but dataset.image_set 'val[+]other' has 2"):
        proposal_recall.main([*words, 'dataset.image_set', 'val+other'])
    assert not os.path.exists(str(data / 'figures.json'))
