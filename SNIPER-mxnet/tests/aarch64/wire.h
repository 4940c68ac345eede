// What the two sides say to each other: values and arrays, one after the other, through a file descriptor. Both run on
// one machine, and x86-64 and aarch64 agree on bytes, so that all goes as it lies in memory.
#ifndef SNIPER_TESTS_AARCH64_WIRE_H_
#define SNIPER_TESTS_AARCH64_WIRE_H_

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace wire {

// An array of a call: its shape, MXNet's number of its type, its values.
struct Tensor {
  std::vector<int64_t> shape;
  int type;
  std::vector<char> values;

  size_t bytes() const {
    // Of float32, float64, float16, uint8, int32, int8, int64, bool.
    static const size_t kSizes[] = {4, 8, 2, 1, 4, 1, 8, 1};
    if (type < 0 || type > 7) throw std::runtime_error("an array of an unknown type");
    size_t count = kSizes[type];
    for (const int64_t side : shape) count *= static_cast<size_t>(side);
    return count;
  }
};

class Connection {
 public:
  Connection(int in, int out) : in_(in), out_(out) {}

  void send(const void* values, size_t bytes) {
    const char* place = static_cast<const char*>(values);
    while (bytes > 0) {
      const ssize_t done = write(out_, place, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) throw std::runtime_error("the other side is gone");
      place += done;
      bytes -= static_cast<size_t>(done);
    }
  }

  void receive(void* values, size_t bytes) {
    char* place = static_cast<char*>(values);
    while (bytes > 0) {
      const ssize_t done = read(in_, place, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) throw std::runtime_error("the other side is gone");
      place += done;
      bytes -= static_cast<size_t>(done);
    }
  }

  void send_number(int64_t number) { send(&number, sizeof number); }

  int64_t receive_number() {
    int64_t number;
    receive(&number, sizeof number);
    return number;
  }

  void send_text(const std::string& text) {
    send_number(static_cast<int64_t>(text.size()));
    send(text.data(), text.size());
  }

  std::string receive_text() {
    std::string text(static_cast<size_t>(receive_number()), ' ');
    receive(&text[0], text.size());
    return text;
  }

  void send_shape(const int64_t* shape, int dimensions, int type) {
    send_number(type);
    send_number(dimensions);
    send(shape, static_cast<size_t>(dimensions) * sizeof *shape);
  }

  // The array's values are of its size, and not received yet.
  Tensor receive_shape() {
    Tensor tensor;
    tensor.type = static_cast<int>(receive_number());
    tensor.shape.resize(static_cast<size_t>(receive_number()));
    receive(tensor.shape.data(), tensor.shape.size() * sizeof(int64_t));
    tensor.values.resize(tensor.bytes());
    return tensor;
  }

 private:
  int in_, out_;
};

}  // namespace wire

#endif  // SNIPER_TESTS_AARCH64_WIRE_H_
