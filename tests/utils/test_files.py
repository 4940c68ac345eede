"""Files are complete or absent, and nothing is left behind."""
import os
import subprocess

import pytest

from lib.utils import files
from lib.utils.errors import SniperError


def write_text(path, content):
    with files.text_writer(path) as stream:
        stream.write(content)


def write_bytes(path, content):
    files.write_file(path, content.encode())


@pytest.mark.parametrize('write', [write_text, write_bytes])
def test_new_and_replaced(tmp_path, monkeypatch, write):
    path = tmp_path / 'new' / 'folder' / 'file'
    for content in ('old', 'n'):
        write(str(path), content)
        assert path.read_text() == content and os.listdir(str(path.parent)) == ['file']
    monkeypatch.chdir(tmp_path)
    write('here', 'x')
    assert (tmp_path / 'here').read_text() == 'x'


@pytest.mark.parametrize('write', [write_text, write_bytes])
def test_a_pipe_stays_one(tmp_path, write):
    """As /dev/null does, which a rename would take from everybody."""
    path = str(tmp_path / 'pipe')
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write(path, 'text')
    assert os.read(reader, 9) == b'text' and os.listdir(str(tmp_path)) == ['pipe']
    os.close(reader)


@pytest.mark.parametrize('error', [KeyError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / 'file'
    write_text(str(path), 'old')
    with pytest.raises(error):
        with files.text_writer(str(path)) as stream:
            stream.write('new')
            raise error

    def fail(stream):
        stream.write(b'new')
        raise error
    with pytest.raises(error):
        files.write_temporary(str(path), fail)
    assert os.listdir(str(tmp_path)) == ['file'] and path.read_text() == 'old'


@pytest.mark.parametrize('write', [write_text, write_bytes])
def test_refused_by_the_system(tmp_path, monkeypatch, write):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(SniperError, match='cannot write .*/file/a: (Not a directory|File exists)'):
        write(str(tmp_path / 'file' / 'a'), 'x')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(SniperError, match='cannot write .*/folder: Is a directory'):
        write(str(tmp_path / 'folder'), 'x')

    def full(_):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(files.os, 'fsync', full)
    with pytest.raises(SniperError, match='cannot write .*/b: No space left'):
        write(str(tmp_path / 'b'), 'x')
    assert sorted(os.listdir(str(tmp_path))) == ['file', 'folder']


def test_temporary_then_publish(tmp_path):
    path = str(tmp_path / 'file')
    temporary, result = files.write_temporary(path, lambda stream: stream.write(b'abc'))
    assert result == 3 and os.listdir(str(tmp_path)) == [os.path.basename(temporary)]
    files.publish(temporary, path)
    assert os.listdir(str(tmp_path)) == ['file']


def test_stale_temporaries(tmp_path):
    dead = subprocess.Popen(['true'])
    dead.wait()
    names = {f'.a.tmp-{dead.pid}', f'.b.json.tmp-{os.getpid()}', f'.c.tmp-{os.getppid()}', 'd.tmp-1', '.e', 'f'}
    for name in names:
        (tmp_path / name).write_text('')
    files.remove_stale_temporaries(str(tmp_path))
    assert set(os.listdir(str(tmp_path))) == {f'.c.tmp-{os.getppid()}', 'd.tmp-1', '.e', 'f'}


def test_whether_a_place_can_be_written_to_is_tried(tmp_path):
    (tmp_path / 'file').write_text('kept')
    files.check_writable(str(tmp_path / 'new' / 'a.json'))
    files.check_writable(str(tmp_path / 'folder'), folder=True)
    files.check_writable(str(tmp_path / 'file'))
    files.check_writable('/dev/null')
    assert sorted(os.listdir(str(tmp_path))) == ['file', 'folder', 'new'] and os.listdir(str(tmp_path / 'new')) == []
    assert (tmp_path / 'file').read_text() == 'kept'
    for path, folder, words in ((tmp_path / 'file' / 'a', False, 'a file is where a folder should be'),
                                (tmp_path / 'file', True, 'a file is where'), (tmp_path / 'new', False, 'directory'),
                                ('/proc/a', False, 'cannot write /proc/a')):
        with pytest.raises(SniperError, match=words):
            files.check_writable(str(path), folder)


def test_a_new_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    path = tmp_path / 'kept' / 'here'
    for content in ('first', 'second'):
        with files.new_folder(str(path)) as filled:
            with open(os.path.join(filled, content), 'w'):
                pass
            assert not path.exists() or os.listdir(path) == ['first']
        assert os.listdir(path) == [content]
    with pytest.raises(RuntimeError), files.new_folder(str(path)) as filled:
        raise RuntimeError
    assert os.listdir(path) == ['second'] and os.listdir(tmp_path / 'kept') == ['here']
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError), files.new_folder(str(tmp_path / 'file')):
        pass
