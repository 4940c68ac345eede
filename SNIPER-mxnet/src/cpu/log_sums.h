// log(sum(exp)) of the rows of a matrix, in one pass over memory.
#ifndef SNIPER_CPU_LOG_SUMS_H_
#define SNIPER_CPU_LOG_SUMS_H_

#include <cstdint>

namespace sniper {

// logits (rows, classes) -> out (rows,): log(sum(exp)) of each, whatever their size. NaN and infinity show as NaN;
// minus infinity counts nothing.
void log_sums(const float* logits, int64_t rows, int classes, float* out);

}  // namespace sniper

#endif  // SNIPER_CPU_LOG_SUMS_H_
