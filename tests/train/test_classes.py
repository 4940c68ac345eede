"""Classes of the training set beside those of the weights that training goes on with."""
import json

import numpy as np
import pytest

from configs import load_config
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import make_record
from lib.train.classes import in_known_classes
from lib.utils.errors import SniperError

KNOWN = ('__background__', 'disc', 'box', 'star')


def side_file(path, **more):
    facts = {'epoch': 1, 'batch': 0, 'batch_size': 4, 'num_update': 3, 'files': {}, 'classes': list(KNOWN)}
    path.write_text(json.dumps(dict(facts, **more)))


def weights(stem, **more):
    """A parameter file that nobody reads here, with its side file."""
    stem.with_suffix('.params').write_bytes(b'')
    side_file(stem.with_suffix('.json'), **more)


def roidb_of(labels):
    return [make_record('a.jpg', 1, 90, 80, [[1, 2, 30, 40]] * len(labels), labels)]


def settle(tmp_path, names, labels=(1, 2, 3), resume=True, words=(), compact=False):
    """-> labels and classes to train with."""
    config = load_config('configs/faster/sniper_tiny_e2e.yml', words)
    roidb = roidb_of(labels)
    roidb = CompactRoidb.from_records(roidb) if compact else roidb
    roidb, classes = in_known_classes(config, str(tmp_path / 'S'), resume, roidb, ('__background__', *names))
    assert roidb[0]['gt_classes'].dtype == np.int32
    return roidb[0]['gt_classes'].tolist(), classes


@pytest.mark.parametrize('compact', [False, True])
def test_another_order_becomes_that_of_the_checkpoint(tmp_path, caplog, compact):
    side_file(tmp_path / 'S-0001.json')
    assert settle(tmp_path, ('star', 'box', 'disc'), compact=compact) == ([3, 2, 1], KNOWN)
    assert 'the classes of the data set came in another order: training goes on with the classes of' in caplog.text
    caplog.clear()
    assert settle(tmp_path, ('disc', 'box', 'star')) == ([1, 2, 3], KNOWN) and not caplog.text


def test_spelling_and_absent_classes(tmp_path, caplog):
    side_file(tmp_path / 'S-interrupted.json')
    assert settle(tmp_path, ('Star', 'disc'), (1, 2)) == ([3, 1], KNOWN)
    assert 'spelt differently (Star is star)' in caplog.text and 'the data set has no box' in caplog.text


@pytest.mark.parametrize('names, unknown', [(('Scheibe', 'box', 'star'), 'Scheibe'), (('a', 'b', 'c'), 'a, b, c'),
                                            (('disc', 'box', 'star', 'ring'), 'ring')])
def test_other_names_are_refused(tmp_path, names, unknown):
    side_file(tmp_path / 'S-0001.json')
    with pytest.raises(SniperError) as error:
        settle(tmp_path, names)
    text = str(error.value)
    assert f'The data: {len(names)} ({", ".join(names)}); there: 3 (disc, box, star)' in text
    assert f'not known there: {unknown}.' in text and 'start anew without --resume' in text and '\n' not in text


def test_kept_heads_too(tmp_path):
    weights(tmp_path / 'W-0002')
    words = ['network.pretrained', str(tmp_path / 'W'), 'network.pretrained_epoch', '2', 'network.KEEP_HEADS', 'True']
    for resume in (False, True):  # nothing to resume: training begins with the kept heads
        assert settle(tmp_path, ('star', 'box', 'disc'), resume=resume, words=words) == ([3, 2, 1], KNOWN)
        with pytest.raises(SniperError, match='W-0002.params .network.KEEP_HEADS.*network.KEEP_HEADS by_name'):
            settle(tmp_path, ('cell',), (1,), resume, words)
    for other in ('False', 'auto', 'by_name'):
        words[-1] = other
        assert settle(tmp_path, ('cell',), (1,), words=words) == ([1], ('__background__', 'cell'))


def test_the_run_is_asked_before_the_kept_heads(tmp_path):
    side_file(tmp_path / 'S-0001.json', classes=['__background__', 'star', 'disc', 'box'])
    weights(tmp_path / 'W-0000')
    words = ['network.pretrained', str(tmp_path / 'W'), 'network.KEEP_HEADS', 'True']
    assert settle(tmp_path, KNOWN[1:], words=words)[0] == [2, 3, 1]
    assert settle(tmp_path, KNOWN[1:], words=words, resume=False)[0] == [1, 2, 3]


def test_where_classes_do_not_matter(tmp_path):
    """No side file, one without classes, a network that tells no classes apart, now or when its weights were made."""
    assert settle(tmp_path, ('b', 'a'), (1, 2)) == ([1, 2], ('__background__', 'b', 'a'))
    for more in ({'classes': None}, {'classes': 'disc'}, {'classes': [1]}, {'tells_classes': False}):
        side_file(tmp_path / 'S-0001.json', **more)
        assert settle(tmp_path, ('b', 'a'), (1, 2))[0] == [1, 2]
    side_file(tmp_path / 'S-0001.json')
    assert settle(tmp_path, ('b', 'a'), (1, 2), words=['TRAIN.ONLY_PROPOSAL', 'True'])[0] == [1, 2]
