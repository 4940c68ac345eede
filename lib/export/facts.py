"""What files of the exporter say about themselves: one property, in JSON."""
KEY = 'sniper'
FORMAT = 1              # raise it when the meaning of inputs, outputs or facts changes
NETWORK = 'network'     # kinds: what main_test.py runs; the network of masks beside it; pictures in, boxes out
MASKS = 'masks'
PICTURES = 'pictures'
