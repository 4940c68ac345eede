#include "ops/soft_sampling_options.h"

namespace sniper {
namespace {

float within(const Attributes& attributes, const char* name, float fallback, double high, const char* expected) {
  const double value = attributes.number(name, fallback);
  attributes.require(value >= 0.0 && value <= high, name, expected);
  return static_cast<float>(value);
}

}  // namespace

Names soft_sampling_attribute_names() { return {"soft_sampling_a", "soft_sampling_b", "soft_sampling_c"}; }

SoftSampling read_soft_sampling(const Attributes& attributes) {
  SoftSampling options;
  options.a = within(attributes, "soft_sampling_a", options.a, 1, "from 0 to 1");
  options.b = within(attributes, "soft_sampling_b", options.b, 1e6, "from 0 to 1000000");
  options.c = within(attributes, "soft_sampling_c", options.c, 1e6, "from 0 to 1000000");
  return options;
}

}  // namespace sniper
