"""What every conversion checks: the arrays of a file beside those that a network wants, and both networks' outputs."""
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from lib.utils.errors import SniperError
from lib.weights.parameter_matching import match_parameters, shortened


def check_arrays(wanted: Dict[str, tuple], given: Dict[str, tuple], path: str, name: str,
                 foreign: Callable[[str], bool] = lambda entry: True) -> None:
    """SniperError that lists what the file `path` lacks, has too much, or in another shape, to be the network `name`.

    wanted, given: {name of an array: shape}. foreign: whether such a network has no array of this name; one that is not
    wanted and not foreign is passed over.
    """
    match = match_parameters(wanted, given)
    match = match._replace(extra=list(filter(foreign, match.extra)))
    if not match.complete or match.extra:
        raise SniperError(f'{path} looks like {name}, but is another network: ' + (
            match.differences() or f'it has {len(match.extra)} more ({shortened(match.extra)})'))


def finite(array: Any, name: str, path: str) -> np.ndarray:
    """The array, if all of it is finite numbers; SniperError if not, or if it is variances and some are negative."""
    array = np.asarray(array)
    if array.dtype.kind not in 'fiu' or not np.isfinite(array).all():
        raise SniperError(f'{path}: array {name} holds no finite numbers')
    if name.endswith('running_var') and (array < 0).any():
        raise SniperError(f'{path}: {name} has negative variances')
    return array


def seeded_picture(seed: int, height: int, width: int) -> np.ndarray:
    """(1, 3, height, width) R, G, B of 0 to 255, float64."""
    return np.random.RandomState(seed).randint(0, 256, (1, 3, height, width)).astype(np.float64)


def run_network(outputs: Sequence[Any], args: Dict[str, np.ndarray], auxs: Dict[str, np.ndarray], data: np.ndarray
                ) -> List[np.ndarray]:
    """Symbols of our network on the input `data`, in test mode. Parameters that are not in `args` are zeros."""
    from sniper_mxnet import mx
    executor = mx.sym.Group(list(outputs)).simple_bind(mx.cpu(), grad_req='null', data=data.shape)
    executor.copy_params_from({name: mx.nd.array(array) for name, array in args.items()},
                              {name: mx.nd.array(array) for name, array in auxs.items()})
    return [output.asnumpy() for output in executor.forward(is_train=False, data=mx.nd.array(data))]
