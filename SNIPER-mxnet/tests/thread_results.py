"""What the operators give with the threads that OMP_NUM_THREADS says: python thread_results.py FILE.npz THREADS

The number is decided when MXNet loads, so each has a process of its own. The maps are large enough for the operators to
use several threads.
"""
import os
import sys

import numpy as np

import mask_reference
import proposal_reference
import test_deformable_convolution
import test_deformable_psroi_pooling
from operator_samples import SAMPLES, run, sample
from sniper_mxnet import mx


def samples():
    """Every operator, with its gradients."""
    for name in SAMPLES:
        for images in (1, 3):
            yield f'{name} of {images}', run(name, sample(name, images=images))


def winograd():
    """tiles_y is 9 for each of two images: up to 8 threads divide these each for itself, 20 together."""
    rng = np.random.RandomState(0)
    data, weight = mx.nd.array(rng.randn(2, 40, 33, 50)), mx.nd.array(rng.randn(36, 2, 40, 32))
    yield 'winograd', [{'output': mx.nd.WinogradConvolution(data, weight, num_filter=50, no_bias=True)}]


def deformable_convolutions():
    for number, case in enumerate(test_deformable_convolution.CASES):
        output, grads = test_deformable_convolution.run(
            mx.nd.DeformableConvolution, *test_deformable_convolution.make_case(case, 9))
        yield f'deformable {number}', [{'output': output}, grads]


def psroi_pooling():
    inputs, attributes = test_deformable_psroi_pooling.make_case((1, 70, 1, 1, 16, 16, 7, 7, 2, 80, 0.125, False), 3)
    output, grads = test_deformable_psroi_pooling.run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    yield 'psroi', [{'output': output}, grads]


def proposals():
    """One large image (its boxes decoded over threads), several images, and many mask rows."""
    rng = np.random.RandomState(0)
    case = proposal_reference.random_case(rng, 5, 20, 20, 6, 8)
    yield 'proposals', [numbered(mx.nd.MultiProposal(*map(mx.nd.array, case), feature_stride=8, scales=(2, 4)))]
    for images, height, width in ((1, 70, 60), (5, 9, 8)):
        case = list(proposal_reference.random_case(rng, images, height, width, 21, 16))
        case += [proposal_reference.random_truths(rng, images, 9, 16 * height),
                 np.array([[30, 70]] * images, np.float32)]
        arrays = [mx.nd.array(array) for array in case]
        outputs = mx.nd.MultiProposal(*arrays[:3], threshold=0.2)
        arrays[0] = arrays[0].reshape((images, 2, -1, width))
        outputs = outputs + mx.nd.MultiProposalTarget(*arrays) + mx.nd.MultiProposalTargetMask(*arrays)
        yield f'proposals and targets of {images}', [numbered(outputs)]
    polys = np.array([[mask_reference.record(i, [list(rng.rand(20) * 50)], 30) for i in range(6)]])
    rois = np.hstack([np.zeros((40, 1)), rng.rand(40, 2) * 20, 20 + rng.rand(40, 2) * 30])
    arrays = [mx.nd.array(array) for array in (rois, polys, rng.randint(-1, 6, size=(40, 1)))]
    yield 'masks', [numbered(mx.nd.MaskRcnnTarget(*arrays))]


def numbered(arrays):
    return {str(number): array for number, array in enumerate(arrays)}


def main(path, threads):
    assert os.environ['OMP_NUM_THREADS'] == threads     # nothing that was loaded has changed it
    found = {}
    for workload in (samples, winograd, deformable_convolutions, psroi_pooling, proposals):
        for name, parts in workload():
            for kind, arrays in zip(('output', 'gradient'), parts):
                found.update({f'{name}, {kind} {key}': np.asarray(getattr(value, 'asnumpy', lambda v=value: v)())
                              for key, value in arrays.items()})
    np.savez(path, **found)


if __name__ == '__main__':
    main(*sys.argv[1:])
