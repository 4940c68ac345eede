"""The proposal family gives the same bits with any number of threads, on maps large enough for it to use several."""
import hashlib
import os
import subprocess
import sys

import numpy as np

import mask_reference
import proposal_reference as reference


def digest():
    """Hash of all outputs: one large image (its boxes decoded over threads), several images, many mask rows."""
    from sniper_mxnet import mx
    rng = np.random.RandomState(0)
    hashed = hashlib.sha256()
    for images, height, width in ((1, 70, 60), (5, 9, 8)):
        case = list(reference.random_case(rng, images, height, width, 21, 16))
        case += [reference.random_truths(rng, images, 9, 16 * height), np.array([[30, 70]] * images, np.float32)]
        arrays = [mx.nd.array(array) for array in case]
        outputs = mx.nd.MultiProposal(*arrays[:3], threshold=0.2)
        arrays[0] = arrays[0].reshape((images, 2, -1, width))
        outputs = outputs + mx.nd.MultiProposalTarget(*arrays) + mx.nd.MultiProposalTargetMask(*arrays)
        for output in outputs:
            hashed.update(output.asnumpy().tobytes())
    polys = np.array([[mask_reference.record(i, [list(rng.rand(20) * 50)], 30) for i in range(6)]])
    rois = np.hstack([np.zeros((40, 1)), rng.rand(40, 2) * 20, 20 + rng.rand(40, 2) * 30])
    arrays = [mx.nd.array(array) for array in (rois, polys, rng.randint(-1, 6, size=(40, 1)))]
    for output in mx.nd.MaskRcnnTarget(*arrays):
        hashed.update(output.asnumpy().tobytes())
    return hashed.hexdigest()


def test_same_bits_with_any_number_of_threads():
    code = 'import test_proposal_threads as t; print(t.digest())'
    digests = []
    for threads in ('1', '3'):
        environment = dict(os.environ, OMP_NUM_THREADS=threads)
        output = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=os.path.dirname(__file__), check=True,
                                env=environment, stdout=subprocess.PIPE, text=True).stdout
        digests.append(output.split()[-1])
    assert len(set(digests)) == 1, digests
