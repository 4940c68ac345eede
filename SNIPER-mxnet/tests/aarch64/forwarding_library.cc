// Takes the place of the operator library of this machine, so that MXNet and the tests run here and every forward and
// backward pass runs in the library for aarch64, in a program (kernel_server.cc) under an emulator.
//
// It is linked to the library of this machine, in which MXNet finds all of the extension interface but the one function
// here. The variable SNIPER_KERNEL_SERVER is the shell command that starts the other side.
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <mutex>

#include "mxnet/lib_api.h"
#include "passes.h"
#include "wire.h"

namespace {

// Starts the other side, which ends when this process does.
wire::Connection start_server() {
  const char* command = getenv("SNIPER_KERNEL_SERVER");
  int ends[2];
  if (command == nullptr) throw std::runtime_error("SNIPER_KERNEL_SERVER is not set");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no pair of sockets");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process for the emulator");
  if (child == 0) {
    dup2(ends[1], 0);
    dup2(ends[1], 1);
    execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  return wire::Connection(ends[0], ends[0]);
}

// A process that was split off needs a server of its own.
wire::Connection& server() {
  static std::unique_ptr<wire::Connection> connection;
  static pid_t owner = 0;
  if (owner != getpid()) {
    connection.reset(new wire::Connection(start_server()));
    owner = getpid();
  }
  return *connection;
}

// Says which pass of which operator `pass` is.
void send_name(wire::Connection* connection, Pass pass) {
  for (const Operator& candidate : operators()) {
    if (pass != candidate.forward && pass != candidate.backward) continue;
    connection->send_text(candidate.name);
    connection->send_number(pass == candidate.backward);
    return;
  }
  throw std::runtime_error("a pass that no operator has");
}

std::stringstream& message() {
  static std::stringstream& entry = MX_ERROR_MSG;
  return entry;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int _opCallFCompute(
    Pass pass, const char* const* keys, const char* const* vals, int num, const int64_t** inshapes, int* indims,
    void** indata, int* intypes, size_t*, const char**, int*, int num_in, const int64_t** outshapes, int* outdims,
    void** outdata, int* outtypes, size_t*, const char**, int*, int num_out, mxnet::ext::xpu_malloc_t, void*,
    mxnet::ext::xpu_malloc_t, void*, void*, mxnet::ext::sparse_malloc_t, void*, int*, int*, void**, void**, void**,
    void**, int64_t*, int64_t*, int64_t*, int64_t*, void*, void*) {
  static std::mutex lock;
  std::lock_guard<std::mutex> hold(lock);
  message().str("");
  try {
    wire::Connection& connection = server();
    send_name(&connection, pass);
    connection.send_number(num);
    for (int i = 0; i < num; ++i) {
      connection.send_text(keys[i]);
      connection.send_text(vals[i]);
    }
    connection.send_number(num_in);
    std::vector<wire::Tensor> outputs(num_out);
    for (int i = 0; i < num_in; ++i) {
      const wire::Tensor input{std::vector<int64_t>(inshapes[i], inshapes[i] + indims[i]), intypes[i], {}};
      connection.send_shape(inshapes[i], indims[i], intypes[i]);
      connection.send(indata[i], input.bytes());
    }
    connection.send_number(num_out);
    for (int i = 0; i < num_out; ++i) {
      outputs[i] = wire::Tensor{std::vector<int64_t>(outshapes[i], outshapes[i] + outdims[i]), outtypes[i], {}};
      connection.send_shape(outshapes[i], outdims[i], outtypes[i]);
    }
    const int status = static_cast<int>(connection.receive_number());
    message() << connection.receive_text();
    for (int i = 0; i < num_out; ++i) connection.receive(outdata[i], outputs[i].bytes());
    return status;
  } catch (const std::exception& error) {
    message() << "no result from the kernels under the emulator: " << error.what();
    return mxnet::ext::MX_FAIL;
  }
}
