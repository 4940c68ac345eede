// The operators of the library that a program is linked to, by MXNet's extension interface.
#ifndef SNIPER_TESTS_AARCH64_PASSES_H_
#define SNIPER_TESTS_AARCH64_PASSES_H_

#include <string>
#include <vector>

#include "mxnet/lib_api.h"

typedef mxnet::ext::fcomp_t Pass;

struct Operator {
  std::string name;
  Pass forward, backward;  // null where there is none
};

// Asked for once: every _opRegGet makes the library's own lists longer.
inline const std::vector<Operator>& operators() {
  static const std::vector<Operator> all = [] {
    std::vector<Operator> found;
    for (int i = 0; i < _opRegSize(); ++i) {
      const char *name, **forward_devices, **backward_devices, **state_devices;
      Pass *forward, *backward;
      mxnet::ext::createOpState_t* state;
      mxnet::ext::parseAttrs_t attributes;
      mxnet::ext::inferType_t types;
      mxnet::ext::inferSType_t storage;
      mxnet::ext::inferShape_t shapes;
      mxnet::ext::mutateInputs_t mutable_inputs;
      int subgraph, forwards, backwards, states;
      _opRegGet(i, &name, &subgraph, &forward_devices, &forward, &forwards, &backward_devices, &backward, &backwards,
                &state_devices, &state, &states, &attributes, &types, &storage, &shapes, &mutable_inputs);
      found.push_back(Operator{name, forwards > 0 ? forward[0] : nullptr, backwards > 0 ? backward[0] : nullptr});
    }
    return found;
  }();
  return all;
}

#endif  // SNIPER_TESTS_AARCH64_PASSES_H_
