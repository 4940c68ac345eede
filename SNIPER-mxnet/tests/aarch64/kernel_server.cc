// Computes passes of the operator library that it is linked to, for forwarding_library.cc, which asks for them through
// the standard input and is answered through the standard output. The file that the first argument names gets a line
// "operator forward" or "operator backward" for every pass that was computed for the first time.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>

#include "mxnet/lib_api.h"
#include "passes.h"
#include "wire.h"

namespace {

// Null where the library has no such pass.
Pass find_pass(const std::string& name, bool is_backward) {
  for (const Operator& candidate : operators()) {
    if (candidate.name == name) return is_backward ? candidate.backward : candidate.forward;
  }
  return nullptr;
}

// MXNet's pool of working memory answers every request with the same memory; here each call has its own.
void* allocate(void* pool, int bytes) {
  std::unique_ptr<char[]>* memory = static_cast<std::unique_ptr<char[]>*>(pool);
  memory->reset(new char[bytes]);
  std::memset(memory->get(), 0xff, static_cast<size_t>(bytes));  // NaN, for whoever reads before writing
  return memory->get();
}

// Arrays as the extension interface takes them.
struct Arrays {
  std::vector<wire::Tensor> tensors;
  std::vector<const int64_t*> shapes;
  std::vector<int> dimensions, types, device_ids, storage_types;
  std::vector<void*> values, none;
  std::vector<size_t> versions;
  std::vector<const char*> devices;
  std::vector<int64_t> no_shapes;

  Arrays(wire::Connection* connection, bool with_values) : tensors(static_cast<size_t>(connection->receive_number())) {
    for (wire::Tensor& tensor : tensors) {
      tensor = connection->receive_shape();
      if (with_values) {
        connection->receive(tensor.values.data(), tensor.values.size());
      } else {
        std::memset(tensor.values.data(), 0xff, tensor.values.size());  // NaN, for what is not written
      }
      shapes.push_back(tensor.shape.data());
      dimensions.push_back(static_cast<int>(tensor.shape.size()));
      types.push_back(tensor.type);
      values.push_back(tensor.values.data());
    }
    device_ids.resize(count());
    storage_types.resize(count());
    none.resize(count());
    versions.resize(count());
    devices.resize(count(), "cpu");
    no_shapes.resize(count());
  }

  int count() const { return static_cast<int>(tensors.size()); }
};

std::string messages() {
  std::string all;
  for (int i = 0; i < _msgSize(); ++i) {
    const char* text;
    _msgGet(i, &text);
    all += text;
  }
  return all;
}

// One pass. Ends with std::runtime_error when the other side is gone.
void serve(wire::Connection* connection, std::set<std::string>* computed, std::ofstream* record) {
  const std::string name = connection->receive_text();
  const bool is_backward = connection->receive_number() != 0;
  const size_t count = static_cast<size_t>(connection->receive_number());
  std::vector<std::string> texts(2 * count);
  for (std::string& text : texts) text = connection->receive_text();
  std::vector<const char*> keys, values;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back(texts[2 * i].c_str());
    values.push_back(texts[2 * i + 1].c_str());
  }
  Arrays in(connection, true), out(connection, false);
  const Pass pass = find_pass(name, is_backward);
  int status = mxnet::ext::MX_FAIL;
  std::unique_ptr<char[]> memory;
  if (pass != nullptr) {
    status = _opCallFCompute(
        pass, keys.data(), values.data(), static_cast<int>(count), in.shapes.data(), in.dimensions.data(),
        in.values.data(), in.types.data(), in.versions.data(), in.devices.data(), in.device_ids.data(), in.count(),
        out.shapes.data(), out.dimensions.data(), out.values.data(), out.types.data(), out.versions.data(),
        out.devices.data(), out.device_ids.data(), out.count(), allocate, &memory, nullptr, nullptr, nullptr, nullptr,
        nullptr, in.storage_types.data(), out.storage_types.data(), in.none.data(), out.none.data(), in.none.data(),
        out.none.data(), in.no_shapes.data(), out.no_shapes.data(), in.no_shapes.data(), out.no_shapes.data(), nullptr,
        nullptr);
    const std::string line = name + (is_backward ? " backward" : " forward");
    if (computed->insert(line).second) *record << line << std::endl;
  }
  connection->send_number(status);
  connection->send_text(status == mxnet::ext::MX_SUCCESS ? "" : pass == nullptr ? "no such pass" : messages());
  for (const wire::Tensor& tensor : out.tensors) connection->send(tensor.values.data(), tensor.values.size());
}

}  // namespace

int main(int, char** arguments) {
  wire::Connection connection(0, 1);
  std::set<std::string> computed;
  std::ofstream record(arguments[1], std::ios::app);
  if (initialize(10901) != mxnet::ext::MX_SUCCESS) return 1;
  try {
    for (;;) serve(&connection, &computed, &record);
  } catch (const std::runtime_error&) {
    return 0;  // the process that asked has ended
  }
}
