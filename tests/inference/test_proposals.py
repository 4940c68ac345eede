"""Extraction of proposals: rows, scales, blocks, files, and the command line."""
import json
import os

import numpy as np
import pytest

import main_test
from lib.dataset.proposals import read_proposals
from lib.inference.proposals import Parts, blocks_of, extract
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from tests.inference import fakes, tiny_data


class FakeProposals:
    """Proposals from a seed made of the slot's own pixels; the last two rows are padding."""

    devices = 1
    batches = 0

    def predict(self, batch):
        FakeProposals.batches += 1
        info = batch.data['im_info']
        rois, scores = np.zeros((len(info), 10, 5), np.float32), np.zeros((len(info), 10), np.float32)
        for slot, (height, width, _) in enumerate(info):
            pixels = batch.data['data'][slot, :, :int(height), :int(width)]
            rng = np.random.default_rng(int(abs(pixels.astype(np.float64).sum())))
            corners = rng.uniform(0, 0.5, (10, 2)) * (width, height)
            rois[slot] = np.hstack([np.full((10, 1), slot), corners, corners + (width / 4, height / 4)])
            scores[slot, :8] = -np.sort(-rng.uniform(0.1, 1, 8))
        return {'rois_output': rois.reshape(-1, 5), 'rois_score': scores.reshape(-1), 'im_ids': batch.data['im_ids']}

    def close(self):
        pass


def run(roidb, config, parts=None, block=4096):
    FakeProposals.batches = 0
    return extract(roidb, FakeProposals, config, parts, StageClock(), blocks_of(len(roidb), block))


@pytest.mark.parametrize('limit', [3, 300])
def test_scales_lie_one_below_the_other(tmp_path, limit):
    roidb, config = fakes.make_roidb(tmp_path), fakes.make_config(EXTRACT_PROPOSALS=True, N_PROPOSAL_PER_SCALE=limit)
    rows = run(roidb, config)
    each = min(limit, 8)
    assert [image.shape for image in rows] == [(2 * each, 5)] * len(roidb)
    for entry, image in zip(roidb, rows):
        assert (np.diff(image[:each, 4]) <= 0).all() and (np.diff(image[each:, 4]) <= 0).all()
        assert (image[:, 2] < entry['width']).all() and (image[:, 3] < entry['height']).all()
    for jobs, block in ((2, 4096), (1, 2)):
        config.TEST.CONCURRENT_JOBS = jobs
        for image, again in zip(rows, run(roidb, config, block=block)):
            np.testing.assert_array_equal(image, again)


def test_an_interrupted_extraction_goes_on(tmp_path):
    roidb, config = fakes.make_roidb(tmp_path), fakes.make_config(EXTRACT_PROPOSALS=True)
    expected = run(roidb, config)
    whole = FakeProposals.batches

    class Interrupted(FakeProposals):
        def predict(self, batch):
            if FakeProposals.batches >= 3:
                raise KeyboardInterrupt
            return super().predict(batch)

    FakeProposals.batches = 0
    with pytest.raises(KeyboardInterrupt):
        extract(roidb, Interrupted, config, Parts(config, str(tmp_path / 'out'), 'SET', {'weights': 'a'}), StageClock(),
                blocks_of(len(roidb), 2))
    found = sorted(os.listdir(str(tmp_path / 'out' / 'props_scale_60x80')))
    assert found[0] == 'SET_0000000.npz'
    parts = Parts(config, str(tmp_path / 'out'), 'SET', {'weights': 'a'})
    for image, again in zip(expected, run(roidb, config, parts, 2)):
        np.testing.assert_array_equal(image, again)
    assert 0 < FakeProposals.batches <= 2 * whole - 2
    done = FakeProposals.batches
    with open(str(tmp_path / 'out' / 'props_scale_60x80' / 'SET_0000000.npz'), 'r+b') as stream:
        stream.seek(200)
        stream.write(b'damage')
    run(roidb, config, Parts(config, str(tmp_path / 'out'), 'SET', {'weights': 'a'}), 2)
    assert 0 < FakeProposals.batches < done + 1  # the damaged part alone
    run(roidb, config, Parts(config, str(tmp_path / 'out'), 'SET', {'weights': 'b'}), 2)
    assert FakeProposals.batches >= whole  # other weights: nothing of it counts
    Parts(config, str(tmp_path / 'out'), 'SET', {}).remove()
    parts = Parts(config, str(tmp_path / 'out'), 'SET', {'weights': 'b'})
    run(roidb, config, parts, 2)
    assert FakeProposals.batches == 0
    parts.remove()
    assert os.listdir(str(tmp_path / 'out' / 'props_scale_60x80')) == []


def arguments(folder, *more):
    settings = tiny_data.settings(str(folder), EXTRACT_PROPOSALS=True, PROPOSAL_SAVE_PATH=str(folder / 'proposals'),
                                  N_PROPOSAL_PER_SCALE=15)
    return ['--cfg', tiny_data.CONFIG, '--set'] + settings + list(more)


def test_the_command_line(tmp_path, capsys):
    tiny_data.write_all(str(tmp_path))
    assert main_test.main(arguments(tmp_path)) == 0
    path = str(tmp_path / 'proposals' / 'COCO_val_rpn.npz')
    proposals = read_proposals(path)
    assert proposals.image_ids == ['10', '11', '12'] and proposals.origin['set'] == 'COCO_val'
    assert 0 < np.diff(proposals.start).max() <= 30
    for index, (width, height) in enumerate(tiny_data.SIZES):
        boxes = proposals.of_image(index)
        assert (boxes >= 0).all() and (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()
    with open(str(tmp_path / 'proposals' / 'COCO_val_rpn_recall.json')) as stream:
        assert set(json.load(stream)['recall50']['all']) == {'10', '100', '300', '1000'}
    assert '@1000' in capsys.readouterr().err
    before = os.stat(path).st_mtime_ns
    assert main_test.main(arguments(tmp_path)) == 0
    assert os.stat(path).st_mtime_ns == before and 'nothing to do' in capsys.readouterr().err
    assert main_test.main(arguments(tmp_path, 'TEST.N_PROPOSAL_PER_SCALE', '4')) == 0
    assert np.diff(read_proposals(path).start).max() <= 8


@pytest.mark.parametrize('jobs', [1, 2])
def test_an_image_that_cannot_be_read_has_none_and_ends_with_status_1(tmp_path, monkeypatch, jobs, capsys):
    roidb, config = fakes.make_roidb(tmp_path), fakes.make_config(EXTRACT_PROPOSALS=True, CONCURRENT_JOBS=jobs)
    expected = run(roidb, config)
    os.remove(roidb[1]['image'])
    for image, rows in enumerate(run(roidb, config)):
        np.testing.assert_array_equal(rows, expected[image][:0 if image == 1 else None])
    if jobs == 2:
        return
    tiny_data.write_all(str(tmp_path))
    (tmp_path / 'data' / 'images' / 'val' / 'picture1.png').write_bytes(b'GIF89a')
    words = ['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(str(tmp_path), EXTRACT_PROPOSALS='True') + [
        'TEST.PROPOSAL_SAVE_PATH', str(tmp_path / 'proposals')]
    with pytest.raises(SniperError, match=r'1 of 3 images could not be read \(image .*picture1.png is a GIF, .*: '
                       'the file has no proposals'):
        main_test.main(words)
    found = read_proposals(str(tmp_path / 'proposals' / 'COCO_val_rpn.npz'))
    assert [len(found.rows(image)) > 0 for image in range(3)] == [True, False, True]
    assert 'recall of ' in capsys.readouterr().err


def test_weights_that_are_not_there(tmp_path):
    tiny_data.write_data(str(tmp_path / 'data'))
    with pytest.raises(SniperError, match='do not exist'):
        main_test.main(arguments(tmp_path))
    with pytest.raises(SniperError, match='leave one of them out'):
        main_test.main(['--vis'] + arguments(tmp_path))
