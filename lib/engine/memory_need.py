"""How much memory a network takes at least, before anything is allocated: a process that asks for more than there is
is killed without a word on most systems."""
import json
import math
from typing import Dict, NamedTuple, Sequence

from lib.utils.errors import SniperError
from lib.utils.processes import available_memory

_KEPT = ('Convolution', 'Deconvolution', 'FullyConnected')   # a training keeps what these give until backward
_GIB = 1 << 30


class Need(NamedTuple):
    """Bytes on one device that nothing can do without. weights: with gradients and one average of them in training;
    layers: what layers give, all that is kept for backward in training, else input and output of the largest."""
    weights: int
    layers: int

    @property
    def total(self) -> int:
        """Both."""
        return self.weights + self.layers


def least_need(symbol, shapes: Dict[str, Sequence[int]], training: bool, half: bool = False) -> Need:
    """Of a graph whose inputs have `shapes` on one device. half: whether its numbers have two bytes. Other memory, such
    as gradients of layers, the libraries' and that of batches that wait, comes on top."""
    internals = symbol.get_internals()
    _, outputs, _ = internals.infer_shape(**shapes)
    sizes = {name: math.prod(shape) * (2 if half else 4) for name, shape in zip(internals.list_outputs(), outputs)}
    weights = sum(sizes[name] for name in set(symbol.list_arguments()) - set(shapes)) * (3 if training else 1)
    nodes = json.loads(symbol.tojson())['nodes']
    layers = [(sizes.get(node['name'] + '_output', 0), nodes[node['inputs'][0][0]]) for node in nodes
              if node['op'] in _KEPT]
    if training:
        return Need(weights, sum(size for size, _ in layers))
    return Need(weights, max([size + sizes.get(_output_name(source), 0) for size, source in layers] or [0]))


def check_memory(need: Need, devices, doing: str, mend: str) -> None:
    """SniperError if there is less memory than the devices, MXNet contexts, need. CPU devices share the machine's.

    doing: 'to train on 4 chips a batch'; mend: what to make smaller, in words.
    """
    on_cpu = [device for device in devices if device.device_type == 'cpu']
    free = available_memory() if on_cpu else None
    if free is not None and len(on_cpu) * need.total > free:
        raise _too_large(need, len(on_cpu), free, doing, mend)
    for device in devices:
        if device.device_type == 'gpu':
            from sniper_mxnet import mx  # whoever has such a device has loaded it
            free = mx.context.gpu_memory_info(device.device_id)[0]
            if need.total > free:
                raise _too_large(need, 1, free, f'{doing} on GPU {device.device_id}', mend)


def _too_large(need, count, free, doing, mend):
    weights, layers, total = (f'{count * size / _GIB:.1f}' for size in (need.weights, need.layers, need.total))
    return SniperError(f'memory is too small {doing}: it takes {total} GiB at the very least ({weights} for weights, '
                       f'{layers} for what layers give), and {free / _GIB:.1f} are free; {mend}')


def _output_name(node):
    return node['name'] if node['op'] == 'null' else node['name'] + '_output'
