// Assertions. SYNAP_ASSERT is for cheap checks and stays on in every build; SYNAP_DCHECK is for expensive ones
// (lock ranks, guard coverage, container invariants) and is compiled only with SYNAP_DEBUG_CHECKS
// (the debug, asan and tsan builds). A failed assertion is a bug in Synap, never bad input.
#pragma once

namespace synap {

// Prints a crash report with the expression and its place, then aborts. Set by the log at start; never returns.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace synap

#define SYNAP_ASSERT(expression) \
  (__builtin_expect(!(expression), 0) ? ::synap::assertion_failed(#expression, __FILE__, __LINE__) : (void)0)

#ifdef SYNAP_DEBUG_CHECKS
#define SYNAP_DCHECK(expression) SYNAP_ASSERT(expression)
#else
#define SYNAP_DCHECK(expression) ((void)sizeof(!(expression)))
#endif
