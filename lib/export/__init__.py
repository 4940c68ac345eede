"""Networks for other runtimes: MXNet's test graph and a checkpoint -> an ONNX file of standard operators.

files.py writes a network, network.py makes it, with the facts that a program needs to run it, proof.py compares it with
MXNet. conversion.py walks through the graph and asks operators.py for the converter of each operator: layers.py,
arithmetic.py and shaping.py have those of MXNet, multi_proposal.py, deformable_convolution.py, psroi_pooling.py and
roi_pooling.py one each of the project's own. precision.py takes fewer bits. pictures.py puts what is before and behind
a network into its file, by decoders.py, and boxes_proof.py compares the boxes. writer.py writes nodes. All of this
needs the package `onnx`, which is optional (packages.py); nothing else in lib/ imports it.
"""
