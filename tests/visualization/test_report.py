"""The page of a report: whole, readable without anything else, and safe whatever names are in it."""
import html.parser
import re

import cv2
import numpy as np
import pytest

from lib.dataset.analysis.run import analyse
from lib.dataset.truth import Truth
from lib.visualization.report import ReportedData, Run, scores, write_report
from lib.visualization.report.markup import EMPTY, Markup, change, element, escaped
from lib.visualization.report.worst import MOST, worst_numbers
from tests.dataset.test_analysis import made_up

HOSTILE = '<script>alert("1")</script>&\u202e\'"\n'
NAMES = ('__background__', HOSTILE, 'Zelle Ü 細胞', 'dog')
SCALES = [{'name': '2x', 'windows': 4, 'pixels': 4e6, 'full': 8e6, 'network': 0}]


class Reader(html.parser.HTMLParser):
    """Checks that tags are closed in order; collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.ids = [], set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == 'id']
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    content = open(path, encoding='utf-8').read()
    reader = Reader()
    reader.feed(content)
    reader.close()
    assert not reader.open and len(set(reader.ids)) == len(reader.ids)
    return content, reader


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """30 pictures, all of one file."""
    path = str(tmp_path_factory.mktemp('pictures') / 'a<b>&.png')
    cv2.imwrite(path, np.full((400, 600, 3), 90, np.uint8))
    roidb = [{'image': path, 'width': 600, 'height': 400} for _ in range(30)]
    return ReportedData('data', NAMES, roidb, made_up(0)[0])


def run(tested, name='SNIPER-0001', seed=0, **more):
    return Run(name, analyse(made_up(seed)[1], tested.truth, 4, 30), **more)


def test_a_page_is_whole_and_needs_nothing_else(tested, tmp_path):
    path = str(tmp_path / 'report.html')
    write_report(path, tested, [run(tested, metrics={'AP': 0.25, 'segm': {'AP': 0.125, 'per_class': {'a': 1.0}}},
                                    seconds={'set-up': 1.0, 'network': 2.0}, scales=SCALES,
                                    facts=[('program', HOSTILE)], configuration='TEST:\n  NMS: 0.5\n')])
    content, reader = read(path)
    for place in ('scores', 'classes', 'errors', 'confusion', 'curves', 'pictures', 'pixels', 'speed', 'origin'):
        assert place in reader.ids and ('href', f'#{place}') in reader.attributes
    assert not reader.tags & {'script', 'link', 'iframe', 'object', 'img', 'base'}
    links = [value for name, value in reader.attributes if name in ('href', 'src', 'xlink:href')]
    assert all(re.match('#|data:image/jpeg;base64,', value) for value in links)
    assert not re.search(r'https?:|url\(|@import', content)
    assert ('name', 'viewport') in reader.attributes
    assert any("default-src 'none'" in (value or '') for _, value in reader.attributes)
    assert content.count('<image') == MOST and len(content) < 1e6
    text = ''.join(reader.text)
    assert '0.1250' in text and 'NMS: 0.5' in text and '細胞' in text


def test_the_data_sets_own_scores_come_first(tested, tmp_path):
    path = str(tmp_path / 'report.html')
    own = tested._replace(own_scores={'mAP': 'by rules <A>', 'challenge_mAP': 'by rules B', 'other': 'by rules C'})
    both = [run(own, metrics={'mAP': 0.4321, 'challenge_mAP': 0.25}), run(own, 'b', 1, metrics={'mAP': 0.4})]
    write_report(path, own, both)
    content, reader = read(path)
    text = '|'.join(reader.text)
    start, coco = text.index('mAP|0.432|other 0.400 |+0.032|by rules <A>'), text.index("By COCO's rules")
    assert start < text.index('challenge_mAP|0.250|other – |by rules B') < coco < text.index('AP50|')
    assert 'by rules C' not in text
    write_report(path, tested, both)
    assert "By COCO's rules" not in read(path)[0]


def test_of_hundreds_of_classes_the_worst_are_open(tested, tmp_path):
    count = 130
    rng = np.random.RandomState(0)
    truth = Truth.of(rng.randint(0, 30, 2 * count), np.tile(np.arange(count) + 1, 2), [[9, 9, 99, 99]] * 2 * count)
    names = ('__background__', *(f'kind {number}' for number in range(count)))
    path = str(tmp_path / 'report.html')
    write_report(path, tested._replace(classes=names, truth=truth),
                 [Run('a', analyse(made_up(0)[1], truth, count + 1, 30))])
    content, _ = read(path)
    section = content[content.index('id="classes"'):content.index('id="errors"')]
    opened, folded = section.split('<details')
    assert opened.count('<tr') == scores.OPEN + 2 and '30 more classes' in folded and folded.count('<tr') == 31
    assert all(f'>kind {number}<' in section for number in range(count))


def test_names_cannot_become_markup(tested, tmp_path):
    path = str(tmp_path / 'report.html')
    write_report(path, tested, [run(tested, HOSTILE, metrics={HOSTILE: 0.5}, facts=[(HOSTILE, HOSTILE)],
                                    configuration=f'{HOSTILE}: {HOSTILE}',
                                    scales=[dict(SCALES[0], name=HOSTILE)])])
    content, reader = read(path)
    assert '<script' not in content and '\u202e' not in content and 'a<b>' not in content
    assert 'script' not in reader.tags and '<script>alert("1")</script>' in ''.join(reader.text)


def test_two_runs_side_by_side(tested, tmp_path):
    path = str(tmp_path / 'report.html')
    runs = [run(tested, 'one', configuration='TEST:\n  NMS: 0.5\n'),
            run(tested, 'two', seed=1, configuration='TEST:\n  NMS: 0.6\n')]
    write_report(path, tested, runs)
    content, reader = read(path)
    text = ''.join(reader.text)
    assert 'Pictures in which the two runs differ most' in text and 'TEST.NMS' in text
    assert f'{runs[1].analysis.scores.mean():.3f}' in text and 'dashed' in content


@pytest.mark.parametrize('value, less_is_better, text, kind', [
    (0.071, False, '+0.071', 'better'), (0.071, True, '+0.071', 'worse'), (-0.071, True, '−0.071', 'better'),
    (-0.071, False, '−0.071', 'worse'), (-0.0, False, '+0.000', 'same'), (-0.0004, True, '+0.000', 'same')])
def test_differences_are_those_of_the_numbers_beside_them(value, less_is_better, text, kind):
    assert change(value, less_is_better=less_is_better) == f'<span class="{kind}">{text}</span>'


def test_without_objects(tested, tmp_path):
    """What there is to say of a set without annotations."""
    empty = tested._replace(truth=Truth.of([], [], []))
    path = str(tmp_path / 'report.html')
    write_report(path, empty, [Run('one', analyse(made_up(0)[1], empty.truth, 4, 30), seconds={'network': 2.0})])
    _, reader = read(path)
    assert 'No objects are annotated' in ''.join(reader.text) and 'speed' in reader.ids
    assert 'pictures' not in reader.ids


def test_pictures_are_bounded_and_those_with_the_most_errors(tested):
    one = run(tested)
    numbers = worst_numbers(tested, [one])
    assert len(numbers) <= MOST and len(worst_numbers(tested, [one], 3)) == 3
    wrong = one.analysis.confusion.shown & (one.analysis.scores.found < 0)
    errors = np.bincount(one.analysis.found.image[wrong], minlength=30) + np.bincount(
        tested.truth.image[one.analysis.confusion.missed], minlength=30)
    assert errors[numbers].tolist() == sorted(errors.tolist(), reverse=True)[:len(numbers)]
    assert numbers[0] not in worst_numbers(tested._replace(unreadable=[numbers[0]]), [one])


def test_a_picture_that_has_gone_is_left_out(tested, tmp_path, caplog):
    """It could be read when it was tested."""
    roidb, path = list(tested.roidb), str(tmp_path / 'report.html')
    gone = worst_numbers(tested, [run(tested)])[0]
    roidb[gone] = dict(roidb[gone], image=str(tmp_path / 'gone.png'))
    write_report(path, tested._replace(roidb=roidb), [run(tested)])
    assert 'gone.png' in caplog.text and read(path)[0].count('<image') == MOST - 1


def test_escaping():
    assert escaped('<&"\'') == '&lt;&amp;&quot;&#x27;' and escaped(Markup('<b>')) == '<b>'
    assert element('p', '<', Markup('<b>'), class_='"', stroke_width=1.25, hidden=None) == \
        '<p class="&quot;" stroke-width="1.2">&lt;<b></p>'
