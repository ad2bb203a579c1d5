#include "server/base/thread_scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace synap {

namespace {

// Shorter than what others get by default, so that it may take a processor when it wakes; longer than most turns, so that on
// a crowded machine it seldom loses the processor within one.
constexpr uint64_t kReactorSliceNs = 500 * 1000;
constexpr uint64_t kResetOnFork = 1;  // SCHED_FLAG_RESET_ON_FORK

// The first version of the kernel's struct sched_attr (sched_setattr(2)). Its own header cannot stand beside <sched.h>.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = getpriority(PRIO_PROCESS, 0);
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;  // the slice; 0: the kernel's default
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

void set(SchedulingAttributes attributes) { static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0)); }

}  // namespace

void schedule_as_reactor() { set({.flags = kResetOnFork, .runtime_ns = kReactorSliceNs}); }

void schedule_as_worker() { set({.policy = SCHED_BATCH}); }

}  // namespace synap
