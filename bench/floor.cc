// synap-bench-floor: our reactor, connection and parser with fixed answers and nothing stored. What a command costs here
// is the floor under every command of the server. GET and the like answer 64 bytes, everything else +OK.
//
//   synap-bench-floor [--port N] …   (other options of the server are accepted and ignored, so run.py can start either)
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/output_buffer.h"
#include "protocol/resp_parser.h"
#include "server/net/connection.h"
#include "server/net/listener.h"
#include "server/net/reactor.h"

namespace synap {
namespace {

constexpr std::string_view kValue =
    "$64\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";

class FloorClient final : public ConnectionOwner {
 public:
  FloorClient(Reactor* reactor, CommandBatch* batch) : reactor_(reactor), batch_(batch), connection_(reactor, this) {}
  bool open(int fd, bool is_unix) { return connection_.open(fd, is_unix, 300); }

  std::span<char> read_target() override { return parser_.direct_read_target(); }
  void on_data(std::span<char> bytes) override {
    if (!parser_.direct_read_target().empty()) {
      parser_.direct_read_done(bytes.size());
    } else {
      parser_.feed({bytes.data(), bytes.size()});
    }
    ParseOutcome outcome;
    do {
      outcome = parser_.parse(batch_, kBatchMax, {});
      for (size_t i = 0; i < batch_->size(); ++i) answer((*batch_)[i]);
      batch_->clear();
    } while (outcome == ParseOutcome::kBatchFull);
    parser_.keep_tail();
    if (outcome == ParseOutcome::kError) return connection_.close();
    connection_.write(&output_);
  }
  void on_end(std::string_view) override { connection_.close(); }
  void on_drained() override {}
  void on_closed() override {
    reactor_->post([this] { delete this; });
  }

 private:
  static constexpr size_t kBatchMax = 64;

  void answer(const Args& args) {
    const char first = args[0].empty() ? ' ' : args[0][0];
    output_.append(first == 'G' || first == 'g' ? kValue : std::string_view("+OK\r\n"));
  }

  Reactor* const reactor_;
  CommandBatch* const batch_;
  Connection connection_;
  RespParser parser_;
  OutputBuffer output_;
};

int run(int port) {
  Reactor reactor(0);
  CommandBatch batch;
  Listener listener(&reactor);
  if (const Status status = listener.listen_tcp("127.0.0.1", port, 511); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.detail().c_str());
    return 1;
  }
  listener.start([&](int fd) {
    auto* client = new FloorClient(&reactor, &batch);
    client->open(fd, false);
  });
  reactor.on_signal(SIGTERM, [&reactor] { reactor.stop(); });
  std::printf("Ready to accept connections on port %d\n", port);
  std::fflush(stdout);
  reactor.run();
  return 0;
}

}  // namespace
}  // namespace synap

int main(int argc, char** argv) {
  int port = 6379;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--port") == 0) port = std::atoi(argv[i + 1]);
  }
  std::signal(SIGPIPE, SIG_IGN);
  return synap::run(port);
}
