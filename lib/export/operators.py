"""All operators that can be exported."""
from lib.export import arithmetic, deformable_convolution, layers, multi_proposal, psroi_pooling, roi_pooling, shaping

CONVERTERS = {name: converter
              for module in (arithmetic, layers, shaping, multi_proposal, deformable_convolution, psroi_pooling,
                             roi_pooling)
              for name, converter in module.CONVERTERS.items()}
