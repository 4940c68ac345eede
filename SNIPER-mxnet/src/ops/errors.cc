#include "ops/errors.h"

#include <cstring>
#include <mutex>
#include <sstream>

namespace sniper {

void report_error(const char* op, const std::string& message) {
  // MXNet never clears its list and prints all of it with every error: keep one entry and overwrite it.
  static std::mutex lock;
  static std::stringstream& entry = MX_ERROR_MSG;
  std::lock_guard<std::mutex> hold(lock);
  entry.str("");
  entry << (message.compare(0, std::strlen(op), op) == 0 ? "" : std::string(op) + ": ") << message;
}

}  // namespace sniper
