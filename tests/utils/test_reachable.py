"""Why a file cannot be read, in words."""
import os

import pytest

from lib.utils.reachable import why_unreadable


@pytest.fixture
def stranger():
    """The test goes on as a user who owns nothing; root may read everything."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


def test_what_can_be_read(tmp_path):
    (tmp_path / 'a').write_text('x')
    assert why_unreadable(str(tmp_path / 'a')) == ''
    assert why_unreadable(str(tmp_path), folder=True) == ''


def test_what_is_something_else(tmp_path):
    (tmp_path / 'a').write_text('x')
    os.mkfifo(str(tmp_path / 'pipe'))
    assert why_unreadable(str(tmp_path)) == 'is a folder, not a file'
    assert why_unreadable(str(tmp_path / 'a'), folder=True) == 'is a file, not a folder'
    assert why_unreadable(str(tmp_path / 'pipe')) == 'is no plain file'
    assert why_unreadable(str(tmp_path / 'a' / 'b' / 'c.jpg')) == (
        f'cannot be read: {tmp_path / "a"} is a file where a folder should be')


def test_what_is_not_there(tmp_path):
    os.symlink('nowhere', str(tmp_path / 'dangling'))
    os.symlink('loop', str(tmp_path / 'loop'))
    assert why_unreadable(str(tmp_path / 'a')) == 'is missing'
    assert why_unreadable(str(tmp_path / 'dangling')) == 'is a link to nowhere, which is missing'
    assert why_unreadable(str(tmp_path / 'loop')) == 'is a link that leads back to itself'
    assert why_unreadable(str(tmp_path / ('n' * 300))) == 'cannot be read: File name too long'
    assert why_unreadable(str(tmp_path / 'a\0b')) == why_unreadable('\ud800') == 'is no possible name of a file'


def test_no_permission(tmp_path, request):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(('test_', 'popen-', 'pytest-')):  # pytest's own, of which xdist has one more
            folder.chmod(0o755)
    (tmp_path / 'closed').mkdir()
    (tmp_path / 'closed' / 'a').write_text('x')
    (tmp_path / 'b').write_text('x')
    (tmp_path / 'b').chmod(0)
    (tmp_path / 'closed').chmod(0)
    request.getfixturevalue('stranger')
    assert why_unreadable(str(tmp_path / 'b')) == 'cannot be read: Permission denied'
    assert why_unreadable(str(tmp_path / 'closed'), folder=True) == 'cannot be read: Permission denied'
    assert why_unreadable(str(tmp_path / 'closed' / 'a')) == (
        f'cannot be read: Permission denied in the folder {tmp_path / "closed"}')
