"""A folder of few synthetic scenes, made once a module."""


def synthetic_folder(tmp_path_factory, train: int, val: int = 1) -> str:
    """Path of a COCO data set with `train` and `val` scenes, and one to test on."""
    from lib.dataset import synthetic
    folder = str(tmp_path_factory.mktemp('data') / f'scenes_{train}_{val}')
    synthetic.main(['--out', folder, '--train', str(train), '--val', str(val), '--test-dev', '1', '--processes', '1'])
    return folder


def one_scale(scenes: str, output, *more) -> list:
    """Overrides, as after --set, of a test of such a folder: one small scale, in this process, results in `output`."""
    return ['dataset.dataset_path', scenes, 'dataset.root_path', str(output), 'output_path', str(output), 'gpus', 'cpu',
            'TEST.SCALES', '[384px]', 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', '[1]', 'TEST.NUM_PROCESS',
            '0', 'TEST.CONCURRENT_JOBS', '1', *more]
