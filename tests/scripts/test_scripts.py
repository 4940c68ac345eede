"""The shell scripts: what they say when something is missing, and what they pass on. Nothing is installed.

Each test runs a copy of the scripts in a folder with a space in its name, with a PATH of its own.
"""
import glob
import os
import shutil
import stat
import subprocess
import sys
import sysconfig

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

SCRIPTS = sorted(glob.glob(os.path.join(ROOT, 'scripts', '**', '*.sh'), recursive=True))
SCRIPTS.append(os.path.join(ROOT, '.ci', 'run'))
TOOLS = ('bash', 'dirname', 'cat', 'mv', 'sed', 'tail', 'tee', 'mkdir', 'grep', 'env', 'cp')


def write_program(path, text):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), 'w') as stream:
        stream.write(text)
    os.chmod(str(path), 0o755)
    return str(path)


class Copy:
    """A copy of the scripts, and a PATH that holds a few tools and what a test adds."""

    def __init__(self, folder):
        self.root = folder / 'a clone'
        self.bin = folder / 'bin'
        self.bin.mkdir()
        shutil.copytree(os.path.join(ROOT, 'scripts'), str(self.root / 'scripts'),
                        ignore=shutil.ignore_patterns('__pycache__'))
        for name in ('requirements.txt', 'requirements-inference.txt'):
            shutil.copy(os.path.join(ROOT, name), str(self.root))
        for tool in TOOLS:
            os.symlink(shutil.which(tool), str(self.bin / tool))

    def program(self, name, text):
        return write_program(self.bin / name, f'#!{shutil.which("bash")}\n{text}')

    def run(self, script, *args, **variables):
        """Run a script from another folder -> (status, standard output, standard error)."""
        keep = {name: value for name, value in os.environ.items() if name in ('HOME', 'LANG', 'LD_LIBRARY_PATH')}
        environment = dict(keep, PATH=str(self.bin), **variables)
        done = subprocess.run(['bash', str(self.root / 'scripts' / script)] + list(args), env=environment, cwd='/',
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def clone(tmp_path):
    return Copy(tmp_path)


def check_plain_error(result, *parts):
    status, out, err = result
    assert status == 1, result
    line = err.strip().splitlines()[-1]
    assert line.startswith('error: ') and all(part in line for part in parts), err
    assert 'Traceback' not in err and 'unbound variable' not in err


@pytest.mark.parametrize('path', SCRIPTS, ids=os.path.basename)
def test_syntax_and_strictness(path):
    subprocess.run(['bash', '-n', path], check=True)
    with open(path) as stream:
        text = stream.read()
    if os.path.basename(path) != 'common.sh':
        assert 'set -euo pipefail' in text


@pytest.mark.skipif(shutil.which('shellcheck') is None, reason='needs shellcheck')
def test_shellcheck():
    subprocess.run(['shellcheck', '-x'] + SCRIPTS, check=True, cwd=ROOT)


def test_ci_is_executable():
    assert os.stat(os.path.join(ROOT, '.ci', 'run')).st_mode & stat.S_IXUSR


def fake_python(clone, name, version):
    return clone.program(name, f'echo {version}')


@pytest.mark.parametrize('version', ['3.7', '3.14', '2.7'])
def test_unsupported_python_only(clone, version):
    fake_python(clone, 'python3', version)
    check_plain_error(clone.run('setup.sh'), 'no supported Python', 'python3 is ' + version, '3.8 to 3.13')
    assert not (clone.root / '.venv').exists()


def test_no_python_at_all(clone):
    check_plain_error(clone.run('setup.sh'), 'no supported Python', 'none at all')


def test_unsupported_python_by_name(clone):
    path = fake_python(clone, 'mine', '3.14')
    check_plain_error(clone.run('setup.sh', PYTHON=path), path, '3.14', '3.8 to 3.13')


def test_python_that_does_not_run(clone):
    check_plain_error(clone.run('setup.sh', PYTHON='/nowhere/python'), '/nowhere/python', 'does not run')


def test_an_unsupported_python3_is_passed_over(clone):
    """python3 is too new, but python3.11 is there: it is taken, and the next check speaks."""
    fake_python(clone, 'python3', '3.14')
    clone.program('python3.11', f'exec "{sys.executable}" "$@"')
    check_plain_error(clone.run('setup.sh'), 'no C++ compiler')


def test_without_mxnet_newer_pythons_do(clone):
    fake_python(clone, 'python3', '3.7')
    check_plain_error(clone.run('setup.sh', '--inference'), 'no supported Python', 'python3 is 3.7', '3.8 or later')
    fake_python(clone, 'python3', '3.14')
    check_plain_error(clone.run('setup.sh', '--inference'), 'no C++ compiler')


def test_an_environment_of_the_other_kind_is_kept(clone):
    write_program(clone.root / '.venv' / 'bin' / 'python', f'#!{shutil.which("bash")}\nexec "{sys.executable}" "$@"')
    for name, option, words in (('packages.stamp', ['--inference'], 'has MXNet'),
                                ('without_mxnet', [], 'without MXNet: add --inference')):
        (clone.root / '.venv' / name).write_text('made')
        check_plain_error(clone.run('setup.sh', *option), words)
    check_plain_error(clone.run('setup.sh', '--inference', SNIPER_ONNXRUNTIME='torch'), 'torch', 'onnxruntime-gpu')


def test_packages_without_mxnet(clone):
    """requirements-inference.txt is what pip is given, with the build of ONNX Runtime that was asked for."""
    clone.program('g++', 'exit 0')
    clone.program('gcc', 'exit 0')
    write_program(clone.root / '.venv' / 'bin' / 'python', ('#!{}\ncase "$*" in *"pip install"*) cat "${{@: -1}}"; '
                  'exit 1 ;; *) exec "{}" "$@" ;; esac').format(shutil.which('bash'), sys.executable))
    (clone.root / '.venv' / 'without_mxnet').write_text('')
    result = clone.run('setup.sh', '--inference', SNIPER_ONNXRUNTIME='onnxruntime-gpu')
    check_plain_error(result, 'requirements-inference.txt failed')
    with open(clone.root / '.venv' / 'requirements.txt') as stream:
        names = [line.split('>')[0] for line in stream if line[0] != '#']
    assert 'onnxruntime-gpu' in names and 'openvino' in names and not any('mxnet' in name for name in names)


def test_no_compiler(clone):
    check_plain_error(clone.run('setup.sh', PYTHON=sys.executable), 'no C++ compiler', 'apt-get install g++')
    assert not (clone.root / '.venv').exists()


def test_compiler_that_does_not_work(clone):
    compiler = clone.program('g++', 'exit 1')
    check_plain_error(clone.run('setup.sh', PYTHON=sys.executable, CXX=compiler, CC=compiler), 'does not compile',
                      compiler)


def test_no_headers(clone):
    clone.program('g++', 'exit 0')
    clone.program('gcc', 'exit 0')
    python = clone.program('bare', f'case "$2" in *Python.h*) echo /nowhere/Python.h ;; *) exec "{sys.executable}" '
                                   '"$@" ;; esac')
    check_plain_error(clone.run('setup.sh', PYTHON=python), '/nowhere/Python.h', 'python3-dev')


def test_no_venv_module(clone):
    clone.program('g++', 'exit 0')
    clone.program('gcc', 'exit 0')
    python = clone.program('bare', f'case "$2" in *ensurepip*) exit 1 ;; *Python.h*) echo {sys.executable} ;; '
                           f'*) exec "{sys.executable}" "$@" ;; esac')
    check_plain_error(clone.run('setup.sh', PYTHON=python), 'no venv module', '-venv')


def test_no_network(clone):
    """Packages that cannot be had end in one line after pip's own, and the next run tries again."""
    clone.program('g++', 'exit 0')
    clone.program('gcc', 'exit 0')
    write_program(clone.root / '.venv' / 'bin' / 'python', ('#!{}\ncase "$*" in *"pip install"*) echo no route; '
                  'exit 1 ;; *) exec "{}" "$@" ;; esac').format(shutil.which('bash'), sys.executable))
    for _ in range(2):
        result = clone.run('setup.sh')
        check_plain_error(result, 'requirements.txt failed', 'network')
        assert 'no route' in result[2] and not (clone.root / '.venv' / 'packages.stamp').exists()


def set_up(clone, **variables):
    """Run setup.sh with a Python that installs nothing -> (the list of requirements, what pip was asked for)."""
    for name in ('requirements-cuda11.txt', 'requirements-nvcc.txt'):
        shutil.copy(os.path.join(ROOT, name), str(clone.root))
    clone.program('g++', 'exit 0')
    clone.program('gcc', 'exit 0')
    log = clone.bin / 'pip'
    log.write_text('')
    write_program(clone.root / 'scripts' / 'compile.sh', '#!/bin/sh\n')
    write_program(clone.root / '.venv' / 'bin' / 'python', f"""#!{shutil.which("bash")}
case "$*" in
    *"-m pip"*) printf '%s\\n' "$*" >>"{log}" ;;
    *find_compiler*) exit {variables.pop('NVCC_ABSENT', 0)} ;;
    -) cat >/dev/null ;;
    *) exec "{sys.executable}" "$@" ;;
esac
""")
    status, _, err = clone.run('setup.sh', **variables)
    assert status == 0, err
    return (clone.root / '.venv' / 'requirements.txt').read_text(), log.read_text()


def installed(clone, *names):
    site = clone.root / '.venv' / 'lib' / 'python3.11' / 'site-packages'
    shutil.rmtree(str(site), ignore_errors=True)
    for name in names + ('numpy-1.24.4',):
        (site / f'{name}.dist-info').mkdir(parents=True)


def test_mxnet_for_cuda_comes_with_its_libraries_and_stays(clone):
    installed(clone, 'mxnet-1.9.1')
    wanted, asked = set_up(clone, SNIPER_MXNET='mxnet-cu117')
    assert '\nmxnet-cu117==1.9.1\n' in wanted and '\nnvidia-cudnn-cu11==8.' in wanted and 'nvcc==' not in wanted
    assert asked.splitlines()[0] == '-m pip uninstall --yes mxnet'   # both would lie in one folder
    installed(clone, 'mxnet_cu117-1.9.1')
    assert set_up(clone)[1] == ''               # quickstart.sh and run_tests.sh set it up without the variable
    wanted, asked = set_up(clone, SNIPER_MXNET='mxnet')
    assert '\nmxnet==1.9.1\n' in wanted and 'nvidia' not in wanted and 'uninstall --yes mxnet-cu117' in asked


def test_a_compiler_of_kernels_comes_where_there_is_none(clone):
    wanted, asked = set_up(clone, SNIPER_MXNET='mxnet-cu112', NVCC_ABSENT=1)
    assert '\nnvidia-cuda-nvcc==13.' in wanted and 'uninstall' not in asked
    assert 'nvidia-cuda-nvcc' not in set_up(clone, SNIPER_MXNET='mxnet-cu117', SNIPER_CUDA='0', NVCC_ABSENT=1)[0]


def test_unknown_words(clone):
    check_plain_error(clone.run('setup.sh', '--fast'), '--fast', '--quiet')
    for name in ('torch', 'mxnet-cu999', 'mxnet-cu117/p; w x'):     # the last would be words of sed
        check_plain_error(clone.run('setup.sh', SNIPER_MXNET=name), name, 'mxnet-cu117')
    check_plain_error(clone.run('setup.sh', '--inference', SNIPER_ONNXRUNTIME='onnxruntime-a/b'), 'onnxruntime-a/b')
    check_plain_error(clone.run('quickstart.sh', EPOCHS='many'), 'many', 'whole number')
    assert clone.run('setup.sh', '--help')[0] == 0


def test_compile_without_environment(clone):
    check_plain_error(clone.run('compile.sh'), '.venv', 'scripts/setup.sh')


def test_compile_with_unknown_words(clone):
    """Nothing is compiled: Python is never called."""
    write_program(clone.root / '.venv' / 'bin' / 'python',
                  f'#!{shutil.which("bash")}\necho >"{clone.root / "ran"}"')
    check_plain_error(clone.run('compile.sh', '--bogus'), 'unknown option --bogus')
    status, out, _ = clone.run('compile.sh', '--help')
    assert status == 0 and 'SNIPER_CUDA=1 bash scripts/compile.sh' in out and 'set -euo' not in out
    assert not (clone.root / 'ran').exists()


@pytest.mark.parametrize('name', ['pretrained_models', 'sniper_autofocus_detectors', 'sniper_neg_props',
                                  'sniper_detector'])
def test_downloads_take_no_module_of_the_callers_folder(name, tmp_path):
    """Paths are still the caller's."""
    (tmp_path / 'lib').mkdir()
    for stray in ('lib/__init__.py', 'argparse.py', 'configs.py'):
        (tmp_path / stray).write_text('raise SystemExit("a stray module")')
    (tmp_path / 'mine.tar.gz').write_text('no archive')
    script = os.path.join(ROOT, 'scripts', f'download_{name}.sh')
    for arguments, said in ((['--help'], '--from FILE'), (['--from', 'mine.tar.gz'], 'mine.tar.gz'),
                            (['--from', 'absent'], 'absent')):
        done = subprocess.run(['bash', script] + arguments, cwd=str(tmp_path), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        assert said in done.stdout and 'stray' not in done.stdout and 'Traceback' not in done.stdout, done.stdout
        assert ('No such file' in done.stdout) == (said == 'absent')


def ready(clone, python_text):
    """Pretend that the environment is there: set-up does nothing, its Python is a shell script."""
    write_program(clone.root / 'scripts' / 'setup.sh', '#!/bin/sh\necho set up\n')
    write_program(clone.root / '.venv' / 'bin' / 'python', f'#!{shutil.which("bash")}\n{python_text}')


def test_run_tests_passes_arguments_and_status_on(clone):
    ready(clone, '[ "$1" != -c ] || exit 0; printf "<%s>" "$@"; exit 5')
    start = f'set up\n<-m><pytest><--rootdir><{clone.root}>'
    parallel = '<-n><auto><--maxprocesses><4><--dist><loadfile>'
    assert clone.run('run_tests.sh')[:2] == (5, start + parallel)
    assert clone.run('run_tests.sh', '-k', 'two words')[1] == start + '<-k><two words>'
    assert clone.run('run_tests.sh', '-x', 'tests::name')[1] == start + '<-x><tests::name>'


def test_run_tests_installs_what_only_tests_need(clone):
    log = clone.bin / 'log'
    ready(clone, f'[ "$1" != -c ] || exit 1; [ "$2" != pip ] || printf "<%s>" "$@" >>"{log}"')
    assert clone.run('run_tests.sh')[0] == 0
    for name in ('optional', 'onnx'):
        assert f'<-r><{clone.root}/requirements-{name}.txt>' in log.read_text()


def test_run_tests_goes_on_without_runtimes(clone):
    """Not every Python and machine has them."""
    ready(clone, '''case "$*" in *onnxruntime* | *requirements-onnx*) exit 1 ;; *pytest*) printf ran ;; esac''')
    status, printed, said = clone.run('run_tests.sh')
    assert status == 0 and 'ran' in printed and 'requirements-onnx.txt do not install here' in said


def quickstart(clone, *args, **variables):
    image = clone.root / 'data' / 'synthetic' / 'images' / 'test-dev' / '000000000001.jpg'
    os.makedirs(str(image.parent))
    image.write_text('')
    return clone.run('quickstart.sh', *args, **variables)


def test_quickstart_order_and_table(clone):
    ready(clone, 'echo "$1 $2" >>"{}"; [ "$1" != main_test.py ] || echo "12:00:00 Average Precision 0.5" >&2'.format(
        clone.bin / 'log'))
    status, out, err = quickstart(clone, EPOCHS='2')
    assert status == 0, err
    assert (clone.bin / 'log').read_text().splitlines() == [
        'demo.py --cfg', '-m lib.dataset.synthetic', 'main_train.py --cfg', 'demo.py --cfg', 'main_test.py --cfg']
    assert out.rstrip().endswith('\nAverage Precision 0.5') and out.count('0 min') >= 7


def test_quickstart_draws_first_what_the_shipped_detector_finds(clone):
    """Whatever was trained in the quickstart's folder before, and whatever keys its own detector gets."""
    ready(clone, f'echo "$*" >>"{clone.bin / "log"}"; echo " Average Precision 0.5"')
    status, out, _ = quickstart(clone, 'symbol', 'another')
    first, second = [line for line in (clone.bin / 'log').read_text().splitlines() if line.startswith('demo.py')]
    assert status == 0 and 'ships with the code' in out
    assert 'sniper_tiny_e2e.yml' in first and 'output/quickstart/shipped' in first and 'another' not in first
    assert 'sniper_tiny_quick.yml' in second and 'another' in second


def test_quickstart_passes_keys_on(clone):
    ready(clone, f'printf "<%s>" "$@" >>"{clone.bin / "log"}"; echo " Average Precision 0.5"')
    assert quickstart(clone, 'TRAIN.lr', '0.5')[0] == 0
    log = (clone.bin / 'log').read_text()
    assert log.count('<TRAIN.lr><0.5>') == 3 and '<TEST.TEST_EPOCH>' in log


@pytest.mark.parametrize('program', ['lib.dataset.synthetic', 'main_train.py', 'demo.py', 'main_test.py'])
def test_quickstart_stops_where_a_step_fails(clone, program):
    ready(clone, f'case "$*" in *{program}*) exit 3 ;; esac; echo " Average Precision 0.5"')
    check_plain_error(quickstart(clone), 'failed')


def stamp(clone, *words):
    return subprocess.run([sys.executable, str(clone.root / 'scripts' / 'stamp.py')] + list(words), check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def test_stamps_follow_their_sources(clone):
    first = stamp(clone, 'packages', 'mxnet')
    assert stamp(clone, 'packages', 'mxnet') == first != stamp(clone, 'packages', 'mxnet-cu112')
    with open(str(clone.root / 'requirements.txt'), 'a') as stream:
        stream.write('x\n')
    assert stamp(clone, 'packages', 'mxnet') != first


def test_the_native_stamp_notices_a_kernel_that_is_not_compiled(clone):
    (clone.root / 'lib').mkdir()
    (clone.root / 'lib' / 'kernel_ext.pyx').write_text('x = 1\n')
    assert stamp(clone, 'native', 'mxnet') == 'missing'
    suffix = sysconfig.get_config_var('EXT_SUFFIX')
    (clone.root / 'lib' / f'kernel_ext{suffix}').write_text('')
    assert stamp(clone, 'native', 'mxnet') == 'missing'     # the kernels import a module that they share
    (clone.root / 'lib' / 'utils').mkdir()
    (clone.root / 'lib' / 'utils' / f'_memoryviews{suffix}').write_text('')
    assert stamp(clone, 'native', 'mxnet') != 'missing'
