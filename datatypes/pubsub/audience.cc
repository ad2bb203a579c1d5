#include "datatypes/pubsub/audience.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "datatypes/pubsub/subscriber.h"
#include "server/base/assert.h"

namespace synap {

namespace {

// A quarter more, even: together with its head such a list fills a size class of the allocator.
size_t roomy(size_t size) {
  return (size + size / 4 + 1) & ~size_t{1};
}

}  // namespace

Audience::List* Audience::new_list(size_t capacity) {
  void* memory = std::malloc(sizeof(List) + capacity * sizeof(Subscriber*));
  SYNAP_ASSERT(memory != nullptr);
  return new (memory) List{.references = 1, .size = 0, .capacity = static_cast<uint32_t>(capacity)};
}

// The list, of this audience alone and with room for so many; not wastefully much.
Audience::List* Audience::list_to_change(size_t size) {
  List* old = list();
  const bool fits = size <= old->capacity && size > old->capacity / 2;
  if (old->unique() && fits) return old;
  List* fresh = new_list(roomy(size));
  SYNAP_ASSERT(old->size <= fresh->capacity);
  fresh->size = old->size;
  std::memcpy(fresh->items(), old->items(), old->size * sizeof(Subscriber*));
  if (old->unique()) {  // its references go along
    std::free(old);
  } else {
    for (uint32_t i = 0; i < fresh->size; ++i) fresh->items()[i]->share();
    clear();
  }
  set_list(fresh);
  return fresh;
}

void Audience::add(Subscriber* subscriber) {
  subscriber->share();
  if (empty()) {
    word_ = reinterpret_cast<uintptr_t>(subscriber);
    return;
  }
  if (!is_list()) {
    List* fresh = new_list(2);
    fresh->items()[fresh->size++] = only();
    set_list(fresh);
  }
  List* changed = list_to_change(list()->size + 1);
  changed->items()[changed->size++] = subscriber;
}

void Audience::remove(const Subscriber* subscriber) {
  if (!is_list()) {
    SYNAP_ASSERT(only() == subscriber);
    return clear();
  }
  if (list()->size == 2) {
    Subscriber* other = list()->items()[list()->items()[0] == subscriber ? 1 : 0];
    SYNAP_ASSERT(other != subscriber);
    other->share();
    clear();
    word_ = reinterpret_cast<uintptr_t>(other);
    return;
  }
  List* changed = list_to_change(list()->size);
  Subscriber** const end = changed->items() + changed->size;
  Subscriber** const gone = std::find(changed->items(), end, subscriber);
  SYNAP_ASSERT(gone != end);
  (*gone)->release();
  std::copy(gone + 1, end, gone);
  --changed->size;
}

Audience Audience::snapshot() const {
  Audience copy;
  copy.word_ = word_;
  if (is_list()) {
    list()->references.fetch_add(1, std::memory_order_relaxed);
  } else if (!empty()) {
    only()->share();
  }
  return copy;
}

void Audience::clear() {
  if (!is_list()) {
    if (!empty()) only()->release();
  } else if (list()->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    for_each([](Subscriber* subscriber) { subscriber->release(); });
    std::free(list());
  }
  word_ = 0;
}

void Audience::relocate(BlockMover& mover) {
  if (is_list() && list()->unique()) set_list(mover.moved(list()));
}

}  // namespace synap
