"""Finding nvcc and calling it, with scripts in the place of compilers of several versions."""
import os

import nvcc
import pytest

PROGRAM = """#!/bin/sh
case "$1" in
    --version) echo "Cuda compilation tools, release %s, V%s.1" ;;
    --help) echo "Allowed values for this option: %s" ;;
    --dryrun) echo '#$ INCLUDES="-I%s" '; echo '#$ LIBRARIES=  "-L/absent/stubs" "-L%s"' ;;
esac
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(version, architectures) makes a compiler the only one to be found, and returns its path."""
    for name in ('NVCC', 'CUDA_PATH', 'SNIPER_CUDA_ARCHS'):
        monkeypatch.delenv(name, raising=False)

    def write(version, architectures):
        path = tmp_path / 'bin' / 'nvcc'
        path.parent.mkdir()
        known = ', '.join(f"'compute_{number}','sm_{number}'" for number in architectures)
        path.write_text(PROGRAM % (version, version, known, tmp_path, tmp_path))
        path.chmod(0o755)
        monkeypatch.setenv('CUDA_HOME', str(tmp_path))
        return str(path)
    return write


@pytest.mark.parametrize('version, known, chosen', [
    ('11.2', [35, 50, 52, 60, 61, 70, 72, 75, 80, 86], [70, 75, 80, 86]),
    ('12.8', [50, 60, 70, 75, 80, 86, 87, 89, 90, 100, 120], [70, 75, 80, 86, 90]),
    ('13.0', [75, 80, 86, 87, 88, 89, 90, 100, 110, 120], [75, 80, 86, 90]),
    ('20.0', [100, 120, 140], [140]),
])
def test_architectures_are_those_that_the_compiler_knows(install, version, known, chosen):
    path = install(version, known)
    compiler = nvcc.find_compiler()
    assert compiler.path == path and compiler.version == tuple(map(int, version.split('.')))
    assert compiler.architectures() == chosen
    flags = compiler.flags()
    codes = [flag for flag in flags if flag.startswith('-gencode')]
    assert codes == [f'-gencode=arch=compute_{number},code=sm_{number}' for number in chosen] + [
        f'-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}']
    assert '-std=c++17' in flags and '-fmad=false' in flags


def test_architectures_can_be_chosen(install, monkeypatch):
    install('13.0', [75, 80, 90])
    monkeypatch.setenv('SNIPER_CUDA_ARCHS', '90; 75')
    assert nvcc.find_compiler().architectures() == [75, 90]
    monkeypatch.setenv('SNIPER_CUDA_ARCHS', 'hopper')
    with pytest.raises(ValueError, match="SNIPER_CUDA_ARCHS is 'hopper'.* '80;90'"):
        nvcc.find_compiler().architectures()


def test_folders_are_the_compilers_own(install, tmp_path):
    install('12.0', [80])
    compiler = nvcc.find_compiler()
    assert compiler.folders('I') == compiler.folders('L') == [os.path.realpath(str(tmp_path))]


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without nvcc: the folder of its Python packages."""
    for name in ('NVCC', 'CUDA_HOME', 'CUDA_PATH'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('PATH', '/bin')
    monkeypatch.setattr(nvcc.shutil, 'which', lambda name: name if os.path.isfile(name) else None)
    monkeypatch.setattr(nvcc, 'DEFAULT', str(tmp_path / 'nvcc'))
    monkeypatch.setattr(nvcc.sysconfig, 'get_paths', lambda: {'purelib': str(tmp_path / 'site')})
    return tmp_path / 'site'


def test_none_where_there_is_none(bare):
    assert nvcc.find_compiler() is None


def test_the_compiler_of_a_package_is_found_and_its_libraries(bare):
    """The packages have a folder lib, where their compiler says lib64."""
    for version in ('9', '13'):
        home = bare / 'nvidia' / f'cu{version}'
        path = home / 'bin' / 'nvcc'
        path.parent.mkdir(parents=True)
        (home / 'lib').mkdir()
        path.write_text(f"""#!/bin/sh
case "$1" in
    --version) echo "Cuda compilation tools, release {version}.0, V{version}.0.1" ;;
    --dryrun) echo '#$ LIBRARIES=  "-L{home}/bin/..//lib64/stubs" "-L{home}/bin/..//lib64"' ;;
esac
""")
        path.chmod(0o755)
    compiler = nvcc.find_compiler()
    assert compiler.version == (13, 0) and compiler.path == str(path)
    assert compiler.folders('L') == [os.path.realpath(str(home / 'lib'))]


@pytest.fixture
def mxnet_for_cuda(tmp_path):
    """Folder of an installed MXNet package for CUDA."""
    (tmp_path / 'site' / 'mxnet_cu112-1.9.1.dist-info').mkdir(parents=True)
    return str(tmp_path / 'site' / 'mxnet')


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(nvcc, 'find_compiler', lambda: None)


def test_kernels_are_wanted_where_mxnet_is_for_cuda_or_by_request(install, monkeypatch, tmp_path, mxnet_for_cuda):
    path = install('11.2', [70, 80])
    mxnet_for_cpu = str(tmp_path / 'mxnet')
    for asked, mxnet, wanted in [('', mxnet_for_cpu, False), ('1', mxnet_for_cpu, True), ('0', mxnet_for_cpu, False),
                                 ('', mxnet_for_cuda, True), ('1', mxnet_for_cuda, True), ('0', mxnet_for_cuda, False)]:
        monkeypatch.setenv('SNIPER_CUDA', asked)
        compiler = nvcc.wanted_compiler(mxnet)
        assert (compiler is not None and compiler.path == path) == wanted, (asked, mxnet)


def test_mistakes_end_the_build_with_the_mend(install, monkeypatch, mxnet_for_cuda):
    monkeypatch.setenv('SNIPER_CUDA', 'yes')
    with pytest.raises(SystemExit, match="SNIPER_CUDA is 'yes'; it can be 1"):
        nvcc.wanted_compiler(mxnet_for_cuda)
    install('10.1', [70])
    monkeypatch.setenv('SNIPER_CUDA', '1')
    with pytest.raises(SystemExit, match='CUDA 10.1, which is too old.*CUDA_HOME'):
        nvcc.wanted_compiler(mxnet_for_cuda)


def test_without_nvcc(no_compiler, monkeypatch, mxnet_for_cuda, capsys):
    monkeypatch.setenv('SNIPER_CUDA', '1')
    with pytest.raises(SystemExit, match='SNIPER_CUDA=1 asks .* no nvcc: install a CUDA toolkit'):
        nvcc.wanted_compiler(mxnet_for_cuda)
    monkeypatch.setenv('SNIPER_CUDA', '')
    assert nvcc.wanted_compiler(mxnet_for_cuda) is None
    assert 'run on CPUs only' in capsys.readouterr().err
