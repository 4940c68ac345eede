"""Which M2Det the arrays of a file are of: its keys, from names and shapes alone. The input size leaves no trace."""
import re
from typing import Any, Dict, List

from configs.m2det_keys import PRIORS_A_CELL, VGG_BACKBONES, least_size
from symbols.backbones.residual import FORMS, STAGE_WIDTHS
from symbols.variants import MOST_CLASSES, Variant

STEM = 64       # channels of VGG-16's first layer at width 1
MOST = {'num_levels': 64, 'num_scales': 10, 'planes': 4096}     # believed of a file, as configs/m2det_section.py has it
DEFAULTS = {'M2DET.backbone': 'vgg16', 'M2DET.width': 1.0, 'M2DET.planes': 256, 'M2DET.num_levels': 8,
            'M2DET.num_scales': 6, 'M2DET.smooth': True, 'M2DET.sfam': False, 'dataset.NUM_CLASSES': 81}


def settings_of(shapes: Dict[str, tuple]) -> Dict[str, Any]:
    """{key: value} of an M2Det with arrays of these {name: shape}; what they do not say is as it was published."""
    found = dict(DEFAULTS)
    levels, scales = (sum(bool(re.match(pattern, name)) for name in shapes)
                      for pattern in (r'unet\d+\.layers\.0\.conv\.weight$', r'loc\.\d+\.weight$'))
    planes, rows = _first(shapes, 'unet1.layers.0.conv.weight'), _first(shapes, 'conf.0.weight')
    if 0 < levels <= MOST['num_levels'] and 1 < planes <= MOST['planes'] and planes % 2 == 0:
        found.update({'M2DET.num_levels': levels, 'M2DET.planes': planes,
                      'M2DET.smooth': 'unet1.smooth.0.conv.weight' in shapes,
                      'M2DET.sfam': 'sfam_module.fc1.0.weight' in shapes and planes * levels % 16 == 0})
    if 1 < scales <= MOST['num_scales']:
        found['M2DET.num_scales'] = scales
    if rows:
        found['dataset.NUM_CLASSES'] = min(max(2, rows // PRIORS_A_CELL), MOST_CLASSES)
    found['M2DET.backbone'] = backbone_of(shapes, 'base.')
    width = _first(shapes, 'base.0.weight')
    if 0 < width <= 4 * STEM and found['M2DET.backbone'] in VGG_BACKBONES:
        found['M2DET.width'] = width / STEM
    return found


def backbone_of(shapes: Dict[str, tuple], prefix: str = '') -> str:
    """Name of the backbone whose arrays begin with `prefix`; 'vgg16' where they are of none."""
    squeezed, units = f'{prefix}layer1.0.se_module.fc1.weight' in shapes, []
    for stage in range(1, len(STAGE_WIDTHS) + 1):
        pattern = re.compile(re.escape(prefix) + rf'layer{stage}\.\d+\.conv1\.weight$')
        units.append(sum(bool(pattern.match(name)) for name in shapes))
    middle = shapes.get(f'{prefix}layer1.0.conv2.weight') or (0, 0)
    basic = f'{prefix}layer1.0.conv3.weight' not in shapes
    groups = _first(shapes, f'{prefix}layer1.0.conv1.weight') // middle[1] if len(middle) > 1 and middle[1] else 0
    for name, form in FORMS.items():
        if (form.units, form.squeeze, form.basic, form.groups) == (tuple(units), squeezed, basic, groups):
            return name
    return 'vgg16_bn' if f'{prefix}1.running_mean' in shapes else 'vgg16'


def variants_of(shapes: Dict[str, tuple]) -> List[Variant]:
    """The variant of M2Det that a file with these arrays is, or is nearest to."""
    settings = settings_of(shapes)
    classes = f'{settings["dataset.NUM_CLASSES"]} classes with background'
    sized = {'M2DET.input_size': least_size(settings['M2DET.num_scales']), 'M2DET.step_pattern': (),
             'M2DET.size_pattern': tuple(0.1 * (1 + place) for place in range(settings['M2DET.num_scales'] + 1))}
    return [Variant('whole', ('test',), tuple({**settings, **sized}.items()),
                    (classes,) if shapes.get('conf.0.weight') else (), tuple(sized))]


def _first(shapes, name):
    """Rows of an array, 0 if the file has none of that name."""
    return shapes[name][0] if shapes.get(name) else 0
