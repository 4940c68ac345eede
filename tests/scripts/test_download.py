"""Downloads from a server that breaks off, changes, lies or is gone; the hash decides what is unpacked."""
import fcntl
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from lib.utils.errors import SniperError
from scripts.download import CATALOGUE, Item, Progress, main, provide, read_catalogue
from tests.conftest import ROOT
from tests.scripts.server import Answers, serving


def packed(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


PACKED = packed({'model/a-0000.params': os.urandom(300000), 'model/b.json': b'{}'})
SHA = hashlib.sha256(PACKED).hexdigest()


def item(url='', **changes):
    fields = dict(name='model', about='', urls=(url,) if url else (), sha256=SHA, file='model.tar.gz', into='data',
                  gives='data/model', otherwise='train one')
    fields.update(changes)
    return Item(**fields)


def provided(tmp_path, answers, **options):
    """(what provide gave, answers) with the server running."""
    changes = options.pop('changes', {})
    with serving(answers) as url:
        return provide(item(url, **changes), str(tmp_path), pause=0.01, **options)


def left_over(tmp_path):
    return sorted(os.path.relpath(os.path.join(where, name), str(tmp_path))
                  for where, _, names in os.walk(str(tmp_path)) for name in names)


def test_whole(tmp_path):
    answers = Answers(PACKED)
    gives = provided(tmp_path, answers)
    assert left_over(tmp_path) == ['data/model/a-0000.params', 'data/model/b.json']
    assert provided(tmp_path, answers) == gives and len(answers.asked) == 1  # what is there is not fetched again


def test_broken_off_and_resumed(tmp_path):
    answers = Answers(PACKED)
    answers.cut = [100000, 50000, 0]
    provided(tmp_path, answers)
    assert answers.asked == [None, 'bytes=100000-', 'bytes=150000-', 'bytes=150000-']
    assert left_over(tmp_path) == ['data/model/a-0000.params', 'data/model/b.json']


def test_resumed_by_the_next_run(tmp_path):
    answers = Answers(PACKED)
    answers.cut = [70000] + [0] * 20
    with pytest.raises(SniperError, match='broke off after 70000 of .*--from FILE.*train one'):
        provided(tmp_path, answers)
    # another port is another address: the same server has to go on
    with serving(Answers(PACKED)) as url:
        part = str(tmp_path / 'data' / 'downloads' / 'model.tar.gz.part')
        assert os.path.getsize(part) == 70000
        with open(part + '.json') as stream:
            facts = stream.read()
        with open(part + '.json', 'w') as stream:
            stream.write(facts.replace(facts.split('"url": "')[1].split('"')[0], url))
        provide(item(url), str(tmp_path), pause=0.01)
    assert (tmp_path / 'data' / 'model' / 'b.json').exists()


def test_another_version_in_between_starts_over(tmp_path):
    answers = Answers(b'x' * 200000)
    answers.cut = [100000] + [0] * 20
    with serving(answers) as url:
        with pytest.raises(SniperError):
            provide(item(url), str(tmp_path), pause=0.01)
        answers.content, answers.etag, answers.cut = PACKED, '"two"', []
        provide(item(url), str(tmp_path), pause=0.01)
    assert (tmp_path / 'data' / 'model').exists()


@pytest.mark.parametrize('ranges, etag', [(False, '"one"'), (True, ''), (True, 'W/"weak"')])
def test_servers_that_cannot_continue_send_all_again(tmp_path, ranges, etag):
    answers = Answers(PACKED)
    answers.ranges, answers.etag, answers.cut = ranges, etag, [1000]
    provided(tmp_path, answers)
    assert (tmp_path / 'data' / 'model').exists() and len(answers.asked) == 2


def test_wrong_hash_is_deleted_and_not_unpacked(tmp_path):
    answers = Answers(PACKED[:-1] + b'!')
    with pytest.raises(SniperError, match=f'SHA-256 [0-9a-f]{{64}}, expected {SHA}.*deleted'):
        provided(tmp_path, answers)
    assert left_over(tmp_path) == []


def test_unknown_hash_is_shown_and_wants_trust(tmp_path):
    answers = Answers(PACKED)
    with pytest.raises(SniperError, match=f'SHA-256 {SHA}.*--trust'):
        provided(tmp_path, answers, changes={'sha256': ''})
    assert left_over(tmp_path) == ['data/downloads/model.tar.gz']
    provided(tmp_path, answers, changes={'sha256': ''}, trust=True)
    assert len(answers.asked) == 1 and (tmp_path / 'data' / 'model').exists()


def test_beginning_of_a_hash(tmp_path):
    provided(tmp_path, Answers(PACKED), changes={'sha256': SHA[:8]})
    with pytest.raises(SniperError, match='expected 00000000'):
        provided(tmp_path / 'b', Answers(PACKED), changes={'sha256': '00000000'})


@pytest.mark.parametrize('status', [404, 403, 500])
def test_gone(tmp_path, status):
    answers = Answers(PACKED)
    answers.status = status
    with pytest.raises(SniperError, match=f'HTTP {status}.*If you have the file.*train one'):
        provided(tmp_path, answers)
    assert len(answers.asked) == (5 if status == 500 else 1)


def test_no_address_nobody_there_and_the_second_address(tmp_path):
    with pytest.raises(SniperError, match='no address is known.*--from FILE'):
        provide(item(), str(tmp_path))
    dead = 'http://127.0.0.1:9/file'
    with pytest.raises(SniperError, match='refused'):
        provide(item(dead), str(tmp_path), pause=0.001)
    with serving(Answers(PACKED)) as url:
        provide(item(urls=(dead, url)), str(tmp_path), pause=0.001)
    assert (tmp_path / 'data' / 'model').exists()


def test_from_file(tmp_path):
    (tmp_path / 'mine.tgz').write_bytes(PACKED)
    provide(item(), str(tmp_path), source=str(tmp_path / 'mine.tgz'))
    assert (tmp_path / 'data' / 'model' / 'b.json').read_bytes() == b'{}' and (tmp_path / 'mine.tgz').exists()
    (tmp_path / 'mine.tgz').write_bytes(PACKED[:-9])
    with pytest.raises(SniperError, match='expected'):
        provide(item(), str(tmp_path), source=str(tmp_path / 'mine.tgz'))
    assert (tmp_path / 'mine.tgz').exists()
    with pytest.raises(SniperError, match='gone.tgz'):
        provide(item(), str(tmp_path), source=str(tmp_path / 'gone.tgz'))


def test_an_archive_with_other_files_is_said_to_be_one(tmp_path, caplog):
    (tmp_path / 'x').write_bytes(PACKED)
    with caplog.at_level('INFO'), pytest.raises(SniperError, match='data/other was not in the archive'):
        provide(item(gives='data/other'), str(tmp_path), source=str(tmp_path / 'x'))
    assert 'ready' not in caplog.text and '2 files unpacked' in caplog.text


def test_the_log_of_a_failed_training_is_not_taken_for_a_detector(tmp_path):
    (tmp_path / 'data' / 'model').mkdir(parents=True)
    (tmp_path / 'data' / 'model' / 'training.log').write_bytes(b'error')
    provided(tmp_path, Answers(PACKED))
    assert 'data/model/a-0000.params' in left_over(tmp_path)


def test_two_downloads_of_one_file_do_not_mix(tmp_path):
    folder = tmp_path / 'data' / 'downloads'
    folder.mkdir(parents=True)
    with open(str(folder / 'model.tar.gz.lock'), 'w') as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(SniperError, match='being fetched by another process'):
            provided(tmp_path, Answers(PACKED))
    provided(tmp_path, Answers(PACKED))
    assert left_over(tmp_path) == ['data/model/a-0000.params', 'data/model/b.json']


def test_plain_file(tmp_path):
    plain = item(into='', gives='data/downloads/w.pth', file='w.pth')
    (tmp_path / 'x').write_bytes(PACKED)
    assert open(provide(plain, str(tmp_path), source=str(tmp_path / 'x')), 'rb').read() == PACKED


def test_archives_into_the_root_do_not_replace_the_program(tmp_path):
    content = packed({'lib/cli.py': b'evil'})
    (tmp_path / 'x').write_bytes(content)
    with pytest.raises(SniperError, match="holds 'lib'.*output"):
        provide(item(into='.', sha256=''), str(tmp_path), source=str(tmp_path / 'x'), trust=True)
    assert left_over(tmp_path) == ['x']


def test_progress():
    class Terminal(io.StringIO):
        def isatty(self):
            return True
    for stream, ending in ((Terminal(), '100% of 2.0 MB'), (io.StringIO(), '100% of 2.0 MB')):
        progress = Progress('file', stream)
        for done in range(0, 2000001, 100000):
            progress(done, 2000000)
        assert ending in stream.getvalue() and stream.getvalue().endswith('\n')
        assert len(stream.getvalue()) < 1500
    progress(5000000, None)


def test_shipped_catalogue_and_its_mistakes(tmp_path, capsys):
    assert {'pretrained_model', 'sniper_detector', 'neg_props'} <= set(read_catalogue(CATALOGUE))
    assert main(['--list']) == 0 and 'neg_props' in capsys.readouterr().out
    with pytest.raises(SniperError, match="'nothing'.*known: .*neg_props"):
        main(['nothing'])
    good = open(CATALOGUE).read()
    for old, new, complaint in (('urls: []', 'urls: x', 'urls'), ("sha256: ''", 'sha256: zz', 'sha256'),
                                ('into: data', 'into: ../x', 'into'), ('about:', 'abut:', 'keys'),
                                ('file: pre', 'file: /etc/pre', 'file'),
                                ('pretrained_model:', ': [', 'cannot be read')):
        (tmp_path / 'c.yml').write_text(good.replace(old, new, 1))
        with pytest.raises(SniperError, match='c.yml.*' + complaint) as error:
            read_catalogue(str(tmp_path / 'c.yml'))
        assert '\n' not in str(error.value)


@pytest.mark.parametrize('script', ['download_pretrained_models', 'download_sniper_autofocus_detectors',
                                    'download_sniper_detector', 'download_sniper_neg_props'])
def test_scripts_say_what_else_works(tmp_path, script):
    result = subprocess.run(['bash', os.path.join(ROOT, 'scripts', script + '.sh'), '--root', str(tmp_path)],
                            capture_output=True, cwd=str(tmp_path), text=True)
    if 'no environment' in result.stderr:
        pytest.skip('needs .venv')
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    assert 'no address is known' in result.stderr and '--from FILE' in result.stderr
