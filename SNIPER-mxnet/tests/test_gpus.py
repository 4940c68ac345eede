"""What a driver says of the GPUs, with drivers of a few lines; which of them MXNet and our kernels run on."""
import re

import pytest

from sniper_mxnet import gpus as gpus_module
from sniper_mxnet.gpus import Gpu, driver_version, gpus, kernels_run, spelled
from stub_libraries import needs_compiler, stub_driver


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """driver(gpus, version, status) is the driver from then on."""
    def install(*args, **settings):
        monkeypatch.setattr(gpus_module, 'DRIVER', stub_driver(tmp_path / 'libstub_driver.so', *args, **settings))
        forget()

    def forget():
        gpus.cache_clear()
        gpus_module._driver.cache_clear()
    forget()
    yield install
    forget()


@needs_compiler
def test_names_and_capabilities(driver):
    driver([('NVIDIA A100-SXM4-40GB', 80), ('NVIDIA H200', 90)], version=12040)
    assert gpus() == [Gpu('NVIDIA A100-SXM4-40GB', (8, 0)), Gpu('NVIDIA H200', (9, 0))]
    assert str(gpus()[1]) == 'NVIDIA H200 (compute capability 9.0)'
    assert driver_version() == 12040 and spelled(12040) == '12.4'


@needs_compiler
def test_a_driver_that_finds_none(driver):
    driver(status=100)
    assert gpus() == [] and driver_version() == 12080


def test_no_driver(driver, monkeypatch):
    monkeypatch.setattr(gpus_module, 'DRIVER', 'libsniper_absent.so.1')
    assert gpus() == [] and driver_version() == 0 and kernels_run(13000, [75])


@pytest.mark.parametrize('capability, runs', [((3, 7), False), ((5, 0), True), ((7, 5), True), ((8, 6), True),
                                              ((8, 9), True), ((9, 0), False), ((12, 0), False)])
def test_gpus_that_mxnet_has_machine_code_for(capability, runs):
    assert Gpu('any', capability).runs_mxnet() == runs


@pytest.mark.parametrize('version, capabilities, runtime, architectures, said', [
    (13000, [75, 89], 13000, [75, 80, 86, 90], None),
    (13000, [70], 13000, [75, 80], 'compute capabilities 7.5, 8.0, and GPUs here are .*7.0.*SNIPER_CUDA_ARCHS=70 bash'),
    (12080, [80], 13000, [75, 80], 'compiled by CUDA 13.0, and the driver is of CUDA 12.8'),
    (12080, [90], 12000, [75, 80], None),       # no GPU that MXNet could use: not asked
    (11070, [], 13000, [75, 80], None),
    (12080, [86, 80], 12000, [70, 80], None),   # 8.6 runs what is for 8.0
    (12080, [75, 61], 12000, [70, 75], 'GPUs here are .*6.1'),
    (12080, [75], 12000, [80], 'GPUs here are .*7.5'),
    (12080, [89], 12000, [70], None),           # translated from the PTX of the last
])
def test_where_kernels_run(monkeypatch, caplog, version, capabilities, runtime, architectures, said):
    monkeypatch.setattr(gpus_module, 'driver_version', lambda: version)
    monkeypatch.setattr(gpus_module, 'gpus', lambda: [Gpu('T4', divmod(number, 10)) for number in capabilities])
    assert kernels_run(runtime, architectures) == (said is None)
    assert len(caplog.messages) == (said is not None)
    if said:
        assert re.search(said, caplog.messages[0])
