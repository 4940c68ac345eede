"""Windows of images: chips around the objects of each scale of the pyramid, whole images, random crops; and the chips
of inference, around FocusPixels."""
from lib.chips.chip_sampler import ChipSampler, ChipSettings
from lib.chips.focus_chips import focus_chips
from lib.chips.generate import candidate_chips, generate_chips
from lib.chips.samplers import RandomCrops, WholeImages, make_sampler
from lib.chips.scales import resolution_scale, scale_factor, scaled_size, test_scale, training_scales
from lib.chips.window import Window

__all__ = ['ChipSampler', 'ChipSettings', 'RandomCrops', 'WholeImages', 'Window', 'candidate_chips', 'focus_chips',
           'generate_chips', 'make_sampler', 'resolution_scale', 'scale_factor', 'scaled_size', 'test_scale',
           'training_scales']
