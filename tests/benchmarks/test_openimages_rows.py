"""The rows that are made up are Open Images', and they are read whole."""
import pytest

from benchmarks import openimages_rows


@pytest.mark.parametrize('kind', openimages_rows.KINDS)
def test_rows_are_written_and_read(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(openimages_rows, 'TEXTS', 60)
    assert openimages_rows.write(str(tmp_path), kind, 40, 300, 100) > 300 * 60
    assert openimages_rows.load(str(tmp_path))['boxes'] == 300


def test_headers_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(openimages_rows, 'HEADERS', 30)
    monkeypatch.setattr(openimages_rows, 'num_cores', lambda: 1)
    rates = openimages_rows.headers_a_second(str(tmp_path))
    assert list(rates) == [1] and rates[1] > 0
