"""Two graphs compared node by node, from their outputs back to their inputs.

One is a listing of the original (`reference/networks/*.graph.txt`), the other a symbol of ours. Nodes are paired by the
way the graphs are wired, not by name: names are compared too, except where the original left them to MXNet. Attributes
that are not set have MXNet's defaults (`DEFAULTS`), on both sides. Two things are not counted as differences: which of
two operands of an addition comes first, and the nodes `*_guard` that sniper_mxnet puts before inputs of its operators,
which pass values on unchanged.
"""
import ast
import json
import re
from typing import Any, Dict, List, NamedTuple, Tuple

AUTOMATIC = re.compile(r'^_|^(cast|pooling|blockgrad|custom|pick)\d+$')
# Names of the outputs of operators that have several; the listings write node[output].
OUTPUTS = {'MultiProposal': ('output', 'score'),
           'MultiProposalTarget': ('rois', 'label', 'bbox_target', 'bbox_weight'),
           'MultiProposalTargetMask': ('rois', 'label', 'bbox_target', 'bbox_weight', 'mask_rois', 'mask_ids',
                                       'mask_labels'),
           'MaskRcnnTarget': ('mask_targets', 'mask_cls')}
PASSED_ON = ('_copy', 'BlockGrad')
KEPT_OF_VARIABLES = ('__lr_mult__',)    # MXNet hands variables other attributes of their layer down; they do nothing
# What MXNet 1.9.1 takes for an attribute that is not set, of the operators in the listings.
_CONVOLUTION = dict(stride=(1, 1), dilate=(1, 1), pad=(0, 0), num_group=1, no_bias=False)
DEFAULTS = {
    'Convolution': _CONVOLUTION, 'Deconvolution': dict(_CONVOLUTION, no_bias=True),
    '_contrib_DeformableConvolution': dict(_CONVOLUTION, num_deformable_group=1),
    'DeformableConvolution': dict(_CONVOLUTION, num_deformable_group=1),
    '_contrib_DeformablePSROIPooling': dict(trans_std=0), 'DeformablePSROIPooling': dict(trans_std=0),
    'BatchNorm': dict(eps=1e-3, momentum=0.9, fix_gamma=True, use_global_stats=False),
    'FullyConnected': dict(no_bias=False, flatten=True), 'Pooling': dict(pad=(0, 0), pooling_convention='valid'),
    'Concat': dict(dim=1), 'pick': dict(axis=-1, keepdims=False, mode='clip'),
    'SoftmaxOutput': dict(grad_scale=1, ignore_label=-1, multi_output=False, use_ignore=False, normalization='null'),
    'MakeLoss': dict(grad_scale=1, normalization='null'), 'smooth_l1': dict(scalar=1),
    'SoftmaxActivation': dict(mode='instance'), 'softmax': dict(axis=-1),
}
# Defaults of operators of the original's fork (reference/operators.md), as they were in force.
_TARGET = dict(feature_stride=16, scales=(2, 4, 7, 10, 13, 16, 24), ratios=(0.5, 1, 2), rpn_pre_nms_top_n=6000,
               rpn_post_nms_top_n=300, threshold=0.7, rpn_min_size=4)
DEFAULTS.update(MultiProposalTarget=_TARGET, MultiProposalTargetMask=dict(_TARGET, max_masks=50))


class Node(NamedTuple):
    name: str
    operator: str                       # 'var' for inputs and parameters
    inputs: List[Tuple[str, Any]]       # (name of a node, name of its output or None if it has one)
    attributes: Dict[str, Any]


class Graph(NamedTuple):
    nodes: Dict[str, Node]
    heads: List[Tuple[str, Any]]


class Difference(NamedTuple):
    """At the original's node: `what` ('operator', 'name', 'input', or an attribute) is `original` there, `ours` here.

    Of another operator the attributes that differ stand behind it: 'softmax axis=1'.
    """
    node: str
    what: str
    original: str
    ours: str


def read_listing(path):
    """Graph of a file `*.graph.txt`."""
    nodes, heads = {}, []
    with open(path) as stream:
        for line in stream:
            if line.startswith('# outputs:'):
                heads = [_reference(text) for text in line[len('# outputs:'):].split(',')]
            elif not line.startswith('#'):
                name, operator, inputs, attributes = [part.strip() for part in line.split('|')]
                nodes[name] = Node(name, operator, [_reference(text) for text in inputs.split(',') if text],
                                   {key: value(text) for key, text in (item.split('=', 1)
                                                                       for item in attributes.split())})
    return Graph(nodes, heads)


def read_symbol(symbol):
    """Graph of an mx.sym.Symbol."""
    content = json.loads(symbol.tojson())
    listed = content['nodes']

    def reference(entry):
        node, output = listed[entry[0]], entry[1]
        if node['name'].endswith('_guard') and node['op'] in PASSED_ON:
            return reference(node['inputs'][0])
        names = OUTPUTS.get(node['op'])
        return node['name'], names[output] if names else None
    nodes = {node['name']: Node(node['name'], 'var' if node['op'] == 'null' else node['op'],
                                [reference(entry) for entry in node['inputs']],
                                {key: value(text) for key, text in node.get('attrs', {}).items()
                                 if _counts(node['op'], key)})
             for node in listed}
    assert len(nodes) == len(listed), 'two nodes share a name'
    return Graph(nodes, [reference(entry) for entry in content['heads']])


def _counts(operator, key):
    return key in KEPT_OF_VARIABLES if operator == 'null' else not key.startswith('__')


def value(text):
    """Attribute as MXNet writes it -> something to compare: tuples for lists, numbers as such."""
    try:
        parsed = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(parsed) if isinstance(parsed, list) else parsed


def compare_graphs(original, ours):
    """Graph, Graph -> (list of Difference, {name of the original's node: name of ours})."""
    differences, pairs, todo = [], {}, []

    def pair(at, theirs, mine):
        if theirs[1] != mine[1]:
            differences.append(Difference(at, 'input', _text(theirs), _text(mine)))
        if theirs[0] not in pairs:
            pairs[theirs[0]] = mine[0]
            todo.append(theirs[0])
        elif pairs[theirs[0]] != mine[0]:
            differences.append(Difference(at, 'input', _text((pairs[theirs[0]], theirs[1])), _text(mine)))

    _pair_all('outputs', original.heads, ours.heads, pair, differences)
    while todo:
        theirs = original.nodes[todo.pop()]
        mine = ours.nodes[pairs[theirs.name]]
        differences.extend(_compare_nodes(theirs, mine))
        inputs = mine.inputs
        if theirs.operator == mine.operator == 'elemwise_add' and _swapped(theirs.inputs, inputs):
            inputs = inputs[::-1]
        _pair_all(theirs.name, theirs.inputs, inputs, pair, differences)
    return differences, pairs


def _pair_all(at, theirs, mine, pair, differences):
    for first, second in zip(theirs, mine):
        pair(at, first, second)
    for extra in theirs[len(mine):]:
        differences.append(Difference(at, 'input', _text(extra), ''))
    for extra in mine[len(theirs):]:
        differences.append(Difference(at, 'input', '', _text(extra)))


def _swapped(theirs, mine):
    return any(theirs[k][0] == mine[1 - k][0] and theirs[k][0] != mine[k][0] for k in (0, 1))


def _compare_nodes(theirs, mine):
    if theirs.name != mine.name and not AUTOMATIC.match(theirs.name):
        yield Difference(theirs.name, 'name', theirs.name, mine.name)
    first = dict(DEFAULTS.get(theirs.operator, {}), **theirs.attributes)
    second = dict(DEFAULTS.get(mine.operator, {}), **mine.attributes)
    if first.get('use_global_stats') and second.get('use_global_stats'):
        first.pop('momentum'), second.pop('momentum')   # nothing moves
    keys = [key for key in sorted(set(first) | set(second)) if first.get(key) != second.get(key)]
    if theirs.operator != mine.operator:
        yield Difference(theirs.name, 'operator', _written_all(theirs.operator, first, keys),
                         _written_all(mine.operator, second, keys))
    else:
        for key in keys:
            yield Difference(theirs.name, key, _written(first, key), _written(second, key))


def _written_all(operator, attributes, keys):
    return ' '.join([operator] + [f'{key}={_written(attributes, key)}' for key in keys if key in attributes])


def _written(attributes, key):
    return str(attributes[key]).replace(' ', '') if key in attributes else ''


def _reference(text):
    match = re.match(r'([^\[]*)(?:\[(.*)\])?$', text.strip())
    return match.group(1), match.group(2)


def _text(reference):
    return reference[0] if reference[1] is None else '{}[{}]'.format(*reference)
