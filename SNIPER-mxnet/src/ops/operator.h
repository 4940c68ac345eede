// The template behind all bindings to MXNet's extension interface (lib_api.h). A binding is a struct that says what is
// particular to its operator:
//
//   struct MyOperator : NoGradient {
//     typedef MyOptions Options;
//     enum Input { kData, kRois };
//     enum Output { kOutput };
//
//     // Names of inputs, outputs and attributes.
//     static Signature signature();
//
//     // The attributes' values; throws std::invalid_argument for one out of range.
//     static Options read_options(const Attributes& attributes);
//
//     // The outputs' shapes from the inputs' (which have known or unknown sizes, and 0 as well); throws
//     // std::invalid_argument for inputs that do not fit.
//     static std::vector<Shape> output_shapes(const Attributes& attributes, const Options& options,
//                                             const std::vector<Shape>& in);
//
//     static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace* workspace);
//     static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out,
//                             const CudaContext& context);
//   };
//   const Operator<MyOperator> registration = Operator<MyOperator>().on_cpu().on_gpu();
//
// An operator with a gradient does without the base NoGradient and has backward_cpu and backward_gpu, with the
// parameters that NoGradient shows. Functions that are not registered need not be there, and those for the GPU are
// compiled only in builds with SNIPER_WITH_CUDA: they may call kernels that others lack.
#ifndef SNIPER_OPS_OPERATOR_H_
#define SNIPER_OPS_OPERATOR_H_

#include <vector>

#include "cuda/context.h"
#include "mxnet/lib_api.h"
#include "ops/attributes.h"
#include "ops/errors.h"
#include "ops/shapes.h"
#include "ops/signature.h"
#include "ops/tensors.h"
#include "ops/workspace.h"

namespace sniper {

// The base of an operator through which no gradient flows: its backward gives zeros to all inputs.
struct NoGradient {
  // out_grads: the outputs' gradients; in, out: of the forward pass; in_grads: the inputs' gradients, to be overwritten.
  template <typename Options>
  static void backward_cpu(const Options&, const Tensors& /*out_grads*/, const Tensors& /*in*/, const Tensors& /*out*/,
                           const Tensors& in_grads, Workspace*) {
    for (size_t i = 0; i < in_grads.count(); ++i) in_grads.fill_zero(i);
  }

  template <typename Options>
  static void backward_gpu(const Options&, const Tensors& /*out_grads*/, const Tensors& /*in*/, const Tensors& /*out*/,
                           const Tensors& in_grads, const CudaContext& context) {
    for (size_t i = 0; i < in_grads.count(); ++i) fill_zero_cuda(context, in_grads.data(i), in_grads.bytes(i));
  }
};

// MXNet's stream and its pool of device memory. `resource` must outlive the context.
CudaContext cuda_context(const mxnet::ext::OpResource& resource);

template <typename Binding>
class Operator {
 public:
  Operator() : entry_(mxnet::ext::Registry<mxnet::ext::CustomOp>::get()->add(signature().op())) {
    entry_.setParseAttrs(parse_attributes).setInferType(infer_types).setInferShape(infer_shapes);
  }

  // Without a backward pass: MXNet refuses to differentiate.
  Operator& inference_on_cpu() {
    entry_.setForward(forward_cpu, "cpu");
    return *this;
  }

  Operator& on_cpu() {
    entry_.setForward(forward_cpu, "cpu").setBackward(backward_cpu, "cpu");
    return *this;
  }

  // In a build without CUDA kernels this does nothing.
  Operator& on_gpu() {
#if SNIPER_WITH_CUDA
    entry_.setForward(forward_gpu, "gpu").setBackward(backward_gpu, "gpu");
#endif
    return *this;
  }

 private:
  typedef typename Binding::Options Options;
  typedef std::vector<mxnet::ext::MXTensor> Arrays;

  static const Signature& signature() {
    static const Signature kSignature = Binding::signature();
    return kSignature;
  }

  static Options read_options(const Attributes& attributes) {
    signature().check_names(attributes);
    return Binding::read_options(attributes);
  }

  static mxnet::ext::MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
    return guarded(signature().op(), [&] {
      const Attributes attributes(signature().op(), values);
      read_options(attributes);
      *num_inputs = signature().num_inputs(attributes);
      *num_outputs = signature().num_outputs(attributes);
    });
  }

  static mxnet::ext::MXReturnValue infer_types(const AttributeMap&, std::vector<int>* in_types,
                                               std::vector<int>* out_types) {
    return guarded(signature().op(),
                   [&] { signature().type_rule()(signature().input_names(), in_types, out_types); });
  }

  static mxnet::ext::MXReturnValue infer_shapes(const AttributeMap& values, std::vector<Shape>* in,
                                                std::vector<Shape>* out) {
    return guarded(signature().op(), [&] {
      const Attributes attributes(signature().op(), values);
      *out = Binding::output_shapes(attributes, read_options(attributes), *in);
    });
  }

  // What both devices do around a pass: run(options, inputs, outputs).
  template <typename Run>
  static mxnet::ext::MXReturnValue forward(const AttributeMap& values, Arrays* in, Arrays* out, const Run& run) {
    return guarded(signature().op(), [&] {
      const Tensors inputs(in, 0, in->size());
      check_types(inputs);
      run(read_options(Attributes(signature().op(), values)), inputs, Tensors(out, 0, out->size()));
    });
  }

  // MXNet passes the outputs' gradients, the inputs and the outputs in one list: run(options, out_grads, inputs,
  // outputs, in_grads).
  template <typename Run>
  static mxnet::ext::MXReturnValue backward(const AttributeMap& values, Arrays* in, Arrays* out, const Run& run) {
    return guarded(signature().op(), [&] {
      const size_t num_inputs = out->size(), num_outputs = (in->size() - num_inputs) / 2;
      const Tensors inputs(in, num_outputs, num_inputs);
      check_types(inputs);
      run(read_options(Attributes(signature().op(), values)), Tensors(in, 0, num_outputs), inputs,
          Tensors(in, num_outputs + num_inputs, num_outputs), Tensors(out, 0, num_inputs));
    });
  }

  // A type rule may let a graph pass that no kernel can compute.
  static void check_types(const Tensors& inputs) {
    for (size_t i = 0; i < inputs.count(); ++i) check_float32(signature().input_names()[i], inputs.type(i));
  }

  static mxnet::ext::MXReturnValue forward_cpu(const AttributeMap& values, Arrays* in, Arrays* out,
                                               const mxnet::ext::OpResource& resource) {
    return forward(values, in, out, [&](const Options& options, const Tensors& inputs, const Tensors& outputs) {
      Workspace workspace(resource);
      Binding::forward_cpu(options, inputs, outputs, &workspace);
    });
  }

  static mxnet::ext::MXReturnValue backward_cpu(const AttributeMap& values, Arrays* in, Arrays* out,
                                                const mxnet::ext::OpResource& resource) {
    return backward(values, in, out, [&](const Options& options, const Tensors& out_grads, const Tensors& inputs,
                                         const Tensors& outputs, const Tensors& in_grads) {
      Workspace workspace(resource);
      Binding::backward_cpu(options, out_grads, inputs, outputs, in_grads, &workspace);
    });
  }

  static mxnet::ext::MXReturnValue forward_gpu(const AttributeMap& values, Arrays* in, Arrays* out,
                                               const mxnet::ext::OpResource& resource) {
    return forward(values, in, out, [&](const Options& options, const Tensors& inputs, const Tensors& outputs) {
      Binding::forward_gpu(options, inputs, outputs, cuda_context(resource));
    });
  }

  static mxnet::ext::MXReturnValue backward_gpu(const AttributeMap& values, Arrays* in, Arrays* out,
                                                const mxnet::ext::OpResource& resource) {
    return backward(values, in, out, [&](const Options& options, const Tensors& out_grads, const Tensors& inputs,
                                         const Tensors& outputs, const Tensors& in_grads) {
      Binding::backward_gpu(options, out_grads, inputs, outputs, in_grads, cuda_context(resource));
    });
  }

  mxnet::ext::CustomOp& entry_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_OPERATOR_H_
