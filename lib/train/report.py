"""What heads a log: the environment and the resolved configuration."""
import hashlib
import json
import logging
import os
import platform
import sys

from configs import plain_value

logger = logging.getLogger(__name__)


def environment():
    """[(what, value)] of the machine and the libraries."""
    import cv2
    import numpy as np
    from sniper_mxnet import mx
    return [('command', ' '.join(sys.argv)), ('folder', os.getcwd()), ('Python', platform.python_version()),
            ('MXNet', mx.__version__), ('NumPy', np.__version__), ('OpenCV', cv2.__version__),
            ('machine', f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores'),
            ('OMP_NUM_THREADS', os.environ.get('OMP_NUM_THREADS', 'not set'))]


def flat_config(config, prefix=''):
    """Nested configuration -> {'TRAIN.lr': value}, values fit for JSON."""
    flat = {}
    for key, value in config.items():
        if hasattr(value, 'items'):
            flat.update(flat_config(value, f'{prefix}{key}.'))
        else:
            flat[prefix + key] = plain_value(value)
    return flat


def config_hash(flat):
    """Short fingerprint of `flat_config`."""
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode('utf-8')).hexdigest()[:16]


def log_head(config, workers):
    """Log environment and configuration, a key a line."""
    lines = ['{}: {}'.format(*pair) for pair in environment()]
    if not workers.alone:
        lines.append(f'rank: {workers.rank} of {workers.count} workers, on {platform.node()}')
    lines += ['{}: {!r}'.format(*pair) for pair in sorted(flat_config(config).items())]
    logger.info('Environment and configuration\n%s', '\n'.join('    ' + line for line in lines))
