#include "server/client.h"

#include <algorithm>
#include <utility>

#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "protocol/errors.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/client_eviction.h"
#include "server/command/client_memory.h"
#include "server/command/monitor.h"
#include "server/command/tracking.h"
#include "server/keyspace/waiters.h"

namespace synap {

void ClientHost::flush_queued() {
  // Whom this makes send more has its turn with what comes then.
  const std::vector<Client*> clients = std::exchange(flush_queue, {});
  for (Client* client : clients) client->flush_from_queue();
}

Client::Client(ClientHost* host, uint64_t id)
    : Caller(&session_, &reply_), host_(host), connection_(host->reactor, this), session_(id), reply_(&output_, 2) {}

Client::~Client() { SYNAP_ASSERT(closed_ && !suspended_); }

bool Client::open(int fd, bool is_unix, TlsStart tls) {
  const Config& config = host_->server->config->current();
  const bool opened = connection_.open(fd, is_unix, config.tcp_keepalive, std::move(tls));
  SharedSession& shared = *session_.shared;
  shared.fd.store(fd, std::memory_order_relaxed);
  const int64_t now_ms = wall_clock_ms();
  shared.created_ms.store(now_ms, std::memory_order_relaxed);
  shared.last_interaction_ms.store(now_ms, std::memory_order_relaxed);
  if (is_unix) session_.set(kSessionUnixSocket);
  if (connection_.is_tls()) session_.set(kSessionTls);
  {
    LockGuard guard(shared.mutex);
    shared.peer = connection_.peer_name();
    shared.local = connection_.local_name();
  }
  host_->server->init_session(session_);
  host_->server->clients->add(host_->reactor->index(), session_.shared, this);
  if (!opened) begin_close();
  return opened;
}

// --- Reading and running.

std::span<char> Client::read_target() {
  const std::span<char> target = parser_.direct_read_target();
  direct_read_ = !target.empty();
  return target;
}

void Client::turn_away(std::string_view error) {
  if (closing_) return;
  reply_.error(error);
  reply_.clear_error();
  session_.set(kSessionCloseAfterReply);
  dirty_output_ = true;
  flush();
}

void Client::on_data(std::span<char> bytes) {
  if (gather(bytes)) return;
  host_->run_gathered();
  // What other reactors posted before somebody made the client send this comes first: messages, invalidations.
  host_->reactor->run_posted();
  if (closing_ || session_.has(kSessionCloseAfterReply)) return;
  // libuv reads inside its poll, before the check phase: the loop may have slept since the last reading of the clock.
  host_->dispatcher->begin_turn();
  count_input(bytes.size());
  if (direct_read_) {
    parser_.direct_read_done(bytes.size());
    if (over_query_limit()) return;
  } else {
    parser_.feed({bytes.data(), bytes.size()});
  }
  run();
}

// False: it must run at once.
bool Client::gather(std::span<char> bytes) {
  if (direct_read_ || suspended_ || connection_.is_tls() || bytes.size() > Reactor::kKeptReadBytesMax) return false;
  if (std::exchange(gathered_, true)) return false;  // read again before its turn
  host_->reactor->keep_read(bytes.size());
  ClientHost::Gathered& gathered = host_->gathered[host_->gathered_count++];
  gathered.client = this;
  gathered.input = bytes;
  if (host_->gathered_count == host_->gathered.size()) host_->run_gathered();
  return true;
}

void ClientHost::run_gathered() {
  const std::span inputs(gathered.data(), std::exchange(gathered_count, 0));
  if (inputs.empty()) return;
  reactor->run_posted();
  dispatcher->begin_turn();
  for (size_t first = 0, end = 0; first < inputs.size(); first = end) {
    std::array<Dispatcher::PrefetchBatch, Reactor::kKeptReadsMax> batches;
    size_t commands = 0;
    while (end < inputs.size() && commands < kCommandsTogether) {
      Gathered& input = inputs[end];
      input.client->parse_gathered(&input);
      batches[end - first] = {&input.batch, input.client->session().db};
      commands += input.batch.size();
      ++end;
    }
    if (commands > 1) dispatcher->prefetch({batches.data(), end - first});
    for (Gathered& input : inputs.subspan(first, end - first)) input.client->run_gathered(&input);
  }
  reactor->forget_reads();
}

void Client::parse_gathered(ClientHost::Gathered* gathered) {
  gathered_ = false;
  gathered->batch.clear();
  if (closing_ || session_.has(kSessionCloseAfterReply)) return;
  count_input(gathered->input.size());
  parser_.feed({gathered->input.data(), gathered->input.size()});
  gathered->outcome = parse(&gathered->batch);
}

void Client::run_gathered(ClientHost::Gathered* gathered) {
  if (!closing_ && !session_.has(kSessionCloseAfterReply)) run_parsed(&gathered->batch, gathered->outcome);
}

void Client::count_input(size_t bytes) {
  session_.shared->last_interaction_ms.store(host_->dispatcher->environment().now_ms, std::memory_order_relaxed);
  session_.shared->network_in_bytes.store(connection_.bytes_in(), std::memory_order_relaxed);
  host_->statistics->net_in_bytes.add(bytes);
  host_->statistics->reads.add();
}

// Runs what the parser has until it needs input or the client must wait, then writes once.
void Client::run() {
  if (suspended_) {
    parser_.keep_tail();
    if (!input_must_run()) {
      static_cast<void>(over_query_limit());  // it reads on, or it would not see its peer's end
    } else if (parser_.buffered_bytes() > kPendingInputMax) {
      connection_.pause_reading();
    }
    return;
  }
  CommandBatch* batch = &host_->batch;
  run_parsed(batch, parse_and_prefetch(batch));
}

void Client::run_parsed(CommandBatch* batch, ParseOutcome outcome) {
  running_ = true;
  while (run_batch(batch, outcome) && !closing_) outcome = parse_and_prefetch(batch);
  batch->clear();  // big arguments that no handler has taken would stay until the next command
  running_ = false;
  if (!closing_) {
    parser_.keep_tail();
    static_cast<void>(over_query_limit());
  }
  host_->server->tracking_table->broadcast();
  flush();
  close_if_ended();
  if (holds_much()) publish_sizes();
}

// The command under way will run by itself, and then what came behind it. Not so if it waits for keys or for the end of a
// pause: these waits end with the client.
bool Client::input_must_run() const { return suspended_ && waiter_ == nullptr && !session_.has(kSessionPostponed); }

// A command that is not complete yet may not grow for ever. True: the client is being closed.
bool Client::over_query_limit() {
  const auto limit = static_cast<size_t>(host_->server->config->current().client_query_buffer_limit);
  if (parser_.buffered_bytes() <= limit) return false;
  log_warning("Closing client that reached max query buffer length (client id %llu)",
              static_cast<unsigned long long>(id()));
  host_->statistics->query_limit_disconnections.add();
  begin_close();
  return true;
}

ParseOutcome Client::parse(CommandBatch* batch) {
  const bool stranger = session_.user == nullptr;
  const ParserLimits limits{.bulk_bytes_max = host_->server->config->current().proto_max_bulk_len,
                            .authenticated = !stranger};
  batch->clear();
  return parser_.parse(batch, stranger ? 1 : kBatchMax, limits);
}

ParseOutcome Client::parse_and_prefetch(CommandBatch* batch) {
  const ParseOutcome outcome = parse(batch);
  const Dispatcher::PrefetchBatch only = {batch, session_.db};
  if (batch->size() > 1) host_->dispatcher->prefetch({&only, 1});
  return outcome;
}

// True: there may be more to run.
bool Client::run_batch(CommandBatch* batch, ParseOutcome outcome) {
  host_->dispatcher->restart_call_clock();
  for (size_t i = 0; i < batch->size(); ++i) {
    if (execute((*batch)[i]) == Outcome::kDone && !closing_ && !session_.has(kSessionCloseAfterReply)) continue;
    if (suspended_ && i + 1 < batch->size()) parser_.unparse(batch, i + 1);
    return false;
  }
  if (outcome == ParseOutcome::kError) protocol_error();
  return outcome == ParseOutcome::kBatchFull;
}

Outcome Client::execute(const Args& args) {
  if (session_.has(kSessionReplySkipNext)) {
    session_.clear(kSessionReplySkipNext);
    session_.set(kSessionReplySkip);
  }
  reply_begin_ = output_.size();
  suspended_ = true;  // until shown otherwise: a worker may finish before dispatch returns
  const Outcome outcome = host_->dispatcher->dispatch(*this, args);
  if (outcome == Outcome::kSuspended) return outcome;
  suspended_ = false;
  finish_reply();
  return outcome;
}

// CLIENT REPLY OFF and SKIP drop what was replied; the version of the protocol may have changed.
void Client::finish_reply() {
  executing = false;
  if (session_.has(kSessionReplyOff | kSessionReplySkip | kSessionTrackingCaching)) [[unlikely]] {
    if (session_.has(kSessionReplyOff | kSessionReplySkip)) output_.truncate(reply_begin_);
    session_.clear(kSessionReplySkip);
    const Command* command = session_.shared->last_command.load(std::memory_order_relaxed);
    const bool keeps = command != nullptr && command->has(kKeepsCaching);  // null: it was unknown
    if (!session_.has(kSessionMulti) && !keeps) session_.clear(kSessionTrackingCaching);
  }
  if (held_pushes_ != nullptr) [[unlikely]] {
    output_.append_all(std::move(*held_pushes_));
    held_pushes_ = nullptr;
  }
  if (reply_.resp() != session_.resp) reply_.set_resp(session_.resp);
  dirty_output_ = true;
}

void Client::protocol_error() {
  reply_.error(parser_.error());
  log_verbose("Protocol error (%s) from client id=%llu", parser_.error().c_str(),
              static_cast<unsigned long long>(id()));
  session_.set(kSessionCloseAfterReply);
  dirty_output_ = true;
}

void Client::resume() {
  host_->dispatcher->begin_turn();
  suspended_ = false;
  finish_reply();
  if (closing_) {
    end_session();
    return release_if_idle();
  }
  suspended.command = nullptr;
  suspended.args = StoredArgs();
  suspended.keys = nullptr;
  if (!ended_) connection_.resume_reading();
  if (session_.has(kSessionCloseAfterReply)) return flush();
  parser_.feed({});
  run();
}

// Woken by a lock's release, on any thread.
void Client::wake() {
  host_->reactor->post([this] { retry(); });
}

void Client::retry() {
  host_->dispatcher->begin_turn();
  if (host_->dispatcher->retry(*this) == Outcome::kDone) return resume();
  if (ended_) return close_if_ended();
  if (!input_must_run()) connection_.resume_reading();
}

void Client::retry_postponed() {
  if (session_.has(kSessionPostponed)) retry();
}

// --- Blocking.

void Client::wait_blocked(std::shared_ptr<Waiter> waiter, const BlockRequest& request) {
  waiter_ = std::move(waiter);
  executing = false;  // it begins anew when it is served
  null_array_on_timeout_ = request.null_array_on_timeout;
  timeout_reply_ = request.timeout_reply;
  session_.set(kSessionBlocked);
  host_->server->blocked_clients.fetch_add(1, std::memory_order_relaxed);
  if (request.timeout_ms > 0) {
    // The loop counts whole milliseconds: one more, never to be early.
    timeout_timer_ = host_->reactor->after(request.timeout_ms + 1, [this] {
      timeout_timer_ = 0;
      unblock(false);
    });
  }
}

void Client::leave_blocked_state() {
  cancel_timeout();
  waiter_ = nullptr;
  session_.clear(kSessionBlocked);
  host_->server->blocked_clients.fetch_sub(1, std::memory_order_relaxed);
}

void Client::cancel_timeout() {
  if (timeout_timer_ != 0) host_->reactor->cancel(std::exchange(timeout_timer_, 0));
}

bool Client::unblock(bool error) {
  if (waiter_ == nullptr) return false;
  ends_with_error_ = error;
  if (!waiter_->claim_to_end()) return false;
  end_wait(waiter_);
  return true;
}

void Client::end_wait(const std::shared_ptr<Waiter>& waiter) {
  if (waiter_ != waiter) return;
  const bool error = ends_with_error_;
  host_->dispatcher->forget_waiter(*host_->reactor, waiter_);
  host_->dispatcher->count_unblocked(*waiter_, error);
  leave_blocked_state();
  if (error) {
    reply_.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    host_->statistics->count_error("UNBLOCKED");
    reply_.clear_error();
  } else if (!timeout_reply_.empty()) {
    reply_.raw(timeout_reply_);
  } else {
    null_array_on_timeout_ ? reply_.null_array() : reply_.null();
  }
  resume_later();
}

// Not inside the command of another client that ended the wait: what follows here is not part of that.
void Client::resume_later() {
  host_->reactor->post([this] { resume(); });
}

void Client::retry_blocked(const std::shared_ptr<Waiter>& waiter) {
  if (waiter_ != waiter) return;
  host_->dispatcher->begin_turn();
  host_->dispatcher->retry_waiter(*host_->reactor, waiter);
}

void Client::retry_waiting() {
  if (waiter_ != nullptr) retry_blocked(waiter_);
}

void Client::complete_blocked(OutputBuffer&& reply) {
  if (waiter_ == nullptr) return;
  if (waiter_->keys.size() > 1) host_->dispatcher->forget_waiter(*host_->reactor, waiter_);
  leave_blocked_state();
  output_.append_all(std::move(reply));
  resume();
}

// --- Writing.

void Client::deliver(std::string_view encoded) {
  if (closing_) return;
  gate_on_everything();
  OutputBuffer& target = push_target();
  const size_t before = target.memory_bytes();
  target.append(encoded);
  send_push(target.memory_bytes() - before);
}

void Client::deliver_shared(const SharedBytes& encoded) {
  if (closing_) return;
  gate_on_everything();
  OutputBuffer& target = push_target();
  const size_t before = target.memory_bytes();
  const bool refers = target.append_to_many(encoded.share());
  // What many clients share is not memory of this one.
  send_push(target.memory_bytes() - before - (refers ? encoded.heap_bytes() : 0));
}

// Behind the reply of the command under way, as soon as that may have begun.
OutputBuffer& Client::push_target() {
  if (!executing) return output_;
  if (held_pushes_ == nullptr) held_pushes_ = std::make_unique<OutputBuffer>();
  return *held_pushes_;
}

// A message was queued, and took so much more memory.
void Client::send_push(size_t message_bytes) {
  if (message_bytes != 0) {
    message_bytes_ += message_bytes;
    host_->server->message_bytes.fetch_add(message_bytes, std::memory_order_relaxed);
  }
  if (executing) return;
  reply_begin_ = output_.size();  // of the command that waits to begin, if any
  dirty_output_ = true;
  flush_later();
}

void Client::flush_later() {
  if (!std::exchange(flush_queued_, true)) host_->flush_queue.push_back(this);
}

void Client::flush_from_queue() {
  flush_queued_ = false;
  flush();
}

// The socket was asked to take the messages, or they are dropped: what is left of them is the client's like any output.
void Client::settle_message_bytes() {
  const size_t bytes = std::exchange(message_bytes_, 0);
  if (bytes != 0) host_->server->message_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

// A message may tell of any write until now.
void Client::gate_on_everything() {
  if (host_->server->gate->active()) session_.raise_gate(host_->server->journal->end_offset());
}

// appendfsync always: what a reply may tell of must be on disk. If it is not yet, the client is flushed when it is.
bool Client::must_wait_for_journal() {
  const uint64_t needed = session_.gate_offset.load(std::memory_order_relaxed);
  if (needed == 0) return false;
  if (!gated_) {
    JournalGate& gate = *host_->server->gate;
    if (gate.released() < needed) gate.wait(host_->reactor->index());
    if (gate.released() >= needed) {
      session_.pass_gate(needed);
      return false;
    }
    gated_ = true;
    host_->gated.emplace(needed, id());
  }
  // It may have grown since it began to wait, and a command that was away has let the client read on.
  if (output_.size() > kGatedOutputMax) connection_.pause_reading();
  return true;
}

void Client::journal_released() {
  gated_ = false;
  if (closing_) return;
  if (!suspended_ && !ended_) connection_.resume_reading();
  flush();
  close_if_ended();
}

void Client::flush() {
  if (running_ || !dirty_output_ || closing_ || must_wait_for_journal()) return;
  dirty_output_ = false;
  // What is beyond Redis's fixed buffer counts before the socket is asked to take it.
  if (output_.size() > kFixedOutputBytes) check_output_limit(host_->dispatcher->environment().now_ms);
  if (closing_) return;
  host_->statistics->net_out_bytes.add(output_.size());
  if (!output_.empty()) {
    host_->statistics->writes.add();
    connection_.write(&output_);
  }
  settle_message_bytes();
  session_.shared->network_out_bytes.store(connection_.bytes_out(), std::memory_order_relaxed);
  reply_begin_ = 0;
  if (closing_) return;
  if (connection_.pending_bytes() != 0) {
    check_output_limit(host_->dispatcher->environment().now_ms);
    publish_sizes();
  } else if (session_.has(kSessionCloseAfterReply) && !suspended_) {
    begin_close();
  }
}

void Client::on_drained() {
  soft_limit_since_ms_ = 0;
  if (session_.has(kSessionCloseAfterReply) && !suspended_) begin_close();
}

void Client::check_output_limit(int64_t now_ms) {
  const Config& config = host_->server->config->current();
  const OutputClass kind = session_.has(kSessionReplica)  ? OutputClass::kReplica
                           : session_.has(kSessionPubsub) ? OutputClass::kPubsub
                                                          : OutputClass::kNormal;
  const OutputLimit& limit = config.client_output_buffer_limit[static_cast<size_t>(kind)];
  const auto pending = static_cast<int64_t>(connection_.pending_memory_bytes() + output_.memory_bytes());
  bool over = limit.hard_bytes != 0 && pending > limit.hard_bytes;
  if (limit.soft_bytes != 0 && pending > limit.soft_bytes) {
    if (soft_limit_since_ms_ == 0) soft_limit_since_ms_ = now_ms;
    over = over || now_ms - soft_limit_since_ms_ > limit.soft_seconds * 1000;
  } else {
    soft_limit_since_ms_ = 0;
  }
  if (!over) return;
  log_warning("Client id=%llu scheduled to be closed ASAP for overcoming of output buffer limits.",
              static_cast<unsigned long long>(id()));
  host_->statistics->output_limit_disconnections.add();
  begin_close();
}

// --- The end.

void Client::on_end(std::string_view reason) {
  host_->run_gathered();
  close_reason_ = reason;
  ended_ = true;
  connection_.pause_reading();
  close_if_ended();
}

// The peer sends no more, but may still read: what it sent runs, and is replied to, though the reply waits for the disk.
void Client::close_if_ended() {
  if (ended_ && !gated_ && !input_must_run()) begin_close();
}

void Client::close(bool after_reply) {
  if (closing_) return;
  if (after_reply && (running_ || !output_.empty() || connection_.pending_bytes() != 0)) {
    session_.set(kSessionCloseAfterReply);
    dirty_output_ = true;
    flush_later();
    return;
  }
  begin_close();
}

void Client::begin_close() {
  if (closing_) return;
  closing_ = true;
  if (waiter_ != nullptr) {
    // Whoever has claimed it just now serves a session of its own: its reply finds no client any more.
    static_cast<void>(waiter_->claim_to_end());
    host_->dispatcher->forget_waiter(*host_->reactor, waiter_);
    leave_blocked_state();
    suspended_ = false;
  }
  if (host_->dispatcher->forget_postponed(session_)) suspended_ = false;  // it had not begun
  if (!suspended_) end_session();  // else when the command under way, which has the session, is done
  host_->server->clients->remove(host_->reactor->index(), id());
  host_->server->client_eviction->account(-static_cast<int64_t>(std::exchange(counted_bytes_, 0)));
  settle_message_bytes();
  connection_.close();
}

void Client::end_session() { host_->server->end_session(session_, *host_->dispatcher, *host_->reactor); }

void Client::on_closed() {
  closed_ = true;
  release_if_idle();
}

void Client::release_if_idle() {
  if (closed_ && !suspended_ && !running_) host_->released(id());
}

void Client::cron(int64_t now_ms) {
  if (closing_) return;
  publish_sizes();
  const int64_t timeout_s = host_->server->config->current().timeout;
  const int64_t idle_ms = now_ms - session_.shared->last_interaction_ms.load(std::memory_order_relaxed);
  const bool exempt = session_.has(kSessionReplica | kSessionMaster | kSessionBlocked | kSessionPubsub);
  if (timeout_s > 0 && !exempt && !suspended_ && idle_ms > timeout_s * 1000) {
    log_verbose("Closing idle client");
    return begin_close();
  }
  if (idle_ms > kTrimIdleMs) parser_.trim();
  if (connection_.pending_bytes() != 0) check_output_limit(now_ms);
}

// Whether the client keeps memory beyond its own objects, or did when its sizes were published last: these are worth
// knowing at once, all others by timer.
bool Client::holds_much() const {
  constexpr uint64_t kMuch = 4096;
  if (parser_.buffered_bytes() != 0 || connection_.pending_bytes() != 0 || counted_bytes_ > kMuch) return true;
  if (session_.has(kSessionPubsub | kSessionTracking)) return true;
  return !suspended_ && (!session_.queued.empty() || !session_.watched.empty());  // else they may be a worker's
}

void Client::evict() {
  log_notice("Evicting client: id=%llu tot-mem=%llu", static_cast<unsigned long long>(id()),
             static_cast<unsigned long long>(client_memory_bytes(*session_.shared)));
  host_->statistics->evicted_clients.add();
  begin_close();
}

// What the session lists by name: subscriptions, watched keys, prefixes.
size_t Client::registry_bytes() const {
  constexpr size_t kSubscriptionBytes = 64;  // its share of the tables, and of the channel with its name
  constexpr size_t kListedBytes = 48;        // of a watched key or a prefix, with its name
  const SharedSession& shared = *session_.shared;
  const auto relaxed = std::memory_order_relaxed;
  const size_t names = size_t{shared.channels.load(relaxed)} + shared.patterns.load(relaxed) + shared.shard_channels.load(relaxed);
  return names * kSubscriptionBytes + session_.watched.size() * (sizeof(WatchedKey) + kListedBytes) +
         session_.tracking_prefixes.size() * (sizeof(std::string) + kListedBytes);
}

void Client::publish_sizes() {
  SharedSession& shared = *session_.shared;
  const auto relaxed = std::memory_order_relaxed;
  const size_t buffered = parser_.shown_bytes();
  shared.query_buffer_bytes.store(buffered, relaxed);
  shared.query_buffer_free_bytes.store(std::max(parser_.memory_bytes(), buffered) - buffered, relaxed);
  if (!suspended_) shared.registry_bytes.store(registry_bytes(), relaxed);  // else the session may be a worker's
  shared.argv_bytes.store(suspended.args.memory_bytes(), relaxed);
  shared.output_bytes.store(connection_.pending_memory_bytes() + output_.memory_bytes(), relaxed);
  shared.network_in_bytes.store(connection_.bytes_in(), relaxed);
  shared.network_out_bytes.store(connection_.bytes_out(), relaxed);
  const uint64_t counted = closing_ || !client_is_evictable(shared.flags.load(relaxed)) ? 0 : client_memory_bytes(shared);
  const int64_t grown = static_cast<int64_t>(counted - std::exchange(counted_bytes_, counted));
  if (grown != 0) host_->server->client_eviction->account(grown);
}

}  // namespace synap
