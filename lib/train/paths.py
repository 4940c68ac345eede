"""Where a training run keeps its files."""
import os

from configs import config_name

DEFAULT_OUTPUT_PATH = './output'


def output_folder(config, cfg_path):
    """`<output_path>/<config base name>/<training image sets joined by '_'>`, the original's layout.

    Tests and the demo look here too, so the folder follows the *training* image set. Nothing is created.
    """
    image_sets = config.dataset.image_set.split('+')
    return os.path.join(config.output_path or DEFAULT_OUTPUT_PATH, config_name(cfg_path), '_'.join(image_sets))
