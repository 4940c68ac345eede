"""The Python that the pages show runs."""
import pytest

from lib.api import Detector
from tests.conftest import ROOT
from tests.docs.pages import read_page

QUICK = {'gpus': 'cpu', 'TEST.SCALES': '[0.25x]'}      # another test's matter is what is found


@pytest.fixture
def small_pictures(monkeypatch, tmp_path):
    """Whatever is loaded looks at pictures a quarter of their size, with the shipped weights."""
    def load(source, overrides=()):
        keys = dict(overrides or {}, output_path=str(tmp_path))
        return Detector.load(source, {**keys, **QUICK})

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr('lib.api.Detector', type('Loader', (), {'load': staticmethod(load)}))


@pytest.mark.parametrize('path, count', [('docs/python.md', 7), ('README.md', 1)])
def test_snippets_run_one_after_the_other(path, count, small_pictures, capsys):
    snippets = [code for language, code in read_page(path).blocks if language == 'python']
    assert len(snippets) == count
    names = {}
    for code in snippets:
        exec(compile(code, path, 'exec'), names)
    assert len(names['found']) > 0 and capsys.readouterr().out.strip()
    if path == 'docs/python.md':
        assert names['sure'].score.min() > 0.5 and len(names['results']) == len(names['several'])
        assert {entry['image_id'] for entry in names['results']} == {7, 8, 9, 10}
        assert (names['first'].box == names['second'].box).all()
