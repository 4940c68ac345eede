"""Names of Gluon's model zoo in their two forms.

`save_parameters` writes places in the structure ('features.0.weight'); `export` and ONNX files made from it write the
names of parameters ('resnetv10_conv0_weight'), whose prefix counts the networks made in a process. The latter become
the former here, by way of MXNet's own model zoo.
"""
import re

NETWORKS = {'resnetv1': ('resnet50_v1', 'resnet101_v1', 'resnet152_v1', 'resnet34_v1', 'resnet18_v1'),
            'resnetv2': ('resnet50_v2', 'resnet101_v2', 'resnet152_v2', 'resnet34_v2', 'resnet18_v2'),
            'mobilenetv2': ('mobilenet_v2_1_0',), 'vgg': ('vgg16',)}


def make_network(name):
    """A network of Gluon's model zoo, without values."""
    from sniper_mxnet import mx
    return getattr(mx.gluon.model_zoo.vision, name)()


def structural_names(arrays):
    """{name: array} with names of parameters -> the same with places in the structure; other names stay."""
    plain = {name.split(':', 1)[1] if name.startswith(('arg:', 'aux:')) else name: array
             for name, array in arrays.items()}
    match = re.match(r'(resnetv1|resnetv2|mobilenetv2|vgg)\d*_', next(iter(plain), ''))
    if not match:
        return arrays
    prefix = match.group(0)
    suffixes = {name[len(prefix):]: array for name, array in plain.items() if name.startswith(prefix)}
    for candidate in NETWORKS[match.group(1)]:
        network = make_network(candidate)
        places = {parameter.name[len(network.prefix):]: place
                  for place, parameter in network._collect_params_with_prefix().items()}
        trunk = {suffix: place for suffix, place in places.items() if not place.startswith('output.')}
        if set(trunk) <= set(suffixes) and not any(_is_trunk(suffix) for suffix in set(suffixes) - set(places)):
            return {places[suffix]: array for suffix, array in suffixes.items() if suffix in places}
    return arrays


def _is_trunk(suffix):
    return 'conv' in suffix or 'batchnorm' in suffix
