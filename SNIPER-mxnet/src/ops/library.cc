// MXNet's side of the extension interface, compiled from the installed wheel, and the entry point it asks for.
// The build hides all symbols; these are the ones that MXNet looks up.
#pragma GCC visibility push(default)

#include "lib_api.cc"

mxnet::ext::MXReturnValue initialize(int version) {
  if (version >= 10700) return mxnet::ext::MX_SUCCESS;
  MX_ERROR_MSG << "sniper_mxnet needs MXNet 1.7 or newer, 1.9.1 is the version it is made for";
  return mxnet::ext::MX_FAIL;
}

#pragma GCC visibility pop
