"""Paths as people write them: home folders are found, what only a shell or another system reads is refused."""
import os

import pytest

from lib.utils.errors import SniperError
from lib.utils.user_path import user_path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    return str(tmp_path / 'home')


@pytest.mark.parametrize('text, found', [
    ('~/out', '{home}/out'), ('~', '{home}'), (' ~/out ', '{home}/out'), ("'~/out'", '{home}/out'),
    ('"./my data"', './my data'), ('data/x\t', 'data/x'), ('', ''), ('  ', ''), ('./a', './a'), ('../a/', '../a/'),
    ('/a//b', '/a//b'), ('a~', 'a~'), ('./~/a', './~/a'), ('a/~b', 'a/~b'), ('prize$', 'prize$'), ('50%', '50%'),
    ("it's", "it's"), ("'", "'"), ('Bilder Übung/写真', 'Bilder Übung/写真'), ('C:', 'C:')])
def test_what_stays_and_what_a_home_folder_is(home, text, found):
    assert user_path(text) == found.format(home=home)


def test_the_home_folder_of_another_user():
    assert user_path('~root/x') == os.path.expanduser('~root') + '/x'


@pytest.mark.parametrize('text, message', [
    ('$HOME/out', r"variables are not replaced in paths; write '.*/home/out' or '~/out'$"),
    ('${HOME}/out', "write '.*/home/out' or '~/out'$"), ('/scratch/$USER_NAMED_X/out', 'write the path itself'),
    ('./$(pwd)/x', 'variables'), (r'%USERPROFILE%/x', 'variables'), ('~no_such_user_here/x', 'there is no user'),
    ('file:///data/my%20set', "write the path itself, '/data/my set'"), ('s3://bucket/x', 'fetch it first'),
    ('https://host/x.yml', 'fetch it first'), (r'C:\data\x', 'path of Windows'), ('D:/data', 'path of Windows'),
    (r'\\server\share', 'path of Windows'), (r'data\coco', "write 'data/coco'"), ('a\0b', 'no path has'),
    ('a\nb', 'no path has'), ('a\ud800', 'no path has')])
def test_what_is_refused_with_the_mend(text, message):
    with pytest.raises(SniperError, match=message):
        user_path(text)


def test_names_that_exist_are_taken_as_they_are():
    for name in ("'quoted'", ' blank ', r'back\slash', 'x'):
        os.mkdir(name)
        assert user_path(name) == name
    os.mkdir('x/$RECYCLE.BIN')
    assert user_path('x/$RECYCLE.BIN/y') == 'x/$RECYCLE.BIN/y'
    os.mkdir('$HOME')
    with pytest.raises(SniperError, match='variables'):  # the folder that an earlier version made by mistake
        user_path('$HOME/out')


def test_without_a_home_folder(monkeypatch):
    monkeypatch.setenv('HOME', '')
    with pytest.raises(SniperError, match='HOME names no folder'):
        user_path('~/x')
