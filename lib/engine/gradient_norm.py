"""Clipping of gradients by the norm of all together, as the engine computes: nobody waits for the number."""
from sniper_mxnet import mx

CHUNK = 4096    # values that are summed in one go: many sums run side by side, and each is exact enough


def global_norm(arrays):
    """NDArrays of one device -> their joint Euclidean norm, (1,) float32 there; the same at every call."""
    return _norm(mx.nd.concat(*[_norms(array) for array in arrays], dim=0))


def clip_to_norm(arrays, bound: float) -> None:
    """Multiply the NDArrays of one device by bound / norm, in place, where their joint norm is above `bound`."""
    if not arrays:
        return
    factor = bound / mx.nd.maximum(global_norm(arrays), bound)
    for array in arrays:
        mx.nd.broadcast_mul(array, factor.reshape((1,) * array.ndim).astype(array.dtype, copy=False), out=array)


def _norms(array):
    """Norms of the parts of an array, (k,) float32."""
    flat = array.reshape((-1,)).astype('float32', copy=False)
    parts = array.size // CHUNK
    found = [_norm(flat[:parts * CHUNK].reshape((parts, CHUNK)))] if parts else []
    rest = [_norm(flat[parts * CHUNK:].reshape((1, -1)))] if array.size % CHUNK else []
    return mx.nd.concat(*found, *rest, dim=0) if len(found + rest) > 1 else (found + rest)[0]


def _norm(rows):
    """(k, n) -> (k,), or (n,) -> (1,)."""
    return mx.nd.norm(rows, ord=2, axis=-1) if rows.ndim == 2 else mx.nd.norm(rows.reshape((1, -1)), ord=2, axis=1)
