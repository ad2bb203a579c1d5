// synap-bench-load: a load generator that stays out of the way: raw sockets, epoll, requests encoded before the clock starts.
// Each connection keeps one batch of `pipeline` commands in flight; a command's latency is from the batch's write to
// its own reply. Prints one line of JSON.
//
//   synap-bench-load --port N [--connections 50] [--pipeline 1] [--seconds 3 | --requests N] [--rate PER_SECOND]
//                    [--keys 1000000] [--value-bytes 64] [--threads 1] [--seed 1] [--without-pauses 1] COMMAND [ARG …]
//
// --without-pauses: latencies do not count the time in which the machine itself stood still, as the processors of a virtual
// one do now and then: while a real-time thread, one on each of them, that had slept until then was not woken.
//
// COMMAND may be a sequence: an argument ";" ends one command of it. Then a request is the whole sequence.
// In an argument {key} is a random key of 16 bytes, {seq} one that counts up, {value} the value, {int} a random number
// below --keys, {member} a random member of 17 bytes, {score} a random score, {tick} a number that counts up.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  uint16_t port = 6379;
  size_t connections = 50;
  size_t pipeline = 1;
  double seconds = 3;
  uint64_t requests = 0;  // 0: by time
  double rate = 0;        // commands per second over all connections; 0: as fast as they are answered
  uint64_t keys = 1000000;
  size_t value_bytes = 64;
  size_t threads = 1;
  uint64_t seed = 1;
  bool without_pauses = false;
  std::vector<std::string> command;
  size_t commands = 1;  // in a sequence
};

// Buckets of a 64th of a power of two: 1.6 % exact.
class Histogram {
 public:
  void record(uint64_t microseconds, uint64_t count) {
    counts_[bucket(microseconds)] += count;
    total_ += count;
    if (microseconds > max_) max_ = microseconds;
  }
  void add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.max_ > max_) max_ = other.max_;
  }
  uint64_t total() const { return total_; }
  uint64_t max() const { return max_; }
  uint64_t percentile(double part) const {
    const auto wanted = static_cast<uint64_t>(part * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return middle(i);
    }
    return max_;
  }

 private:
  static size_t bucket(uint64_t value) {
    if (value < 64) return static_cast<size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 7;
    return (shift + 1) * 64 + static_cast<size_t>((value >> shift) - 64);
  }
  static uint64_t middle(size_t bucket) {
    if (bucket < 128) return bucket;
    const size_t shift = bucket / 64 - 1;
    return ((bucket % 64 + 64) << shift) + (uint64_t{1} << shift) / 2;
  }
  std::array<uint64_t, 64 * 40> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

// What this thread is late, for the timer's slack or for want of a processor, would count as the server's latency.
void be_punctual(int priority) {
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  const sched_param wanted = {.sched_priority = priority};
  const int failed = pthread_setschedparam(pthread_self(), SCHED_FIFO, &wanted);
  if (failed == 0) return;
  std::fprintf(stderr, "no real-time priority (%s): latencies include the generator's own\n", std::strerror(failed));
}

// When one of the processors stood still, as its real-time thread saw it.
class Pauses {
 public:
  struct Pause {
    Clock::time_point begin, end;
  };

  Pauses() : watched_(static_cast<size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)))) {
    for (size_t i = 0; i < watched_.size(); ++i) threads_.emplace_back([this, i] { watch(i); });
  }
  // In order; those of several processors that overlap are one.
  std::vector<Pause> stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    std::vector<Pause> all;
    for (const std::vector<Pause>& seen : watched_) all.insert(all.end(), seen.begin(), seen.end());
    std::sort(all.begin(), all.end(), [](const Pause& a, const Pause& b) { return a.begin < b.begin; });
    std::vector<Pause> merged;
    for (const Pause& pause : all) {
      if (merged.empty() || pause.begin > merged.back().end) {
        merged.push_back(pause);
      } else {
        merged.back().end = std::max(merged.back().end, pause.end);
      }
    }
    return merged;
  }

 private:
  static constexpr auto kSleep = std::chrono::microseconds(250);
  static constexpr auto kLate = std::chrono::microseconds(500);

  void watch(size_t processor) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    pthread_setaffinity_np(pthread_self(), sizeof only, &only);
    be_punctual(2);  // before the generator
    while (!stopping_) {
      const auto due = Clock::now() + kSleep;
      std::this_thread::sleep_until(due);
      const auto now = Clock::now();
      if (now - due > kLate) watched_[processor].push_back({due, now});
    }
  }

  std::vector<std::vector<Pause>> watched_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

// Counts whole replies in a stream of bytes without keeping them.
class ReplyCounter {
 public:
  // Calls done() after each whole reply.
  template <class Done>
  void feed(std::string_view bytes, Done done) {
    while (!bytes.empty()) {
      if (skip_ > 0) {
        const size_t n = std::min<uint64_t>(skip_, bytes.size());
        skip_ -= n;
        bytes.remove_prefix(n);
        if (skip_ == 0) finish_item(done);
        continue;
      }
      const size_t end = bytes.find('\n');
      const size_t take = end == std::string_view::npos ? bytes.size() : end + 1;
      if (line_size_ < sizeof(line_)) {
        const size_t n = std::min(take, sizeof(line_) - line_size_);
        std::memcpy(line_ + line_size_, bytes.data(), n);
        line_size_ += n;
      }
      bytes.remove_prefix(take);
      if (end != std::string_view::npos) header(done);
    }
  }
  uint64_t errors() const { return errors_; }
  const std::string& first_error() const { return first_error_; }

 private:
  template <class Done>
  void header(Done done) {
    const char kind = line_[0];
    line_[std::min(line_size_, sizeof(line_) - 1)] = 0;
    const long long number = std::atoll(line_ + 1);
    if (kind == '-') {
      if (errors_++ == 0) first_error_.assign(line_, std::strcspn(line_, "\r\n"));
    }
    line_size_ = 0;
    if ((kind == '$' || kind == '=') && number >= 0) {
      skip_ = static_cast<uint64_t>(number) + 2;
      return;
    }
    if (number > 0 && (kind == '*' || kind == '~' || kind == '>')) items_ += static_cast<uint64_t>(number);
    if (number > 0 && kind == '%') items_ += 2 * static_cast<uint64_t>(number);
    finish_item(done);
  }
  template <class Done>
  void finish_item(Done done) {
    if (--items_ == 0) {
      items_ = 1;
      done();
    }
  }

  char line_[64] = {};
  size_t line_size_ = 0;
  uint64_t skip_ = 0;
  uint64_t items_ = 1;
  uint64_t errors_ = 0;
  std::string first_error_;
};

class Requests {
 public:
  Requests(const Options& options, uint64_t seed, uint64_t first_number, uint64_t step)
      : options_(options), random_(seed * 0x9e3779b97f4a7c15 + 1), number_(first_number), step_(step) {
    value_.assign(options.value_bytes, 'x');
  }

  std::string batch() {
    std::string out;
    for (size_t i = 0; i < options_.pipeline; ++i) append_command(&out);
    return out;
  }
  // Whether a batch may be sent again: not when its numbers must count up.
  bool repeatable() const {
    for (const std::string& arg : options_.command) {
      if (arg.find("{seq}") != std::string::npos || arg.find("{tick}") != std::string::npos) return false;
    }
    return true;
  }

 private:
  uint64_t next() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }
  void append_command(std::string* out) {
    for (auto begin = options_.command.begin(); begin < options_.command.end();) {
      const auto end = std::find(begin, options_.command.end(), ";");
      *out += '*' + std::to_string(end - begin) + "\r\n";
      for (; begin != end; ++begin) {
        const std::string text = expand(*begin);
        *out += '$' + std::to_string(text.size()) + "\r\n" + text + "\r\n";
      }
      ++begin;
    }
    number_ += step_;
  }
  std::string expand(const std::string& arg) {
    std::string out;
    for (size_t at = 0; at < arg.size();) {
      const size_t open = arg.find('{', at);
      const size_t close = open == std::string::npos ? open : arg.find('}', open);
      if (close == std::string::npos) return out + arg.substr(at);
      out += arg.substr(at, open - at) + atom(arg.substr(open, close - open + 1));
      at = close + 1;
    }
    return out;
  }
  std::string atom(const std::string& name) {
    char text[64];
    const unsigned long long any = next() % options_.keys;
    const unsigned long long number = number_;
    if (name == "{value}") return value_;
    if (name == "{key}") return std::snprintf(text, sizeof(text), "key:%012llu", any), text;
    if (name == "{seq}") return std::snprintf(text, sizeof(text), "key:%012llu", number % options_.keys), text;
    if (name == "{member}") return std::snprintf(text, sizeof(text), "member:%010llu", any), text;
    if (name == "{score}") return std::snprintf(text, sizeof(text), "%llu.%llu", any, any % 10), text;
    if (name == "{int}") return std::to_string(any);
    if (name == "{tick}") return std::to_string(number);
    return name;
  }

  const Options& options_;
  uint64_t random_;
  uint64_t number_;
  uint64_t step_;
  std::string value_;
};

struct Socket {
  int fd = -1;
  const std::string* request = nullptr;
  std::string own_request;
  size_t sent = 0;
  size_t answered = 0;
  bool idle = true;
  bool waits_for_room = false;
  Clock::time_point began;
  Clock::time_point due;  // with --rate: when the next batch should leave; latency counts from then
  ReplyCounter replies;
};

class Worker {
 public:
  Worker(const Options& options, size_t index, std::atomic<uint64_t>* tickets)
      : options_(options), requests_(options, options.seed + index, index, options.threads), tickets_(tickets) {
    const size_t count = options.connections / options.threads + (index < options.connections % options.threads);
    sockets_ = std::vector<Socket>(count);
    epoll_ = epoll_create1(0);
    for (Socket& socket : sockets_) connect_socket(&socket);
    if (requests_.repeatable()) {
      const size_t batches = std::max<size_t>(64, 65536 / options.pipeline);
      for (size_t i = 0; i < batches; ++i) prepared_.push_back(requests_.batch());
    }
  }
  ~Worker() {
    for (const Socket& socket : sockets_) ::close(socket.fd);
    ::close(epoll_);
  }

  void run(Clock::time_point deadline) {
    const auto start = Clock::now();
    const double batches_per_second = options_.rate / static_cast<double>(options_.pipeline * options_.threads);
    const auto interval = std::chrono::nanoseconds(
        options_.rate > 0 ? static_cast<int64_t>(1e9 / batches_per_second * static_cast<double>(sockets_.size())) : 0);
    for (size_t i = 0; i < sockets_.size(); ++i) {
      sockets_[i].due = start + interval * static_cast<int64_t>(i) / static_cast<int64_t>(sockets_.size());
    }
    if (options_.rate > 0) be_punctual(1);
    std::vector<epoll_event> events(256);
    bool more = true;
    while (true) {
      const auto now = Clock::now();
      if (options_.requests == 0 && now >= deadline) more = false;
      size_t busy = 0;
      for (Socket& socket : sockets_) {
        if (socket.idle && more && (options_.rate <= 0 || socket.due <= now)) {
          more = start_batch(&socket, now, interval);
        }
        busy += !socket.idle;
      }
      if (!more && busy == 0) break;
      if (!more && now > deadline + std::chrono::seconds(30) && options_.requests == 0) break;
      const timespec limit = time_to_wait(more);
      const int n = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
      for (int i = 0; i < n; ++i) ready(static_cast<Socket*>(events[static_cast<size_t>(i)].data.ptr));
    }
    for (const Socket& socket : sockets_) {
      errors_ += socket.replies.errors();
      if (first_error_.empty()) first_error_ = socket.replies.first_error();
    }
  }

  // With --without-pauses, after the run.
  void record_without(const std::vector<Pauses::Pause>& pauses) {
    for (const Sample& sample : samples_) {
      Clock::duration paused{};
      for (const Pauses::Pause& pause : pauses) {
        paused += std::max(Clock::duration{}, std::min(pause.end, sample.end) - std::max(pause.begin, sample.begin));
      }
      record(sample, paused);
    }
  }

  const Histogram& histogram() const { return histogram_; }
  uint64_t errors() const { return errors_; }
  const std::string& first_error() const { return first_error_; }

 private:
  void connect_socket(Socket* socket) {
    socket->fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket->fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      std::perror("connect");
      std::exit(1);
    }
    const int one = 1;
    setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = socket;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket->fd, &event);
  }

  // Until the next batch is due. With --rate nothing spins: a generator that keeps a core busy would measure the scheduler.
  timespec time_to_wait(bool more) const {
    auto wait = std::chrono::nanoseconds(std::chrono::milliseconds(100));
    if (options_.rate > 0 && more) {
      const auto now = Clock::now();
      for (const Socket& socket : sockets_) {
        if (socket.idle) wait = std::clamp(std::chrono::nanoseconds(socket.due - now), std::chrono::nanoseconds(0), wait);
      }
    }
    return {.tv_sec = 0, .tv_nsec = wait.count()};
  }

  // False when all that was asked for has been sent.
  bool start_batch(Socket* socket, Clock::time_point now, std::chrono::nanoseconds interval) {
    if (options_.requests > 0 && tickets_->fetch_add(options_.pipeline) >= options_.requests) return false;
    if (prepared_.empty()) {
      socket->own_request = requests_.batch();
      socket->request = &socket->own_request;
    } else {
      socket->request = &prepared_[next_prepared_++ % prepared_.size()];
    }
    socket->sent = socket->answered = 0;
    socket->idle = false;
    socket->began = now;
    if (options_.rate > 0) {
      socket->began = socket->due;  // a late start is latency too
      socket->due += interval;
    }
    send_more(socket);
    return true;
  }

  void send_more(Socket* socket) {
    while (socket->sent < socket->request->size()) {
      const ssize_t n = ::send(socket->fd, socket->request->data() + socket->sent, socket->request->size() - socket->sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        if (errno != EAGAIN) fail("send");
        set_events(socket, EPOLLIN | EPOLLOUT);
        return;
      }
      socket->sent += static_cast<size_t>(n);
      if (socket->sent == socket->request->size()) set_events(socket, EPOLLIN);
    }
  }

  void set_events(Socket* socket, uint32_t wanted) {
    const bool waits = (wanted & EPOLLOUT) != 0;
    if (waits == socket->waits_for_room) return;
    socket->waits_for_room = waits;
    epoll_event event = {};
    event.events = wanted;
    event.data.ptr = socket;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, socket->fd, &event);
  }

  void ready(Socket* socket) {
    if (!socket->idle && socket->sent < socket->request->size()) send_more(socket);
    const ssize_t n = ::recv(socket->fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n == 0) fail("closed by the server");
    if (n < 0) {
      if (errno == EAGAIN) return;
      fail("recv");
    }
    const auto now = Clock::now();
    uint64_t whole = 0;
    socket->replies.feed({buffer_.data(), static_cast<size_t>(n)}, [&whole] { ++whole; });
    if (whole == 0) return;
    const uint64_t before = socket->answered / options_.commands;
    socket->answered += whole;
    const Sample sample = {socket->began, now, socket->answered / options_.commands - before};
    options_.without_pauses ? samples_.push_back(sample) : record(sample);
    if (socket->answered >= options_.pipeline * options_.commands) socket->idle = true;
  }

  struct Sample {
    Clock::time_point begin, end;
    uint64_t count;
  };
  void record(const Sample& sample, Clock::duration paused = {}) {
    const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(sample.end - sample.begin - paused).count();
    histogram_.record(static_cast<uint64_t>(waited), sample.count);
  }

  [[noreturn]] static void fail(const char* what) {
    std::perror(what);
    std::exit(1);
  }

  const Options& options_;
  Requests requests_;
  std::atomic<uint64_t>* tickets_;
  int epoll_;
  std::vector<Socket> sockets_;
  std::vector<std::string> prepared_;
  size_t next_prepared_ = 0;
  std::vector<char> buffer_ = std::vector<char>(1 << 20);
  Histogram histogram_;
  std::vector<Sample> samples_;
  uint64_t errors_ = 0;
  std::string first_error_;
};

Options parse_options(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at + 1 < argc && std::strncmp(argv[at], "--", 2) == 0; at += 2) {
    const std::string_view name = argv[at] + 2;
    const char* value = argv[at + 1];
    if (name == "port") options.port = static_cast<uint16_t>(std::atoi(value));
    else if (name == "connections") options.connections = std::strtoull(value, nullptr, 10);
    else if (name == "pipeline") options.pipeline = std::strtoull(value, nullptr, 10);
    else if (name == "seconds") options.seconds = std::strtod(value, nullptr);
    else if (name == "requests") options.requests = std::strtoull(value, nullptr, 10);
    else if (name == "rate") options.rate = std::strtod(value, nullptr);
    else if (name == "keys") options.keys = std::strtoull(value, nullptr, 10);
    else if (name == "value-bytes") options.value_bytes = std::strtoull(value, nullptr, 10);
    else if (name == "threads") options.threads = std::strtoull(value, nullptr, 10);
    else if (name == "without-pauses") options.without_pauses = std::atoi(value) != 0;
    else if (name == "seed") options.seed = std::strtoull(value, nullptr, 10);
    else {
      std::fprintf(stderr, "unknown option %s\n", argv[at]);
      std::exit(2);
    }
  }
  options.command.assign(argv + at, argv + argc);
  options.commands = 1 + static_cast<size_t>(std::count(options.command.begin(), options.command.end(), ";"));
  if (options.command.empty() || options.connections == 0 || options.pipeline == 0 || options.threads == 0 ||
      options.keys == 0) {
    std::fprintf(stderr, "usage: synap-bench-load --port N [options] COMMAND [ARG ...]\n");
    std::exit(2);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  std::atomic<uint64_t> tickets = 0;
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < options.threads; ++i) workers.push_back(std::make_unique<Worker>(options, i, &tickets));
  const auto pauses = options.without_pauses ? std::make_unique<Pauses>() : nullptr;
  const auto start = Clock::now();
  const auto deadline = start + std::chrono::microseconds(static_cast<int64_t>(options.seconds * 1e6));
  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&worker, deadline] { worker->run(deadline); });
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Histogram all;
  double paused = 0;
  if (pauses != nullptr) {
    const std::vector<Pauses::Pause> seen = pauses->stop();
    for (const Pauses::Pause& pause : seen) {
      paused += std::max(0.0, std::chrono::duration<double>(pause.end - std::max(pause.begin, start)).count());
    }
    for (const auto& worker : workers) worker->record_without(seen);
  }
  uint64_t errors = 0;
  std::string first_error;
  for (const auto& worker : workers) {
    all.add(worker->histogram());
    errors += worker->errors();
    if (first_error.empty()) first_error = worker->first_error();
  }
  for (char& c : first_error) {
    if (c == '"' || c == '\\') c = '\'';
  }
  std::printf("{\"requests\": %llu, \"seconds\": %.3f, \"paused_seconds\": %.3f, \"per_second\": %.0f, \"p50_us\": %llu, \"p99_us\": %llu, "
              "\"p999_us\": %llu, \"max_us\": %llu, \"errors\": %llu, \"first_error\": \"%s\"}\n",
              static_cast<unsigned long long>(all.total()), seconds, paused, static_cast<double>(all.total()) / seconds,
              static_cast<unsigned long long>(all.percentile(0.5)), static_cast<unsigned long long>(all.percentile(0.99)),
              static_cast<unsigned long long>(all.percentile(0.999)), static_cast<unsigned long long>(all.max()),
              static_cast<unsigned long long>(errors), first_error.c_str());
  return 0;
}
