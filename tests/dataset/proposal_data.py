"""Pickles as the original's users have them, and worse."""
import numpy as np


def python2_pickle(images):
    """Bytes of the list of (n, 5) arrays as Python 2 wrote it, protocol 0."""
    parts = [b'(lp1\n']
    for rows in images:
        rows = np.ascontiguousarray(rows, '<f4')
        text = repr(rows.tobytes())[1:].encode('latin-1')  # b'...' without its b, as Python 2 wrote a str
        parts.append(b"cnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntS'b'\ntRp4\n"
                     b"(I1\n(I%d\nI%d\n"
                     b"tcnumpy\ndtype\np5\n(S'f4'\nI0\nI1\ntRp6\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS%s\ntba" % (
                         rows.shape[0], rows.shape[1], text))
    return b''.join(parts) + b'.'


def random_rows(rng, count, width=200, height=150):
    """(count, 5) float32 proposals inside the image, best first."""
    corners = rng.uniform(0, 0.8, (count, 2)) * (width, height)
    ends = np.minimum(corners + rng.uniform(5, 80, (count, 2)), (width - 1, height - 1))
    scores = -np.sort(-rng.uniform(0, 1, count))
    return np.hstack([corners, ends, scores[:, None]]).astype(np.float32)
