"""The sets of the benchmark of other picture sizes: objects lie where the boxes say, and files are COCO's."""
import json

import cv2
import numpy as np
import pytest

from benchmarks import own_data


def scene(width, height, *boxes):
    """A grey picture with white boxes x, y, width, height; the label is a box's number from 1."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    for x, y, box_width, box_height in boxes:
        pixels[y:y + box_height, x:x + box_width] = 255
    return own_data.Picture(pixels, np.array(boxes, np.float64), list(range(1, len(boxes) + 1)))


SCENES = [scene(640, 480, (10, 20, 30, 40), (600, 440, 40, 40)), scene(890, 700, (300, 300, 100, 100)),
          scene(700, 600, (0, 0, 50, 50)), scene(640, 500, (100, 100, 60, 20)), scene(640, 480, (1, 2, 30, 40))]


def same_objects(pictures):
    """Whether every box of every picture is white but for its edges, which resizing blurs."""
    for picture in pictures:
        for x, y, width, height in np.rint(picture.boxes).astype(int):
            edge = min(width, height) // 4
            if picture.pixels[y + edge:y + height - edge, x + edge:x + width - edge].min() < 250:
                return False
    return True


def test_pictures_show_what_their_boxes_say():
    joined = own_data.joined(SCENES, 2)
    assert [picture.pixels.shape for picture in joined] == [(1400, 1780, 3)] and len(joined[0].boxes) == 5
    parts = own_data.pieces(SCENES[0])
    assert [len(part.boxes) for part in parts] == [1, 0, 0, 1] and parts[3].boxes.tolist() == [[280, 216, 40, 40]]
    assert parts[3].labels == [2] and parts[0].pixels.shape == (256, 320, 3)
    half, giant = own_data.resized(SCENES[0], 0.5), own_data.resized(SCENES[0], 4)
    assert half.boxes[0].tolist() == [5, 10, 15, 20] and giant.pixels.shape == (1920, 2560, 3)
    assert same_objects(joined + parts[::3] + [half, giant])


def test_sets_are_files_of_coco(tmp_path):
    own_data.write_set(str(tmp_path), own_data.mixed(SCENES * 8), [{'id': 1, 'name': 'box'}])
    with open(tmp_path / 'annotations' / 'instances_val.json') as stream:
        content = json.load(stream)
    sizes = {(image['width'], image['height']) for image in content['images']}
    assert {(2670, 2100), (1780, 1400), (640, 480), (320, 256)} <= sizes
    assert len({row['id'] for row in content['annotations']}) == len(content['annotations'])
    for image in content['images']:
        pixels = cv2.imread(str(tmp_path / 'images' / 'val' / image['file_name']))
        assert pixels.shape[:2] == (image['height'], image['width'])


@pytest.mark.parametrize('best, status', [(0.84, 0), (0.86, 1)])
def test_it_holds_within_the_tolerance(monkeypatch, capsys, tmp_path, best, status):
    monkeypatch.setattr(own_data, 'make_sets', lambda out, names, count: {name: name for name in names})
    monkeypatch.setattr(own_data, 'measure', lambda cfg, folder, out, scales: best if scales else 0.83)
    assert own_data.main(['--sets', 'large', 'mixed', '--out', str(tmp_path)]) == status
    lines = capsys.readouterr().out.splitlines()
    assert '| large | 0.830' in lines[2] and json.loads(lines[-1])['holds'] is (status == 0)
