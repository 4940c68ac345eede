"""Networks made ready for inference: BatchNorms folded, fewer bits, files to hand on.

graph.py rewrites symbols, fold.py folds BatchNorms, bf16.py and int8.py lower the precision, cpu.py asks the processor
first, pair.py keeps the result on disk. MXNet is imported inside functions only, because cpu.prepare must come first.
"""
