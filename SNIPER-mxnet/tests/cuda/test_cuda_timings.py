"""timings.py works: every operator's case runs at a tiny size through the emulation and agrees with the CPU."""
import json

import pytest

import timings


def test_all_operators_in_the_emulation(tmp_path, cpu, emulated, capsys):
    path = str(tmp_path / 'figures.json')
    assert timings.main(['--emulated', '--json', path]) == 0
    with open(path) as stream:
        rows = json.load(stream)['rows']
    names = {row['name'].split()[0] for row in rows}
    assert names == {'MultiProposal', 'MultiProposalTarget', 'MultiProposalTargetMask', 'MaskRcnnTarget', 'SoftNMS',
                     'MultiBoxLoss', 'MinedAnchorTarget', 'SoftSamplingWeight', 'RoIMeanPooling',
                     'DeformablePSROIPooling', 'DeformableConvolution', 'ChipGenerator'}
    for row in rows:
        assert row['unlike_cpu'] == 0 and row['bytes'] > 0, row
    assert capsys.readouterr().out.count('| ') > len(rows)


def test_on_the_gpu(cuda, tmp_path):
    """Run with -s for the table."""
    path = str(tmp_path / 'figures.json')
    assert timings.main(['--json', path]) == 0
    with open(path) as stream:
        rows = json.load(stream)['rows']
    assert rows and all(row['unlike_cpu'] <= 0.01 for row in rows), rows


@pytest.mark.parametrize('name', ['cupy', 'torch'])
def test_arrays_of_other_libraries(cuda, name):
    """Their arrays on the GPU go in as they are."""
    other = pytest.importorskip(name)
    ones = other.ones(1000, dtype=other.float32, **({'device': 'cuda'} if name == 'torch' else {}))
    sums = cuda.output(2)
    (other.cuda if name == 'torch' else other.cuda.Device()).synchronize()
    cuda.call('test_sum', ones, 1000, sums)
    assert sums.numpy().tolist() == [1000, 1000]
