// An operator's signature: names of its inputs, outputs and attributes, and what follows for a call from these alone.
#ifndef SNIPER_OPS_SIGNATURE_H_
#define SNIPER_OPS_SIGNATURE_H_

#include <string>
#include <vector>

#include "ops/attributes.h"
#include "ops/types.h"

namespace sniper {

typedef std::vector<std::string> Names;

class Signature {
 public:
  explicit Signature(const char* op) : op_(op), type_rule_(infer_float32) {}

  // Names in the order in which MXNet passes them, optional ones last.
  Signature& inputs(const Names& names) { inputs_ = names; return *this; }
  Signature& outputs(const Names& names) { outputs_ = names; return *this; }
  // All names that a graph may give, those too that are read by nobody but stand in the original's files.
  Signature& attributes(const Names& names) { attributes_ = names; return *this; }
  // Attributes that have no default.
  Signature& required(const Names& names) { required_ = names; return *this; }
  // The boolean attribute that leaves the last input out, such as no_bias.
  Signature& last_input_unless(const char* attribute) { input_switch_ = attribute; return *this; }
  // The boolean attribute without which the last input is not there.
  Signature& last_input_if(const char* attribute) { input_asked_for_ = attribute; return *this; }
  // The boolean attribute without which the last output is not there.
  Signature& last_output_if(const char* attribute) { output_switch_ = attribute; return *this; }
  // What types the inputs may have; float32 if nothing is said.
  Signature& types(TypeRule rule) { type_rule_ = rule; return *this; }

  const char* op() const { return op_; }
  const Names& input_names() const { return inputs_; }
  TypeRule type_rule() const { return type_rule_; }

  // Throws std::invalid_argument for an attribute that is not known or a required one that is not given.
  void check_names(const Attributes& values) const {
    values.check_names(attributes_);
    for (const std::string& name : required_) values.require(values.given(name.c_str()), name.c_str(), "given");
  }

  int num_inputs(const Attributes& values) const {
    const bool left_out = (input_switch_ != nullptr && values.boolean(input_switch_, false)) ||
                          (input_asked_for_ != nullptr && !values.boolean(input_asked_for_, false));
    return static_cast<int>(inputs_.size()) - left_out;
  }

  int num_outputs(const Attributes& values) const {
    const bool left_out = output_switch_ != nullptr && !values.boolean(output_switch_, false);
    return static_cast<int>(outputs_.size()) - left_out;
  }

 private:
  const char* op_;
  Names inputs_, outputs_, attributes_, required_;
  const char* input_switch_ = nullptr;
  const char* input_asked_for_ = nullptr;
  const char* output_switch_ = nullptr;
  TypeRule type_rule_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_SIGNATURE_H_
