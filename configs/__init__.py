"""The configuration of a run: `load_config(path, overrides)`; keys, defaults, what they affect: configs/defaults.py."""
from configs.checks import check_supported
from configs.keys import config_hash, default_values, flat_config, plain_value
from configs.loader import config_name, load_config, source_of
from configs.schema import ConfigError
from configs.sharing import keys_affecting, values_affecting
from configs.text import configuration_text

__all__ = ['ConfigError', 'check_supported', 'config_hash', 'config_name', 'configuration_text', 'default_values',
           'flat_config', 'keys_affecting', 'load_config', 'plain_value', 'source_of', 'values_affecting']
