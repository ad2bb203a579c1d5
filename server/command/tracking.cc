#include "server/command/tracking.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "protocol/output_buffer.h"
#include "protocol/reply.h"
#include "server/base/random.h"
#include "server/keyspace/background.h"

namespace synap {

namespace {

constexpr uint64_t kModeFlags = kSessionTracking | kSessionTrackingBroken | kSessionTrackingBcast |
                                kSessionTrackingOptin | kSessionTrackingOptout | kSessionTrackingNoloop |
                                kSessionTrackingCaching;
// How a message begins; the array of keys follows, or a null: all keys.
constexpr std::string_view kPushBegin = ">2\r\n$10\r\ninvalidate\r\n";
constexpr std::string_view kMessageBegin = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
constexpr std::string_view kAllKeysResp3 = "_\r\n";
constexpr std::string_view kAllKeysResp2 = "$-1\r\n";
// What a key that waits to be broadcast takes besides its name.
constexpr size_t kChangedKeyBytes = 96;
// How many keys one call forgets at most.
constexpr size_t kForgottenAtOnce = 10'000;

uint64_t flags_of(const SharedSession& session) {
  return session.flags.load(std::memory_order_relaxed);
}

size_t common_bytes(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

SharedBytes encode_key(std::string_view key) {
  OutputBuffer buffer;
  Reply reply(&buffer, 2);
  reply.array(1);
  reply.bulk(key);
  return SharedBytes::copy_of(buffer.to_string());
}

// The keys not changed last by `except`; null when there are none.
SharedBytes encode_changed(const std::map<std::string, uint64_t>& changed, uint64_t except) {
  const auto is_told = [except](const auto& key) { return except == 0 || key.second != except; };
  const auto count = static_cast<size_t>(std::count_if(changed.begin(), changed.end(), is_told));
  if (count == 0) return {};
  OutputBuffer buffer;
  Reply reply(&buffer, 2);
  reply.array(count);
  for (const auto& key : changed) {
    if (is_told(key)) reply.bulk(key.first);
  }
  return SharedBytes::copy_of(buffer.to_string());
}

}  // namespace

TrackedKey* TrackedKey::make(std::string_view key, uint32_t capacity) {
  const size_t ids_bytes = capacity * sizeof(uint64_t);
  auto* memory = static_cast<char*>(std::malloc(sizeof(TrackedKey) + ids_bytes + key.size()));
  auto* tracked = new (memory) TrackedKey{.clients = 0, .capacity = capacity, .key_bytes = key.size()};
  if (!key.empty()) std::memcpy(memory + sizeof(TrackedKey) + ids_bytes, key.data(), key.size());
  return tracked;
}

Tracking::~Tracking() {
  for (Partition& partition : partitions_) {
    LockGuard guard(partition.mutex);
    partition.keys.for_each([](TrackedKey* tracked, bool) { std::free(tracked); });
  }
}

// --- Clients.

void Tracking::enable(Session& session, Request request) {
  session.clear(kModeFlags & ~kSessionTrackingCaching);
  session.set(kSessionTracking | request.mode);
  session.shared->tracking_redirect.store(request.redirect == nullptr ? 0 : request.redirect->id,
                                          std::memory_order_relaxed);
  LockGuard guard(mutex_);
  trackers_[session.id()] = Tracker{session.shared, std::move(request.redirect)};
  active_->store(true, std::memory_order_relaxed);
  if ((request.mode & kSessionTrackingBcast) == 0) return;
  if (request.prefixes.empty()) request.prefixes.emplace_back();
  for (const std::string& prefix : request.prefixes) {
    if (prefixes_[prefix].clients.insert(session.id()).second) session.tracking_prefixes.push_back(prefix);
  }
  prefix_count_.store(prefixes_.size(), std::memory_order_relaxed);
}

void Tracking::disable(Session& session) {
  if (!session.has(kSessionTracking)) return;
  session.clear(kModeFlags);
  session.shared->tracking_redirect.store(0, std::memory_order_relaxed);
  LockGuard guard(mutex_);
  trackers_.erase(session.id());
  for (const std::string& prefix : std::exchange(session.tracking_prefixes, {})) {
    const auto it = prefixes_.find(prefix);
    it->second.clients.erase(session.id());
    if (!it->second.clients.empty()) continue;
    forget_changed(&it->second);
    prefixes_.erase(it);
  }
  prefix_count_.store(prefixes_.size(), std::memory_order_relaxed);
  if (!trackers_.empty()) return;
  active_->store(false, std::memory_order_relaxed);
  forget_all_keys();  // the ids in there are nobody's any more
}

// --- Keys.

bool Tracking::remembers_reads_of(const Session& session) {
  const uint64_t flags = session.flags();
  if ((flags & kSessionTracking) == 0 || (flags & kSessionTrackingBcast) != 0) return false;
  const bool said = (flags & kSessionTrackingCaching) != 0;
  if ((flags & kSessionTrackingOptin) != 0) return said;
  return (flags & kSessionTrackingOptout) == 0 || !said;
}

void Tracking::remember(const Session& session, std::string_view key, size_t keys_max) {
  const uint64_t hash = hash_bytes(key);
  const uint64_t id = session.id();
  Partition& partition = partition_of(hash);
  {
    LockGuard guard(partition.mutex);
    auto* slot = partition.keys.find(hash, key);
    if (slot == nullptr) {
      slot = partition.keys.insert(hash, TrackedKey::make(key, 1));
      key_count_.fetch_add(1, std::memory_order_relaxed);
    }
    TrackedKey* tracked = slot->item();
    uint64_t* place = std::lower_bound(tracked->ids(), tracked->ids() + tracked->clients, id);
    if (place != tracked->ids() + tracked->clients && *place == id) return;
    const auto index = static_cast<size_t>(place - tracked->ids());
    if (tracked->clients == tracked->capacity) {
      TrackedKey* larger = TrackedKey::make(key, tracked->capacity * 2);
      std::copy_n(tracked->ids(), tracked->clients, larger->ids());
      larger->clients = tracked->clients;
      slot->set_item(larger);
      std::free(std::exchange(tracked, larger));
    }
    uint64_t* ids = tracked->ids();
    std::move_backward(ids + index, ids + tracked->clients, ids + tracked->clients + 1);
    ids[index] = id;
    ++tracked->clients;
    ++partition.items;
  }
  if (keys_max == 0 || key_count_.load(std::memory_order_relaxed) <= keys_max) [[likely]]
    return;
  if (const OwnedKey forgotten = take_any()) tell(*forgotten, nullptr);
}

Tracking::OwnedKey Tracking::take(std::string_view key) {
  const uint64_t hash = hash_bytes(key);
  Partition& partition = partition_of(hash);
  LockGuard guard(partition.mutex);
  OwnedKey taken(partition.keys.erase(hash, key));
  if (taken == nullptr) return taken;
  partition.items -= taken->clients;
  key_count_.fetch_sub(1, std::memory_order_relaxed);
  return taken;
}

// Of the first partition that has keys, from a random one on; null when there are none.
Tracking::OwnedKey Tracking::take_any() {
  Random& random = thread_random();
  const uint64_t first = random.below(kPartitions);
  for (size_t i = 0; i < kPartitions; ++i) {
    std::string key;
    {
      Partition& partition = partitions_[(first + i) % kPartitions];
      LockGuard guard(partition.mutex);
      if (partition.keys.empty()) continue;
      key = partition.keys.random([&random] { return random.next(); })->key();
    }
    if (OwnedKey taken = take(key)) return taken;
  }
  return nullptr;
}

void Tracking::keep_limit(size_t keys_max) {
  if (keys_max == 0) return;
  for (size_t i = 0; i < kForgottenAtOnce && key_count_.load(std::memory_order_relaxed) > keys_max; ++i) {
    const OwnedKey forgotten = take_any();
    if (forgotten == nullptr) return;
    tell(*forgotten, nullptr);
  }
}

void Tracking::forget_all_keys() {
  auto gone = std::make_shared<std::vector<Table<TrackedKeyTraits>>>();
  size_t count = 0;
  for (Partition& partition : partitions_) {
    LockGuard guard(partition.mutex);
    if (partition.keys.empty()) continue;
    count += partition.keys.size();
    gone->push_back(std::move(partition.keys));
    partition.keys = {};
    partition.items = 0;
  }
  key_count_.fetch_sub(count, std::memory_order_relaxed);
  if (count == 0) return;
  background_free(
      [gone] {
        for (auto& keys : *gone) keys.for_each([](TrackedKey* tracked, bool) { std::free(tracked); });
      },
      count);
}

// --- Changes.

void Tracking::key_changed(std::string_view key, const Session* by) {
  if (prefix_count_.load(std::memory_order_relaxed) != 0) note_for_broadcast(key, by);
  if (const OwnedKey tracked = take(key)) tell(*tracked, by);
}

void Tracking::tell(TrackedKey& tracked, const Session* by) {
  const uint64_t own_id = by == nullptr ? 0 : by->id();
  Trackers told;
  LockGuard guard(mutex_);
  for (uint32_t i = 0; i < tracked.clients; ++i) {
    const auto it = trackers_.find(tracked.ids()[i]);
    if (it == trackers_.end()) continue;
    const Tracker& tracker = it->second;
    const uint64_t flags = flags_of(*tracker.self);
    if ((flags & kSessionTrackingBcast) != 0) continue;  // it was remembered before it changed its mode
    const bool own = tracker.self->id == own_id;
    if (own && (flags & kSessionTrackingNoloop) != 0) continue;
    if (own && tracker.redirect == nullptr && (flags & kSessionBlocked) != 0) {
      after_served_.emplace(own_id, tracked.key());
    } else {
      told.push_back(tracker);
    }
  }
  if (!told.empty()) send(std::move(told), encode_key(tracked.key()));
}

void Tracking::command_served(uint64_t client_id) {
  LockGuard guard(mutex_);
  const auto [begin, end] = after_served_.equal_range(client_id);
  if (begin == end) return;
  const auto tracker = trackers_.find(client_id);
  for (auto it = begin; it != end && tracker != trackers_.end(); ++it) send({tracker->second}, encode_key(it->second));
  after_served_.erase(begin, end);
}

void Tracking::all_keys_changed() {
  LockGuard guard(mutex_);
  forget_all_keys();
  Trackers all;
  for (const auto& [id, tracker] : trackers_) all.push_back(tracker);
  send(std::move(all), SharedBytes());
}

// --- Broadcasting.

void Tracking::note_for_broadcast(std::string_view key, const Session* by) {
  LockGuard guard(mutex_);
  // From the longest: what sorts before `rest` and shares less than all its bytes with the key tells how long the next
  // prefix can be at most.
  std::string_view rest = key;
  for (auto it = prefixes_.upper_bound(rest); it != prefixes_.begin(); it = prefixes_.upper_bound(rest)) {
    auto& [prefix, state] = *--it;
    const size_t shared = common_bytes(prefix, key);
    rest = key.substr(0, shared);
    if (shared < prefix.size()) continue;
    if (state.changed.insert_or_assign(std::string(key), by == nullptr ? 0 : by->id()).second) {
      message_bytes_->fetch_add(key.size() + kChangedKeyBytes, std::memory_order_relaxed);
    }
    broadcast_waits_.store(true, std::memory_order_relaxed);
    if (shared == 0) return;
    rest.remove_suffix(1);
  }
}

void Tracking::send_broadcasts() {
  LockGuard guard(mutex_);
  for (auto& [name, prefix] : prefixes_) {
    if (prefix.changed.empty()) continue;
    broadcast_prefix(prefix);
    forget_changed(&prefix);
  }
  // Not before all is sent: who finds nothing to send goes on and lets its replies leave.
  broadcast_waits_.store(false, std::memory_order_release);
}

void Tracking::forget_changed(Prefix* prefix) {
  size_t bytes = 0;
  for (const auto& [key, by] : prefix->changed) bytes += key.size() + kChangedKeyBytes;
  prefix->changed.clear();
  message_bytes_->fetch_sub(bytes, std::memory_order_relaxed);
}

void Tracking::broadcast_prefix(const Prefix& prefix) {
  Trackers told;
  for (const uint64_t id : prefix.clients) {
    const Tracker& tracker = trackers_.at(id);
    if ((flags_of(*tracker.self) & kSessionTrackingNoloop) == 0) {
      told.push_back(tracker);
    } else if (SharedBytes keys = encode_changed(prefix.changed, id)) {
      send({tracker}, keys);
    }
  }
  if (!told.empty()) send(std::move(told), encode_changed(prefix.changed, 0));
}

// --- Messages.

// One post for each reactor; on our own at once, as far as that keeps the order. No `keys`: all keys.
void Tracking::send(Trackers trackers, const SharedBytes& keys) {
  using Parcel = std::pair<Trackers, SharedBytes>;
  std::vector<Trackers> by_reactor(clients_->reactor_count());
  for (Tracker& tracker : trackers) {
    const SharedSession& receiver = tracker.receiver();
    const auto index = static_cast<size_t>(receiver.reactor.load(std::memory_order_relaxed));
    // The reply of a blocked client may be on its way to it by post.
    const bool at_once = clients_->reactor(index).on_thread() && (flags_of(receiver) & kSessionBlocked) == 0;
    if (!at_once || !hand_over(index, tracker, keys)) by_reactor[index].push_back(std::move(tracker));
  }
  for (size_t index = 0; index < by_reactor.size(); ++index) {
    if (by_reactor[index].empty()) continue;
    const size_t key_bytes = keys ? keys.view().size() : 0;
    const size_t bytes = sizeof(Parcel) + by_reactor[index].capacity() * sizeof(Tracker) + key_bytes;
    message_bytes_->fetch_add(bytes, std::memory_order_relaxed);
    auto parcel = std::make_shared<Parcel>(std::move(by_reactor[index]), keys ? keys.share() : SharedBytes());
    clients_->reactor(index).post([this, index, parcel, bytes] {
      message_bytes_->fetch_sub(bytes, std::memory_order_relaxed);
      for (const Tracker& tracker : parcel->first) {
        if (!hand_over(index, tracker, parcel->second)) redirection_broken(tracker);
      }
    });
  }
}

// On the receiver's reactor. False: the client to be told instead is gone.
bool Tracking::hand_over(size_t reactor, const Tracker& tracker, const SharedBytes& keys) {
  const SharedSession& receiver = tracker.receiver();
  ClientPort* port = clients_->local(reactor, receiver.id);
  if (port == nullptr) return tracker.redirect == nullptr;
  if ((flags_of(*tracker.self) & kSessionTracking) == 0) return true;
  const bool resp3 = receiver.resp.load(std::memory_order_relaxed) == 3;
  if (!resp3 && (tracker.redirect == nullptr || (flags_of(receiver) & kSessionPubsub) == 0)) return true;
  port->deliver(resp3 ? kPushBegin : kMessageBegin);
  keys ? port->deliver_shared(keys) : port->deliver(resp3 ? kAllKeysResp3 : kAllKeysResp2);
  return true;
}

void Tracking::redirection_broken(const Tracker& tracker) {
  const auto index = static_cast<size_t>(tracker.self->reactor.load(std::memory_order_relaxed));
  clients_->reactor(index).post([this, index, id = tracker.self->id, gone = tracker.redirect->id] {
    ClientPort* port = clients_->local(index, id);
    if (port == nullptr || !port->session().has(kSessionTracking)) return;
    port->session().set(kSessionTrackingBroken);
    if (port->session().shared->resp.load(std::memory_order_relaxed) != 3) return;
    OutputBuffer buffer;
    Reply push(&buffer, 3);
    push.push(2);
    push.bulk("tracking-redir-broken");
    push.integer(static_cast<int64_t>(gone));
    port->deliver(buffer.to_string());
  });
}

Tracking::Figures Tracking::figures() const {
  Figures figures;
  for (const Partition& partition : partitions_) {
    LockGuard guard(partition.mutex);
    figures.keys += partition.keys.size();
    figures.items += partition.items;
  }
  figures.prefixes = prefix_count_.load(std::memory_order_relaxed);
  return figures;
}

}  // namespace synap
