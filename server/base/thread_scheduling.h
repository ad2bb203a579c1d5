// How the kernel shall treat the server's threads when they share processors. Both say it of the calling thread; where the
// kernel does not know or allow it, the thread runs as any other.
#pragma once

namespace synap {

// A reactor wakes for a fraction of a millisecond: it asks for short slices, so that it need not wait until a worker, or
// whoever else computes, has used up a long one (sched_setattr(2); Linux 6.12 and later). What it forks or starts does not
// inherit this.
void schedule_as_reactor();

// A worker gets its share, but never takes a processor from a running thread by waking up (SCHED_BATCH): the reactor that
// gives it work goes on with its other clients first.
void schedule_as_worker();

}  // namespace synap
