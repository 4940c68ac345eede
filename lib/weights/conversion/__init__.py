"""Weights from elsewhere -> our parameter files.

    readers         which format a file has; torch_file, safetensors_file, onnx_file read theirs, nothing is executed
    architectures   which network the arrays are of, and where each of its layers lies in the file
    ours            arrays of such a network -> arrays of our backbone, input normalisation included
    source_nets     the source network itself, evaluated from its own arrays
    proof           both on one seeded image: how far apart are their features?

Command line: python -m lib.weights.conversion FILE. docs/weights.md lists what can be converted.
"""
