"""Open Images from its official files, on real ones of 70 pictures."""
import numpy as np
import pytest

from lib.dataset import check, get_dataset
from lib.dataset.openimages.records import to_shares
from lib.dataset.roidb import validate
from tests.golden import real_data


def opened(image_set, root, **options):
    return get_dataset('openimages', image_set, str(root), real_data('openimages_mini'), **options)


@pytest.mark.parametrize('image_set, pictures, boxes, groups', [('train', 49, 52, 0), ('val', 21, 28, 2),
                                                                ('validation', 21, 28, 2)])
def test_the_real_files(image_set, pictures, boxes, groups, tmp_path):
    dataset = opened(image_set, tmp_path)
    assert dataset.num_classes == 602 and dataset.classes[:2] == ('__background__', 'Tortoise')
    assert dataset.mids[:2] == ('', '/m/011k07') and dataset.hierarchy_path.endswith('bbox_labels_600_hierarchy.json')
    for ignored, rows, objects in (('', boxes - groups, boxes - groups), ('ignore', boxes, boxes - groups),
                                   ('background', boxes, boxes - groups), ('objects', boxes, boxes)):
        roidb = dataset.roidb(ignored)
        validate(roidb, dataset.num_classes)
        assert len(roidb) == pictures == len(dataset.image_ids)
        assert (roidb.row_counts().sum(), roidb.object_counts().sum()) == (rows, objects)
        marked = [record for record in roidb if record['group_of'].any()]
        assert sum(int(record['group_of'].sum()) for record in marked) == (groups if ignored else 0)
        for record in marked:
            assert (record['ignored'] == (record['group_of'] & (ignored == 'ignore'))).all()
            assert (record['crowd'] == (record['group_of'] & (ignored == 'objects'))).all()
    truth = dataset.truth()
    assert (len(truth.image), truth.crowd.sum()) == (boxes, groups)
    labels = dataset.verified_labels()
    assert len(labels.image) == pictures and labels.present.all()


def test_coordinates_come_back(tmp_path):
    dataset = opened('val', tmp_path)
    dataset.whole_pixels = False
    path = real_data('openimages_mini') + '/annotations/val-annotations-bbox.csv'
    with open(path, encoding='utf-8') as stream:
        rows = [line.split(',') for line in stream.read().splitlines()[1:]]
    official = sorted((row[0], *(float(row[place]) for place in (4, 6, 5, 7))) for row in rows)
    ours = sorted((record['image_id'], *shares) for record in dataset.roidb('objects')
                  for shares in to_shares(record['boxes'], [[record['width'], record['height']]]).tolist())
    assert [row[0] for row in ours] == [row[0] for row in official]
    np.testing.assert_allclose([row[1:] for row in ours], [row[1:] for row in official], rtol=0, atol=1e-6)


def test_checked(capsys):
    assert check.main([real_data('openimages_mini')]) == 1      # for train has no apple
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(': openimages, training on train, testing on val')
    assert [line.split() for line in lines[1:5]] == [['train', 'val'], ['pictures', '49', '21'], [
        'objects', '52', '26'], ['Apple', '0', '3']]
    assert lines[6] == '599 other classes have no object'
    assert '  1 class of val without an object in train cannot be learnt: Apple' in lines
    assert '  val: 2 objects are boxes around groups (IsGroupOf) and are not trained on' in lines
