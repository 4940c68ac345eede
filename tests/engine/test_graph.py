"""Symbols as nodes that can be changed."""
import numpy as np

from lib.engine.graph import Graph
from tests.engine.networks import network, outputs, weights


def test_a_graph_is_read_and_made_again():
    from sniper_mxnet import mx
    symbol = network(mx)
    arrays = weights(mx, symbol)
    again = Graph(symbol).symbol()
    assert again.list_arguments() == symbol.list_arguments() and again.list_outputs() == symbol.list_outputs()
    for one, other in zip(outputs(mx, again, *arrays), outputs(mx, symbol, *arrays)):
        np.testing.assert_array_equal(one, other)


def test_relus_with_a_node_for_themselves():
    """`c` is read by its ReLU and as an output."""
    from sniper_mxnet import mx
    data = mx.sym.var('data')
    one, other = (mx.sym.Activation(mx.sym.Convolution(data, num_filter=2, kernel=(1, 1), name=name), act_type='relu',
                                    name=name + '_relu') for name in 'bc')
    tanh = mx.sym.Activation(mx.sym.Convolution(data, num_filter=2, kernel=(1, 1)), act_type='tanh')
    graph = Graph(mx.sym.Group([one, other, other.get_children()[0], tanh]))
    assert [(relu.name, node.name) for relu, node in graph.relus_behind('Convolution')] == [('b_relu', 'b')]
    assert graph.relus_behind('BatchNorm') == []
