// Client: one connection with its parser, session and replies. The loop: read → parse a batch → prefetch → run in order →
// one write. Lives on its reactor; only that thread touches it, except while one of its commands runs on a worker, when
// the reactor leaves it alone.
// States: running (reads and runs); suspended (a command waits for shards, a worker, a pause: input is kept); blocked (a
// command waits for keys: the same, with a time-out); ended (the peer sends no more, but had sent something behind a command
// that is suspended, or is owed replies that wait for the disk); closing (the socket is closed; freed when nothing runs any more).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocol/args.h"
#include "protocol/output_buffer.h"
#include "protocol/reply.h"
#include "protocol/resp_parser.h"
#include "server/command/client_directory.h"
#include "server/command/session.h"
#include "server/dispatch.h"
#include "server/net/connection.h"

namespace synap {

class Client;

// What the clients of one reactor share.
struct ClientHost {
  Server* server;
  Reactor* reactor;
  Dispatcher* dispatcher;
  ThreadStatistics* statistics;
  CommandBatch batch;
  // Short inputs of one poll, still in the reactor's buffer. They run together, after the memory that all their commands
  // are about to read was fetched: a client that sends one command at a time would wait for each line alone.
  struct Gathered {
    Client* client;
    std::span<char> input;
    CommandBatch batch;
    ParseOutcome outcome;
  };
  std::array<Gathered, Reactor::kKeptReadsMax> gathered;
  size_t gathered_count = 0;
  static constexpr size_t kCommandsTogether = 48;  // from here on the rest of the inputs is another group
  void run_gathered();
  // The client is gone; free it (not at once: it may be on the stack).
  std::function<void(uint64_t id)> released;
  // Clients whose replies wait for the journal, by the offset they wait for.
  std::multimap<uint64_t, uint64_t> gated;
  // Clients with output to send at the end of the turn; those that are released are so after that.
  std::vector<Client*> flush_queue;
  void flush_queued();
};

class Client final : public ConnectionOwner, public ClientPort, public Caller {
 public:
  Client(ClientHost* host, uint64_t id);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False: the socket could not be taken over; the client is released by the host's callback all the same.
  bool open(int fd, bool is_unix, TlsStart tls);
  // Sends an error (over TLS once that is there) and closes; what the client sends meanwhile is not looked at.
  void turn_away(std::string_view error);
  uint64_t id() const { return session_.id(); }

  // A gathered input: parses its first batch, then runs it and what follows. Nothing if the client is closing.
  void parse_gathered(ClientHost::Gathered* gathered);
  void run_gathered(ClientHost::Gathered* gathered);

  // Once a second or so: idle time-outs, output limits that last, what other threads see.
  void cron(int64_t now_ms);
  // Sends what deliver() and unblocking queued. At the end of a reactor's turn, and when the journal is durable that far.
  void flush();
  // It left ClientHost::flush_queue.
  void flush_from_queue();
  // The journal is durable as far as this client's entry in ClientHost::gated says, which is gone.
  void journal_released();
  // The clients take more memory than they may, and this one most (maxmemory-clients).
  void evict();

  // ClientPort.
  Session& session() override { return session_; }
  void deliver(std::string_view encoded) override;
  void deliver_shared(const SharedBytes& encoded) override;
  void close(bool after_reply) override;
  bool unblock(bool error) override;
  void end_wait(const std::shared_ptr<Waiter>& waiter) override;
  void retry_blocked(const std::shared_ptr<Waiter>& waiter) override;
  void retry_postponed() override;
  void complete_blocked(OutputBuffer&& reply) override;
  void retry_waiting() override;

  // Caller.
  Dispatcher& dispatcher() override { return *host_->dispatcher; }
  Reactor& reactor() override { return *host_->reactor; }
  void resume() override;
  bool gone() const override { return closing_; }
  void lend_socket() override { connection_.pause_reading(); }
  void wait_blocked(std::shared_ptr<Waiter> waiter, const BlockRequest& request) override;
  void wake() override;

 private:
  // ConnectionOwner.
  std::span<char> read_target() override;
  void on_data(std::span<char> bytes) override;
  void on_end(std::string_view reason) override;
  void on_drained() override;
  void on_closed() override;

  static constexpr size_t kFixedOutputBytes = 16 * 1024;
  static constexpr size_t kBatchMax = 64;
  static constexpr int64_t kTrimIdleMs = 2000;             // after which an unfinished command keeps only what came of it
  static constexpr size_t kPendingInputMax = 1024 * 1024;  // behind a command that will run, before reading stops
  static constexpr size_t kGatedOutputMax = 1024 * 1024;   // that waits for the journal, before its reading stops

  bool gather(std::span<char> bytes);
  void count_input(size_t bytes);
  void run();
  ParseOutcome parse(CommandBatch* batch);
  ParseOutcome parse_and_prefetch(CommandBatch* batch);
  void run_parsed(CommandBatch* batch, ParseOutcome outcome);
  bool run_batch(CommandBatch* batch, ParseOutcome outcome);
  Outcome execute(const Args& args);
  void finish_reply();
  OutputBuffer& push_target();
  void send_push(size_t message_bytes);
  void flush_later();
  void settle_message_bytes();
  void protocol_error();
  void check_output_limit(int64_t now_ms);
  bool must_wait_for_journal();
  void gate_on_everything();
  bool holds_much() const;
  bool over_query_limit();
  size_t registry_bytes() const;
  void publish_sizes();
  void close_if_ended();
  void begin_close();
  void release_if_idle();
  void end_session();
  bool input_must_run() const;
  void retry();
  void resume_later();
  void cancel_timeout();
  void leave_blocked_state();

  ClientHost* const host_;
  Connection connection_;
  Session session_;
  RespParser parser_;
  OutputBuffer output_;
  Reply reply_;

  size_t reply_begin_ = 0;    // in output_, of the reply of the command under way
  bool suspended_ = false;    // a command is under way elsewhere
  bool running_ = false;      // inside run()
  std::unique_ptr<OutputBuffer> held_pushes_;  // what others sent while a command was executing: follows its reply
  bool dirty_output_ = false;
  bool flush_queued_ = false;  // it is in ClientHost::flush_queue
  bool gated_ = false;        // its output waits in ClientHost::gated
  bool ended_ = false;        // the peer is gone; closes when what it sent has run
  bool closing_ = false;
  bool closed_ = false;
  bool gathered_ = false;     // an input of it is in ClientHost::gathered
  bool direct_read_ = false;  // the read under way goes into the parser's block
  std::shared_ptr<Waiter> waiter_;
  bool ends_with_error_ = false;  // the wait, if whoever serves it finds nothing
  bool null_array_on_timeout_ = true;
  std::string_view timeout_reply_;
  uint64_t timeout_timer_ = 0;
  int64_t soft_limit_since_ms_ = 0;
  uint64_t counted_bytes_ = 0;  // what ClientEviction was told
  size_t message_bytes_ = 0;    // its share of Server::message_bytes
  std::string close_reason_;
};

}  // namespace synap
