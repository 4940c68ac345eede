"""Pictures of FocusChips."""
import numpy as np

from lib.visualization import draw_focus_chips
from lib.visualization.focus import COLOURS


def test_chips_are_outlined_and_the_rest_is_dark():
    grey = np.full((200, 300, 3), 120, np.uint8)
    picture = draw_focus_chips(grey, [('480x640', [(100, 50, 200, 150)]), ('960x1280', [(120.4, 70.2, 160, 110)])])
    assert (grey == 120).all() and picture.shape == grey.shape
    assert (picture[160:, 100:] == 54).all()
    assert (picture[130:140, 110:190] == 120).all() and (picture[80:100, 130:150] == 120).all()
    assert tuple(picture[50, 180]) == COLOURS[0] and tuple(picture[70, 140]) == COLOURS[1]


def test_odd_chips():
    """No chip at all; chips beyond the picture, or thinner than a pixel."""
    grey = np.full((20, 30, 3), 120, np.uint8)
    assert draw_focus_chips(grey, []).max() == 54
    assert draw_focus_chips(grey, [('a', []), ('b', [(-5, -5, 900, 900), (29.8, 19.9, 30, 20)])]).shape == grey.shape
