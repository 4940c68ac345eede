"""Weights from elsewhere -> our parameter files: the parts of `python -m lib.weights.convert FILE`.

    formats          which format a file has, and its arrays by name; nothing in a file is executed (torch_file: .pth;
                     caffe_file: .caffemodel; protobuf: the wire format of that and of ONNX)
    architectures    which network the arrays are of, and where each of its layers lies in the file
    weight_mapping   arrays of such a network -> arrays of our backbone, input normalisation included
    torch_layers     PyTorch's layers, evaluated from a file's arrays
    verify           the source network itself on a seeded image, beside ours: how far apart are their features?
    m2det, ssh       the same for whole detectors and their backbones (m2det_names, m2det_reference, ssh_reference)
    checks           what all of these check
    converted        what either gives
"""
