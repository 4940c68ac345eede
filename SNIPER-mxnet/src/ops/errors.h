// How a C++ exception reaches Python.
#ifndef SNIPER_OPS_ERRORS_H_
#define SNIPER_OPS_ERRORS_H_

#include <exception>
#include <string>

#include "mxnet/lib_api.h"

namespace sniper {

// Hands the message to MXNet, headed by the operator's name unless it begins with that.
void report_error(const char* op, const std::string& message);

// Runs `body`; an exception becomes an MXNetError in Python with the exception's message.
template <typename Body>
mxnet::ext::MXReturnValue guarded(const char* op, const Body& body) {
  try {
    body();
    return mxnet::ext::MX_SUCCESS;
  } catch (const std::exception& error) {
    report_error(op, error.what());
    return mxnet::ext::MX_FAIL;
  }
}

}  // namespace sniper

#endif  // SNIPER_OPS_ERRORS_H_
