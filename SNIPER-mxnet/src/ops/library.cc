// MXNet's side of the extension interface, compiled from the installed wheel, and the entry point it asks for.
// The build hides all symbols; these are the ones that MXNet looks up.
#pragma GCC visibility push(default)

#include "lib_api.cc"

mxnet::ext::MXReturnValue initialize(int version) {
  if (version >= 10700) return mxnet::ext::MX_SUCCESS;
  MX_ERROR_MSG << "sniper_mxnet needs MXNet 1.7 or newer, 1.9.1 is the version it is made for";
  return mxnet::ext::MX_FAIL;
}

// 1 if the operators of this build run on GPUs too; read by sniper_mxnet.has_cuda_kernels().
extern "C" int sniper_has_cuda_kernels() {
#if SNIPER_WITH_CUDA
  return 1;
#else
  return 0;
#endif
}

// Of the kernels: the CUDA that they are linked with, 13000 = 13.0, and the GPUs they are compiled for, "75,80" = compute
// capabilities 7.5 and 8.0. setup.py defines both; 0 and "" without kernels.
extern "C" int sniper_cuda_runtime() {
#if SNIPER_WITH_CUDA
  return SNIPER_CUDA_RUNTIME;
#else
  return 0;
#endif
}

extern "C" const char* sniper_cuda_architectures() {
#if SNIPER_WITH_CUDA
  return SNIPER_CUDA_ARCHITECTURES;
#else
  return "";
#endif
}

#pragma GCC visibility pop
