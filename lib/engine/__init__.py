"""A network and its weights, running: training steps and predictors, on which devices, in which precision.

    training, optimiser_state, loss_scale   a training step; MXNet's Module stays behind it
    predictor                               batches -> outputs of a test graph
    network                                 the network that inference runs, and what makes it ready:
    fold, winograd, lower_precision, calibrate, graph   rewriting graphs, lowering the precision
    exported_model                          such a network on disk
    engines, onnx_facts, onnx_predictor, onnx_proof, onnxruntime_session, openvino_session
                                            other engines than MXNet, and the files that they run
    devices, precision                      what the machine has; waiting for MXNet's engine

Modules that inference starts with import MXNet inside functions only: `precision.prepare` must come first.
"""
