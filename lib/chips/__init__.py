"""Training chips: scales of the pyramid, chips that cover the objects of each scale, rows of each chip; and the chips
of inference, around FocusPixels."""
from lib.chips.chip_sampler import ChipSampler, ChipSettings
from lib.chips.focus import focus_chips
from lib.chips.generate import candidate_chips, generate_chips
from lib.chips.scales import resolution_scale, scale_factor, scaled_size, test_scale, training_scales
from lib.chips.window import Window

__all__ = ['ChipSampler', 'ChipSettings', 'Window', 'candidate_chips', 'focus_chips', 'generate_chips',
           'resolution_scale', 'scale_factor', 'scaled_size', 'test_scale', 'training_scales']
