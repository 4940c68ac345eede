"""Files of Caffe networks, in each of the forms that they come in."""
import numpy as np

from tests.weights.conversion.test_formats import field, varint

LAYER, OLD_LAYER = 100, 2


def fixed(number, array):
    """An array as one field a number."""
    wire = 5 if array.itemsize == 4 else 1
    key = varint(number << 3 | wire)
    rows = np.empty(array.size, [('key', f'V{len(key)}'), ('value', array.dtype)])
    rows['key'], rows['value'] = np.void(key), array.ravel()
    return rows.tobytes()


def blob(array, packed=True, old=False):
    """An array, float32 or float64, as a blob. old: with four sides, 1 in front where it has fewer."""
    array = np.asarray(array)
    array = np.ascontiguousarray(array, '<f8' if array.dtype == np.float64 else '<f4')
    if old:
        sides = (1,) * (4 - array.ndim) + array.shape
        shape = b''.join(field(number, side) for number, side in enumerate(sides, start=1))
    elif packed:
        shape = field(7, field(1, b''.join(map(varint, array.shape))))
    else:
        shape = field(7, b''.join(field(1, side) for side in array.shape))
    number = 8 if array.itemsize == 8 else 5
    return shape + (field(number, array.tobytes()) if packed else fixed(number, array))


def layer(name, blobs, kind='Convolution', old=False):
    """A layer of the network, of blobs as bytes."""
    if old:
        return field(OLD_LAYER, field(2, b'bottom') + field(4, name.encode()) + field(5, 4)
                     + b''.join(field(6, content) for content in blobs))
    return field(LAYER, field(1, name.encode()) + field(2, kind.encode()) + field(3, b'bottom') + field(10, 1)
                 + b''.join(field(7, content) for content in blobs))


def network(arrays, packed=True, old=False, old_sides=None, name='net'):
    """{'layer.weight' or 'layer.bias': array} as a file's content, beside layers that have no weights."""
    layers, old_sides = {}, old if old_sides is None else old_sides
    for key, array in arrays.items():
        layers.setdefault(key.rpartition('.')[0], []).append(blob(array, packed, old_sides))
    return (field(1, name.encode()) + layer('data', [], 'Input', old)
            + b''.join(layer(key, blobs, old=old) for key, blobs in layers.items()) + layer('loss', [], 'Softmax', old))
