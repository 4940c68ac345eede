"""Precision against recall: a picture with every curve, in the form that its name says."""
import cv2
import numpy as np
import pytest

from lib.dataset.base import PrecisionRecall
from lib.utils.errors import SniperError
from lib.visualization import precision_recall

CURVES = [PrecisionRecall(name, np.linspace(0, last, 50), np.linspace(1, last, 50) ** 2, last)
          for name, last in (('ea$y', 0.9), ('medium', 0.8), ('hard', 0.6))]


def test_every_curve_is_in_the_picture(tmp_path):
    path = str(tmp_path / 'a' / 'curves.png')
    precision_recall.plot(CURVES, path, 'a title of $ and _')
    picture = cv2.imread(path).astype(int)
    assert min(picture.shape[:2]) > 400
    shares = [(np.abs(picture - colour[::-1]).max(axis=2) < 12).mean()
              for colour in ((0x2a, 0x7f, 0xb8), (0xd1, 0x49, 0x5b), (0x5a, 0x9e, 0x6f))]
    assert min(shares) > 5e-4


@pytest.mark.parametrize('ending, begins', [('svg', b'<?xml'), ('PDF', b'%PDF')])
def test_other_forms(tmp_path, ending, begins):
    path = tmp_path / f'curves.{ending}'
    precision_recall.plot([], str(path))
    assert path.read_bytes().startswith(begins)
    with pytest.raises(SniperError, match='must end in .png, .svg, .pdf'):
        precision_recall.plot(CURVES, str(tmp_path / 'curves.txt'))
