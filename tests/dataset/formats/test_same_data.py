"""The same data in every format: recognised, the same records, the same detections."""
import logging
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.formats.auto import FORMATS, find_format
from lib.dataset.roidb import COLUMNS
from lib.inference.detect import detect
from lib.utils.errors import SniperError
from tests.dataset.formats.folders import NAMES, SET, SIZES, WRITERS
from tests.detections import assert_same
from tests.inference import fakes


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """{name: folder} of WRITERS."""
    found = {}
    for name, (writer, _) in WRITERS.items():
        found[name] = tmp_path_factory.mktemp(name.replace(' ', '_'))
        writer(found[name])
    return found


@pytest.mark.parametrize('name', list(WRITERS))
def test_recognised_with_the_same_records(folders, name, caplog):
    with caplog.at_level(logging.INFO):
        dataset = get_dataset('auto', SET, str(folders[name]), str(folders[name]))
        expected = get_dataset('coco', SET, str(folders['coco']), str(folders['coco']))
        records = dataset.roidb()
    assert f'is read as {WRITERS[name][1]}, for ' in caplog.text
    assert dataset.classes == expected.classes == ('__background__',) + NAMES
    assert len(records) == len(SIZES)
    for record, other in zip(records, expected.roidb()):
        assert os.path.isfile(record['image'])
        assert os.path.basename(record['image']) == os.path.basename(other['image'])
        for column in COLUMNS:
            if column not in ('image', 'image_id'):
                np.testing.assert_array_equal(record.get(column), other.get(column), column)
    config = fakes.make_config()
    found, wanted = (detect(list(each.roidb()), fakes.FakePredictor, config) for each in (dataset, expected))
    assert_same(found, wanted)
    assert len(found)


def test_the_same_score(folders):
    """Of what all but VOC's format are scored with."""
    rows, scores = [[5, 6, 34, 45, 0.9, 3], [3, 11, 30, 40, 0.8, 2]], {}
    for name, (_, form) in WRITERS.items():
        if form != 'PascalVOC':
            dataset = get_dataset(form, SET, str(folders[name]), str(folders[name]))
            found = Detections.from_rows([0, 1], rows)
            scores[name] = dataset.evaluate(found, str(folders[name] / 'results'))
    assert scores['coco']['AP'] > 0.2 and all(score == scores['coco'] for score in scores.values())


def test_refused_with_what_was_looked_for(tmp_path):
    (tmp_path / 'notes.txt').write_text('nothing')
    with pytest.raises(SniperError, match='is in no format that is known') as caught:
        find_format(str(tmp_path))
    assert all(f'{form.name}: ' in str(caught.value) for form in FORMATS)
