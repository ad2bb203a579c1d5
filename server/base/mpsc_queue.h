// Many producers, one consumer: a mailbox. push is lock-free and says whether the queue was empty, so only the first
// producer after a drain needs to wake the consumer. drain takes everything at once, in the order of the pushes.
// (A stack that the consumer reverses; an exchange-linked list would make push wait-free, but its consumer can meet a
// half-linked node and push could not tell who must wake it.)
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace synap {

template <class T>
class MpscQueue {
 public:
  MpscQueue() = default;
  ~MpscQueue() {
    drain([](T&&) {});
  }
  MpscQueue(const MpscQueue&) = delete;
  MpscQueue& operator=(const MpscQueue&) = delete;

  // Any thread. True when the queue was empty: the caller then wakes the consumer.
  bool push(T value) {
    auto node = std::make_unique<Node>(std::move(value));
    Node* top = top_.load(std::memory_order_relaxed);
    do {
      node->next = top;
    } while (!top_.compare_exchange_weak(top, node.get(), std::memory_order_acq_rel, std::memory_order_relaxed));
    static_cast<void>(node.release());
    return top == nullptr;
  }

  // The consumer only. Calls consume(T&&) for each value; what is pushed meanwhile stays for the next drain.
  template <class Consume>
  size_t drain(Consume&& consume) {
    Node* list = reverse(top_.exchange(nullptr, std::memory_order_acq_rel));
    size_t count = 0;
    while (list != nullptr) {
      const std::unique_ptr<Node> node(list);
      list = node->next;
      consume(std::move(node->value));
      ++count;
    }
    return count;
  }

  bool empty() const { return top_.load(std::memory_order_acquire) == nullptr; }

 private:
  struct Node {
    explicit Node(T&& v) : value(std::move(v)) {}
    T value;
    Node* next = nullptr;
  };

  static Node* reverse(Node* list) {
    Node* reversed = nullptr;
    while (list != nullptr) std::swap(list->next, reversed), std::swap(list, reversed);
    return reversed;
  }

  alignas(64) std::atomic<Node*> top_{nullptr};
};

}  // namespace synap
