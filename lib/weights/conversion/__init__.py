"""Weights from elsewhere -> our parameter files: the parts of `python -m lib.weights.convert FILE`.

    formats          which format a file has, and its arrays by name; nothing in a file is executed (torch_file: .pth)
    architectures    which network the arrays are of, and where each of its layers lies in the file
    weight_mapping   arrays of such a network -> arrays of our backbone, input normalisation included
    torch_layers     PyTorch's layers, evaluated from a file's arrays
    verify           the source network itself on a seeded image, beside ours: how far apart are their features?
    m2det            the same for whole M2Dets and their backbones (m2det_names, m2det_reference)
    converted        what either gives
"""
