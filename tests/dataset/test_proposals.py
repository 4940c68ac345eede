"""Proposal files: both formats, what NMS leaves, damage, and the way into the roidb."""
import os
import shutil
import zipfile
import zlib

import numpy as np
import pytest

from configs import load_config
from lib.dataset import proposals as proposals_module
from lib.dataset.coco import CocoDataset, python2_dict_order
from lib.dataset.loading import with_mirrored_copies
from lib.dataset.proposals import (
    ProposalSet,
    add_proposals,
    after_nms,
    attach_proposals,
    find_proposal_file,
    read_original,
    read_proposals,
    with_proposals,
    write_proposals,
)
from lib.dataset.roidb import make_record
from lib.utils.errors import SniperError
from lib.utils.npz import read_origin
from tests.dataset.proposal_data import python2_pickle, random_rows
from tests.golden import golden_file


def some_proposals(count=5):
    rng = np.random.default_rng(1)
    rows = [random_rows(rng, int(n)) for n in rng.integers(0, 30, count)]
    rows[1] = np.zeros((0, 5), np.float32)
    return rows, ProposalSet.from_images(rows, range(10, 10 + count), {'weights': 'abc'})


def test_written_and_read(tmp_path):
    rows, proposals = some_proposals()
    path = str(tmp_path / 'a' / 'x_rpn.npz')
    write_proposals(path, proposals)
    read = read_proposals(path)
    assert read.image_ids == ['10', '11', '12', '13', '14'] and read.origin == {'weights': 'abc', 'format': 1}
    assert read_origin(path) == read.origin and os.listdir(str(tmp_path / 'a')) == ['x_rpn.npz']
    for index, image in enumerate(rows):
        np.testing.assert_array_equal(read.rows(index), image)
        np.testing.assert_array_equal(read.of_image(index), image[:, :4])
    with np.load(path, allow_pickle=False) as plain:  # the documented names, for anybody
        assert set(plain.files) == {'boxes', 'scores', 'rows_per_image', 'image_ids', 'origin'}


def test_damage_is_one_line(tmp_path):
    path, broken = str(tmp_path / 'x.npz'), str(tmp_path / 'broken.npz')
    write_proposals(path, some_proposals()[1])
    with open(path, 'rb') as stream:
        content = stream.read()

    def check(data, *parts):
        with open(broken, 'wb') as stream:
            stream.write(data)
        with pytest.raises(SniperError) as caught:
            read_proposals(broken)
        assert '\n' not in str(caught.value) and broken in str(caught.value)
        assert all(part in str(caught.value) for part in parts)

    for length in range(0, len(content), 97):
        check(content[:length])
    place = content.index(b'boxes.npy') + 300
    check(content[:place] + bytes([content[place] ^ 1]) + content[place + 1:], 'damaged')  # CRC
    check(b'no archive at all')
    assert read_origin(broken) is None and read_origin(str(tmp_path / 'nothing')) is None
    with pytest.raises(SniperError, match='cannot be read'):
        read_proposals(str(tmp_path / 'nothing'))


def rewritten(path, target, **arrays):
    with np.load(path) as file:
        content = dict(file)
    content.update(arrays)
    np.savez(target, **content)
    return str(target)


def test_arrays_that_do_not_fit_together(tmp_path):
    path = str(tmp_path / 'x.npz')
    write_proposals(path, some_proposals()[1])
    for name, array in (('scores', np.zeros(3, np.float32)), ('boxes', np.zeros((4, 5), np.float32)),
                        ('rows_per_image', np.array([-1, 1])), ('image_ids', np.arange(5)),
                        ('boxes', np.array([None], object))):
        with pytest.raises(SniperError, match='damaged'):
            read_proposals(rewritten(path, tmp_path / 'y.npz', **{name: array}))
    with pytest.raises(SniperError, match='format'):
        read_proposals(rewritten(path, tmp_path / 'y.npz', origin=np.array('{"format": 99}')))


def test_a_header_that_asks_for_more_than_there_is(tmp_path):
    path = str(tmp_path / 'x.npz')
    write_proposals(path, some_proposals()[1])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(str(tmp_path / 'y.npz'), 'w') as new:
        for name in old.namelist():
            data = old.read(name)
            if name == 'scores.npy':
                data = data.replace(b"'shape': (", b"'shape': (9999999999999,", 1)[:len(data)]
            new.writestr(name, data)
    with pytest.raises(SniperError, match='damaged'):
        read_proposals(str(tmp_path / 'y.npz'))


def test_rows_that_are_not_finite_are_left_out(tmp_path, caplog):
    rows = [random_rows(np.random.default_rng(0), 4) for _ in range(2)]
    rows[0][1, 2], rows[1][3, 4] = np.nan, np.inf
    write_proposals(str(tmp_path / 'x.npz'), ProposalSet.from_images(rows, [1, 2]))
    read = read_proposals(str(tmp_path / 'x.npz'))
    np.testing.assert_array_equal(read.rows(0), rows[0][[0, 2, 3]])
    np.testing.assert_array_equal(read.rows(1), rows[1][:3])
    assert '2 of 8' in caplog.text


def test_nms_against_the_original():
    with np.load(golden_file('pipeline/roidb_coco.npz')) as golden:
        parts = golden['proposals_off']
        rows = [golden['proposals'][a:b] for a, b in zip(parts[:-1], parts[1:])]
        kept = after_nms(ProposalSet.from_images(rows, range(len(rows))))
        np.testing.assert_array_equal(kept.start, golden['after_nms_off'])
        np.testing.assert_array_equal(np.column_stack([kept.boxes, kept.scores]), golden['after_nms'])


def test_merged_rows_against_the_original():
    """Objects and proposals of the golden set, then mirrored: boxes, labels and overlaps."""
    with np.load(golden_file('pipeline/roidb_coco.npz')) as file:
        golden = {name: file[name] for name in file.files}
    counts, start = golden['gt_n'], np.concatenate([[0], np.cumsum(golden['gt_n'])])
    roidb = []
    for image, count in enumerate(counts):
        part = slice(start[image], start[image] + count)
        width, height = golden['gt_size'][image]
        roidb.append(make_record('x', image, width, height, golden['gt_boxes'][part], golden['gt_gt_classes'][part]))
    off = golden['after_nms_off']
    kept = ProposalSet.from_images([golden['after_nms'][a:b] for a, b in zip(off[:-1], off[1:])], range(len(counts)))
    merged = [with_proposals(record) for record in with_mirrored_copies(attach_proposals(roidb, kept, 'file'))]
    np.testing.assert_array_equal([len(record['boxes']) for record in merged], golden['prop_n'])
    for name in ('boxes', 'gt_classes', 'max_overlaps', 'max_classes'):
        found = np.concatenate([record[name] for record in merged])
        np.testing.assert_allclose(found, golden['prop_' + name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_image_order_of_python_2():
    with np.load(golden_file('pipeline/image_order_py2.npz')) as golden:
        for number in range(int(golden['n_cases'])):
            name = f'{number:03d}/'
            assert python2_dict_order(golden[name + 'ids'].tolist()) == golden[name + 'order'].tolist()
        count, modulus, factor = (int(golden['big/' + name]) for name in ('n', 'modulus', 'multiplier'))
        order = np.array(python2_dict_order([k * factor % modulus for k in range(count)]), '<i4')
        assert zlib.crc32(order.tobytes()) == golden['big/order_crc32']
    for keys in (['a'], [1, 1], [-1], [True]):
        with pytest.raises(ValueError):
            python2_dict_order(keys)


def test_files_of_another_set_or_shape(tmp_path):
    path = str(tmp_path / 'x_rpn.pkl')
    rows = [random_rows(np.random.default_rng(0), 4) for _ in range(3)]

    def check(images, ids, message):
        with open(path, 'wb') as stream:
            stream.write(python2_pickle(images))
        with pytest.raises(SniperError, match=message):
            read_original(path, ids)

    check(rows, [1, 2], '3 images, but the data set has 2')
    check([rows[0], rows[1][:, :4]], [1, 2], r'entry 1 is no array of shape \(n, 5\)')
    roidb = [make_record('a', 7, 50, 40, [[1, 2, 3, 4]], [1])]
    with pytest.raises(SniperError, match='no entry for 1 of 1 images'):
        attach_proposals(roidb, some_proposals()[1], 'file')


@pytest.fixture
def coco(tmp_path):
    """The golden COCO set on disk and a configuration for it."""
    import json
    with open(golden_file('pipeline/roidb_coco.json')) as stream:
        content = json.load(stream)
    annotations = content['annotations']['train2014']
    folder = tmp_path / 'coco' / 'annotations'
    folder.mkdir(parents=True)
    with open(str(folder / 'instances_train2014.json'), 'w') as stream:
        json.dump(annotations, stream)
    config = load_config(None, ['proposal_path', str(tmp_path / 'proposals'), 'dataset.dataset', 'coco'])
    os.makedirs(config.proposal_path)
    return config, CocoDataset('train2014', str(tmp_path), str(tmp_path / 'coco'))


def test_the_originals_file_finds_its_images(coco, caplog):
    config, dataset = coco
    path = os.path.join(config.proposal_path, 'COCO_train2014_rpn.pkl')
    shutil.copy(golden_file('pipeline/COCO_train2014_rpn.pkl'), path)
    os.chmod(path, 0o644)
    with np.load(golden_file('pipeline/roidb_coco.npz')) as golden:
        assert dataset.original_image_ids() == golden['image_ids'].tolist()
        off = golden['after_nms_off']
        expected = {image_id: golden['after_nms'][a:b, :4]
                    for image_id, a, b in zip(golden['image_ids'].tolist(), off[:-1], off[1:])}
    roidb = dataset.roidb()
    for _ in range(2):  # the second time from the cache
        records = add_proposals(config, dataset, roidb)
        for record in records:
            np.testing.assert_array_equal(record['proposals'], expected[record['image_id']])
    cache = os.path.join(config.proposal_path, 'COCO_train2014_rpn_after_nms.npz')
    before = os.stat(cache).st_mtime_ns
    add_proposals(config, dataset, roidb)
    assert os.stat(cache).st_mtime_ns == before
    with open(cache, 'r+b') as stream:
        stream.seek(os.path.getsize(cache) // 2)
        stream.write(bytes(200))
    again = add_proposals(config, dataset, roidb)
    assert 'NMS of the proposals is done anew' in caplog.text
    for record in again:
        np.testing.assert_array_equal(record['proposals'], expected[record['image_id']])
    rows = [random_rows(np.random.default_rng(2), 3)] * len(roidb)
    with open(path, 'wb') as stream:
        stream.write(python2_pickle(rows))  # a new file: the cache must not hide it
    assert all(len(record['proposals']) <= 3 for record in add_proposals(config, dataset, roidb))


def test_ours_is_preferred_and_absence_names_the_ways(coco):
    config, dataset = coco
    with pytest.raises(SniperError) as caught:
        find_proposal_file(config, dataset.name)
    path = os.path.join(config.proposal_path, dataset.name + '_rpn.npz')
    os.makedirs(path)
    with pytest.raises(SniperError, match='proposal file .*_rpn.npz is a folder, not a file'):
        find_proposal_file(config, dataset.name)
    os.rmdir(path)
    message = str(caught.value)
    assert '\n' not in message
    for part in ('train_neg_props_and_sniper.sh', 'TEST.EXTRACT_PROPOSALS True', 'COCO_train2014_rpn.pkl',
                 '--set TRAIN.USE_NEG_CHIPS False', '(1)', '(2)', '(3)'):
        assert part in message
    for ending in ('_after_nms.pkl', '.pkl', '.npz'):
        path = os.path.join(config.proposal_path, 'COCO_train2014_rpn' + ending)
        open(path, 'w').close()
        assert find_proposal_file(config, dataset.name) == path


def test_only_the_name_loses_its_ending(coco):
    """What NMS leaves lies beside its file, whatever the folders above are called."""
    config, dataset = coco
    config.proposal_path += '_after_nms_kept'
    os.makedirs(config.proposal_path)
    rows = [random_rows(np.random.default_rng(2), 3) for _ in dataset.image_ids]
    with open(os.path.join(config.proposal_path, 'COCO_train2014_rpn_after_nms.pkl'), 'wb') as stream:
        stream.write(python2_pickle(rows))
    add_proposals(config, dataset, dataset.roidb())
    assert sorted(os.listdir(config.proposal_path)) == ['COCO_train2014_rpn_after_nms.npz',
                                                        'COCO_train2014_rpn_after_nms.pkl']


def test_a_folder_that_cannot_be_written_costs_only_time(coco, monkeypatch, caplog):
    config, dataset = coco
    roidb = dataset.roidb()
    rows = [random_rows(np.random.default_rng(2), 3) for _ in roidb]
    write_proposals(os.path.join(config.proposal_path, 'COCO_train2014_rpn.npz'),
                    ProposalSet.from_images(rows, [record['image_id'] for record in roidb]))

    def refuse(*_):
        raise SniperError('cannot write it: no space left')
    monkeypatch.setattr(proposals_module, 'write_proposals', refuse)
    assert len(add_proposals(config, dataset, roidb)) == len(roidb)
    assert 'no space left' in caplog.text
