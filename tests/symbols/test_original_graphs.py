"""Every graph of the original's main branch against ours, node by node; docs/graphs.md has the wanted differences."""
import fnmatch
import os
from typing import NamedTuple

import pytest

from sniper_mxnet import mx
from symbols import get_detector
from symbols.heads.rfcn import RfcnHead
from tests.conftest import ROOT
from tests.golden import reference_file
from tests.symbols.graph_checker import compare_graphs, read_listing, read_symbol
from tests.symbols.helpers import config_for
from tests.symbols.test_manifests import GRAPHS, VARIANTS, overrides

UNUSED = {'crowd_boxes'}    # nodes of the original without a counterpart


class Wanted(NamedTuple):
    """A row of the table."""
    graph: str
    node: str
    what: str
    original: str
    ours: str
    reason: str

    def allows(self, graph, difference):
        return all(fnmatch.fnmatchcase(text, pattern) for text, pattern in zip((graph,) + difference, self[:5]))


def wanted_differences():
    rows = []
    with open(os.path.join(ROOT, 'docs', 'graphs.md')) as stream:
        for line in stream:
            cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
            if line.startswith('| `'):
                rows.append(Wanted(*['' if cell == '-' else cell.strip('`') for cell in cells]))
    return rows


def listing(name, variant):
    return read_listing(reference_file(f'networks/{name}.{variant}.graph.txt'))


@pytest.fixture(scope='module', autouse=True)
def pooling_apart():
    """R-FCN-3K's pooling as the original has it, in three nodes; ours is one, in training."""
    whole = RfcnHead.fine_score
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RfcnHead, 'fine_score', lambda self, *arguments: whole(self, *arguments[:3], apart=True))
        yield


def our_graph(name, variant, *more):
    config = config_for(name, 'TRAIN.fp16', 'True', 'TEST.BATCH_IMAGES', '[2, 2, 2]', 'TEST.WITH_MASK', 'False',
                        'network.BN_MOMENTUM', '0.995', *overrides(name, variant), *more)
    return read_symbol(get_detector(name).symbol(config, VARIANTS[variant]))


@pytest.fixture(scope='module')
def compared(pooling_apart):
    """{graph: (differences, pairs, listing, our graph)} of all."""
    result = {}
    for name, variant in GRAPHS:
        original, ours = listing(name, variant), our_graph(name, variant)
        result[f'{name}.{variant}'] = compare_graphs(original, ours) + (original, ours)
    return result


@pytest.mark.parametrize('graph', ['.'.join(graph) for graph in GRAPHS])
def test_operators_attributes_and_wiring(compared, graph):
    differences, pairs, original, ours = compared[graph]
    rows = wanted_differences()
    unwanted = [difference for difference in differences if not any(row.allows(graph, difference) for row in rows)]
    assert not unwanted, unwanted[:5]
    assert set(original.nodes) - set(pairs) <= UNUSED
    assert len(set(pairs.values())) == len(pairs), 'two nodes of the original are one here'
    assert {name for name in ours.nodes if not name.endswith('_guard')} == set(pairs.values())


def test_every_row_of_the_table_is_needed_and_has_a_reason(compared):
    rows = wanted_differences()
    assert len(rows) > 20 and all(row.reason for row in rows)
    idle = [row for row in rows if not any(row.allows(graph, difference) for graph, found in compared.items()
                                           for difference in found[0])]
    assert not idle


def small(stride=1, name='a', swapped=False, outputs=1, **relu):
    data = mx.sym.var('data')
    first = mx.sym.Convolution(data, kernel=(3, 3), num_filter=4, stride=(stride,) * 2, no_bias=True, name=name)
    second = mx.sym.Activation(first, act_type=relu.get('act_type', 'relu'), name='b')
    total = first - second if not swapped else second - first
    return read_symbol(mx.sym.Group([total, second][:outputs]))


@pytest.mark.parametrize('other, what', [
    (dict(stride=2), ['stride']), (dict(name='c'), ['name', 'name']), (dict(act_type='tanh'), ['act_type']),
    (dict(outputs=2), ['input'])])
def test_the_checker_notices(other, what):
    differences, _ = compare_graphs(small(), small(**other))
    assert sorted(difference.what for difference in differences) == what


def test_the_checker_notices_wiring_and_accepts_what_is_equal():
    differences, pairs = compare_graphs(small(), small())
    assert differences == [] and len(pairs) == 5
    assert compare_graphs(small(), small(swapped=True))[0]


def test_the_checker_notices_a_changed_network():
    found, _ = compare_graphs(listing('resnet_mx_50_e2e', 'rpn_train'),
                              our_graph('resnet_mx_50_e2e', 'rpn_train', 'TRAIN.scale', '50'))
    assert {difference.node for difference in found} >= {'rpn_cls_prob', 'rpn_bbox_loss'}
    found, _ = compare_graphs(listing('resnet_mx_50_e2e', 'rpn_test'), our_graph('resnet_mx_101_e2e', 'rpn_test'))
    assert len(found) > 100
