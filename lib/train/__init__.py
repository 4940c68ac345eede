"""Training: devices, schedule, optimiser, metrics, checkpoints and the one fit loop.

MXNet is imported inside functions here and in `devices`, so that `import lib.train` stays cheap and
safe in spawned worker processes, which re-import the main module.
"""
from configs import config_name
from lib.engine.devices import contexts
from lib.weights.paths import output_folder

__all__ = ['config_name', 'contexts', 'output_folder']
