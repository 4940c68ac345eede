"""What is refused on which processor; the processor's features are made up."""
import os
import subprocess
import sys

import pytest

from lib.engine import precision as processor
from lib.utils.errors import SniperError

AMX = {'amx_tile', 'amx_bf16', 'amx_int8'}


@pytest.fixture
def machine(monkeypatch):
    """machine(flags, tiles): a processor with these flags, and a kernel that gives the tile registers or not."""
    monkeypatch.delenv(processor.MAX_ISA, raising=False)

    def make(flags, tiles=True, loaded=False):
        monkeypatch.setattr(processor, 'cpu_flags', lambda: set(flags))
        monkeypatch.setattr(processor, '_request_tiles', lambda: tiles)
        monkeypatch.setattr(processor, '_mxnet_is_loaded', lambda: loaded)
    yield make
    os.environ.pop(processor.MAX_ISA, None)


def test_amx_is_allowed_after_the_kernel_agreed(machine):
    machine(AMX)
    assert processor.prepare_processor('fp32') == 'fp32' and processor.MAX_ISA not in os.environ
    assert processor.prepare_processor('bf16') == 'AMX' and os.environ[processor.MAX_ISA] == processor.AMX_ISA
    assert processor.prepare_processor('int8') == 'AMX'


@pytest.mark.parametrize('precision, flag', [('bf16', 'avx512_bf16'), ('int8', 'avx512_vnni'), ('int8', 'avx_vnni')])
def test_without_amx_the_next_best_is_taken(machine, precision, flag):
    for flags, tiles in (({flag}, True), (AMX | {flag}, False)):
        machine(flags, tiles)
        assert processor.prepare_processor(precision) == flag and processor.MAX_ISA not in os.environ


@pytest.mark.parametrize('precision, flags, tiles, loaded, reason', [
    ('bf16', {'avx2'}, True, False, 'none of avx512_bf16 here, and no amx_tile and amx_bf16: use TEST.PRECISION fp32'),
    ('int8', set(), True, False, 'none of avx512_vnni, avx_vnni'),
    ('bf16', AMX, False, False, 'the kernel does not let this process use AMX'),
    ('bf16', AMX, True, True, 'MXNet was loaded before')])
def test_refusals(machine, precision, flags, tiles, loaded, reason):
    machine(flags, tiles, loaded)
    with pytest.raises(SniperError, match=reason) as caught:
        processor.prepare_processor(precision)
    assert '\n' not in str(caught.value) and processor.MAX_ISA not in os.environ


def test_the_users_limit_stands(machine, monkeypatch):
    machine(AMX | {'avx512_bf16', 'avx512_vnni', 'avx_vnni'})
    for limit, precision in (('AVX2', 'bf16'), ('AVX2', 'int8'), ('avx512_core', 'int8'), ('AVX512_CORE_VNNI', 'bf16')):
        monkeypatch.setenv(processor.MAX_ISA, limit)
        with pytest.raises(SniperError, match=f'the environment sets DNNL_MAX_CPU_ISA to {limit}'):
            processor.prepare_processor(precision)
    monkeypatch.setenv(processor.MAX_ISA, 'AVX512_CORE_BF16')
    assert processor.prepare_processor('bf16') == 'avx512_bf16' and processor.prepare_processor('int8') == 'avx512_vnni'


def test_on_this_machine():
    """Whatever it is, it answers or refuses, and does not die."""
    program = ('from lib.engine.precision import prepare_processor as prepare\n'
               'from lib.utils.errors import SniperError\n'
               'try: print(prepare("bf16"))\n'
               'except SniperError as error: print(error)')
    done = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 and (done.stdout.strip() in ('AMX', 'avx512_bf16') or 'TEST.PRECISION' in done.stdout)
