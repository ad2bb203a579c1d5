#include "protocol/resp_parser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/errors.h"

namespace synap {
namespace {

using Command = std::vector<std::string>;

struct Outcome {
  std::vector<Command> commands;
  std::string error;
  size_t wire_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

Command to_command(const Args& args) {
  return {args.begin(), args.end()};
}

std::string encode(const Command& command) {
  std::string out = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

// Feeds `input` in pieces; each piece lives in its own block that is gone afterwards, so stale views show under ASan.
Outcome run(std::string_view input, const std::vector<size_t>& pieces, ParserLimits limits = {},
            size_t batch_max = 64) {
  RespParser parser;
  CommandBatch batch;
  Outcome outcome;
  for (size_t size : pieces) {
    const std::vector<char> piece(input.begin(), input.begin() + static_cast<ptrdiff_t>(size));
    input.remove_prefix(size);
    parser.feed({piece.data(), piece.size()});
    ParseOutcome result;
    do {
      result = parser.parse(&batch, batch_max, limits);
      for (size_t i = 0; i < batch.size(); ++i) {
        outcome.commands.push_back(to_command(batch[i]));
        outcome.wire_bytes += batch.wire_bytes(i);
      }
      batch.clear();
    } while (result == ParseOutcome::kBatchFull);
    parser.keep_tail();
    if (result == ParseOutcome::kError) {
      outcome.error = parser.error();
      break;
    }
  }
  return outcome;
}

Outcome run_whole(std::string_view input, ParserLimits limits = {}) {
  return run(input, {input.size()}, limits);
}

std::vector<size_t> equal_pieces(size_t total, size_t piece) {
  std::vector<size_t> pieces;
  for (; total > 0; total -= pieces.back()) pieces.push_back(std::min(total, piece));
  return pieces;
}

std::string error_of(std::string_view input, ParserLimits limits = {}) {
  return run_whole(input, limits).error;
}

}  // namespace

TEST_CASE("pipelined commands are views into the input") {
  const std::string input = encode({"GET", "key"}) + encode({"SET", "key", "a\r\nb"}) + "PING\r\n" + encode({"X", ""});
  RespParser parser;
  CommandBatch batch;
  parser.feed(input);
  CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
  REQUIRE(batch.size() == 4);
  CHECK(to_command(batch[0]) == Command{"GET", "key"});
  CHECK(to_command(batch[1]) == Command{"SET", "key", "a\r\nb"});
  CHECK(to_command(batch[2]) == Command{"PING"});
  CHECK(to_command(batch[3]) == Command{"X", ""});
  CHECK(batch[1][2].data() >= input.data());
  CHECK(batch[1][2].data() < input.data() + input.size());
  CHECK(batch[1].owned(2) == nullptr);
  parser.keep_tail();
  CHECK(parser.buffered_bytes() == 0);
  CHECK(parser.memory_bytes() == 0);
}

TEST_CASE("cut at every byte, twice") {
  const std::string input = encode({"SET", "key", "value of some length"}) + "\r\n*0\r\n*-1\r\n" +
                            "set inline \"a \\x41\\n\" 'q\\'q'\r\n" + encode({"MGET", "a", "", "c\r\n"}) +
                            "  ping  \n" + encode({std::string(40, 'n')});
  const Outcome whole = run_whole(input);
  REQUIRE(whole.commands.size() == 5);
  CHECK(whole.error.empty());
  CHECK(whole.wire_bytes == input.size());
  CHECK(whole.commands[1] == Command{"set", "inline", "a A\n", "q'q"});
  CHECK(whole.commands[3] == Command{"ping"});
  for (size_t first = 0; first <= input.size(); ++first) {
    for (size_t second = first; second <= input.size(); second += 7) {
      REQUIRE(run(input, {first, second - first, input.size() - second}) == whole);
    }
  }
  for (size_t piece = 1; piece < 40; ++piece) {
    REQUIRE(run(input, equal_pieces(input.size(), piece)) == whole);
    REQUIRE(run(input, equal_pieces(input.size(), piece), {}, 1) == whole);
  }
}

TEST_CASE("errors have Redis's texts, wherever the input is cut") {
  const std::string long_line(RespParser::kLineBytesMax + 1, '1');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"*1x\r\n", std::string(kMultibulkLengthError)},
      {"*\r\n", std::string(kMultibulkLengthError)},
      {"*01\r\n", std::string(kMultibulkLengthError)},
      {"* 1\r\n", std::string(kMultibulkLengthError)},
      {"*2147483648\r\n", std::string(kMultibulkLengthError)},
      {"*99999999999999999999999\r\n", std::string(kMultibulkLengthError)},
      {"*1\r\n$-1\r\n", std::string(kBulkLengthError)},
      {"*1\r\n$+4\r\nPING\r\n", std::string(kBulkLengthError)},
      {"*1\r\n$00\r\n\r\n", std::string(kBulkLengthError)},
      {"*1\r\n$536870913\r\n", std::string(kBulkLengthError)},
      {"*1\r\n$\r\n", std::string(kBulkLengthError)},
      {"*1\r\nfoo\r\n", "ERR Protocol error: expected '$', got 'f'"},
      {"*2\r\n$1\r\na\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"},
      {"SET \"a\r\n", std::string(kUnbalancedQuotesError)},
      {"SET \"a\"b\r\n", std::string(kUnbalancedQuotesError)},
      {"*" + long_line, std::string(kMultibulkStringTooBigError)},
      {"*1\r\n$" + long_line, std::string(kBulkStringTooBigError)},
      {long_line, std::string(kInlineTooBigError)},
      {long_line + "\r\n", std::string(kInlineTooBigError)},
      {std::string("\0", 1) + long_line + "\n", std::string(kInlineTooBigError)},
  };
  for (const auto& [input, error] : cases) {
    const std::string stream = encode({"PING"}) + input;
    const Outcome whole = run_whole(stream);
    CHECK(whole.error == error);
    CHECK(whole.commands == std::vector<Command>{{"PING"}});
    const size_t step = stream.size() > 1000 ? 8191 : 1;
    for (size_t cut = 0; cut <= stream.size(); cut += step) {
      CHECK(run(stream, {cut, stream.size() - cut}).error == error);
    }
    CHECK(run(stream, equal_pieces(stream.size(), step)).error == error);
  }
  const std::string longest_line(RespParser::kLineBytesMax - 1, 'a');
  CHECK(run_whole(longest_line + "\r\n").commands == std::vector<Command>{{longest_line}});
}

TEST_CASE("the bytes of line ends are not checked, as in Redis") {
  CHECK(run_whole("*1\rX$4\rYPINGZZ").commands == std::vector<Command>{{"PING"}});
}

TEST_CASE("strangers are limited") {
  ParserLimits stranger;
  stranger.authenticated = false;
  CHECK(error_of("*11\r\n", stranger) == kMultibulkUnauthenticatedError);
  CHECK(error_of("*1\r\n$16385\r\n", stranger) == kBulkUnauthenticatedError);
  CHECK(error_of("*1\r\n$536870913\r\n", stranger) == kBulkLengthError);
  CHECK(run_whole(encode(Command(10, std::string(16384, 'a'))), stranger).commands.size() == 1);
}

TEST_CASE("limits are the caller's") {
  ParserLimits limits;
  limits.bulk_bytes_max = 100;
  limits.multibulk_max = 3;
  CHECK(error_of("*4\r\n", limits) == kMultibulkLengthError);
  CHECK(error_of("*3\r\n$101\r\n", limits) == kBulkLengthError);
  CHECK(run_whole(encode({"a", "b", std::string(100, 'c')}), limits).commands.size() == 1);
}

TEST_CASE("a trimmed parser goes on where it stopped") {
  const std::string value = std::string(100'000, 'v') + "end";
  const std::string input = encode({"SET", "key", value, "NX"}) + encode({"PING"});
  for (const bool direct : {true, false}) {
    RespParser parser;
    CommandBatch batch;
    size_t at = 0;
    for (size_t piece = 60; at < input.size(); at += piece, piece = 7777) {
      piece = std::min(piece, input.size() - at);
      const std::span<char> target = parser.direct_read_target();
      if (direct && !target.empty()) {
        piece = std::min(piece, target.size());
        std::copy_n(input.begin() + static_cast<ptrdiff_t>(at), piece, target.begin());
        parser.direct_read_done(piece);
        parser.feed({});
      } else {
        parser.feed(std::string_view(input).substr(at, piece));
      }
      CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
      if (batch.size() == 2) {
        CHECK(to_command(batch[0]) == Command{"SET", "key", value, "NX"});
        CHECK(to_command(batch[1]) == Command{"PING"});
      }
      parser.keep_tail();
      parser.trim();
      if (at > 60 && at < 50'000) CHECK(parser.memory_bytes() < at + 10'000);
    }
    CHECK(batch.size() == 2);
  }
}

TEST_CASE("a big bulk is read straight into its block") {
  const std::string value = std::string(100'000, 'v') + "end";
  const std::string input = encode({"SET", "key", value, "NX"}) + encode({"PING"});
  RespParser parser;
  CommandBatch batch;
  const std::string head = input.substr(0, 60);
  parser.feed(head);
  CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
  CHECK(batch.empty());
  parser.keep_tail();
  size_t at = head.size();
  while (!parser.direct_read_target().empty()) {
    const std::span<char> target = parser.direct_read_target();
    const size_t n = std::min<size_t>(target.size(), 7777);
    std::copy_n(input.begin() + static_cast<ptrdiff_t>(at), n, target.begin());
    at += n;
    parser.direct_read_done(n);
    parser.feed({});
    CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
    parser.keep_tail();
  }
  CHECK(batch.empty());
  const std::string rest = input.substr(at);
  parser.feed(rest);
  CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
  REQUIRE(batch.size() == 2);
  CHECK(to_command(batch[0]) == Command{"SET", "key", value, "NX"});
  CHECK(to_command(batch[1]) == Command{"PING"});
  CHECK(batch.wire_bytes(0) + batch.wire_bytes(1) == input.size());
  REQUIRE(batch[0].owned(2) != nullptr);
  CHECK(batch[0].owned(1) == nullptr);
  CHECK(batch[1].owned(0) == nullptr);
  SharedBytes taken = std::move(*batch[0].owned(2));
  CHECK(taken.view() == value);
  CHECK(batch[0].owned(2) == nullptr);
  CHECK(batch[0][2] == value);  // the block lives
  parser.keep_tail();
}

TEST_CASE("a big bulk whose last byte ends the read") {
  const std::string value(50'000, 'x');
  const std::string input = encode({"SET", "k", value}) + encode({"SET", "k2", value});
  const Outcome whole = run_whole(input);
  CHECK(whole.commands == std::vector<Command>{{"SET", "k", value}, {"SET", "k2", value}});
  for (size_t piece : {1ul, 100ul, 4096ul, 16384ul, 40'000ul, 50'000ul, 50'031ul, 65'536ul}) {
    CHECK(run(input, equal_pieces(input.size(), piece)) == whole);
  }
  for (size_t cut = 50'000; cut < 50'080; ++cut) CHECK(run(input, {cut, input.size() - cut}) == whole);
}

TEST_CASE("commands given back are parsed again") {
  std::string input;
  for (int i = 0; i < 10; ++i) input += encode({"GET", std::to_string(i)});
  input += encode({"MGET", "a", "b"}).substr(0, 15);
  RespParser parser;
  CommandBatch batch;
  {
    const std::string buffer = input;
    parser.feed(buffer);
    CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
    REQUIRE(batch.size() == 10);
    parser.unparse(&batch, 4);
    CHECK(batch.size() == 4);
    CHECK(to_command(batch[3]) == Command{"GET", "3"});
    parser.keep_tail();
  }
  batch.clear();
  CHECK(parser.buffered_bytes() == 15 + 6 * encode({"GET", "0"}).size());
  parser.feed({});
  CHECK(parser.parse(&batch, 5, {}) == ParseOutcome::kBatchFull);
  CHECK(to_command(batch[0]) == Command{"GET", "4"});
  parser.unparse(&batch, 1);
  parser.keep_tail();
  batch.clear();
  const std::string rest = encode({"MGET", "a", "b"}).substr(15) + "PING\r\n";
  parser.feed(rest);
  CHECK(parser.parse(&batch, 64, {}) == ParseOutcome::kNeedInput);
  REQUIRE(batch.size() == 7);
  CHECK(to_command(batch[0]) == Command{"GET", "5"});
  CHECK(to_command(batch[5]) == Command{"MGET", "a", "b"});
  CHECK(to_command(batch[6]) == Command{"PING"});
  parser.keep_tail();
  CHECK(parser.buffered_bytes() == 0);
}

TEST_CASE("a million arguments in small pieces take linear time") {
  Command command(1'000'000, "x");
  command[0] = "DEL";
  const std::string input = encode(command);
  const Outcome outcome = run(input, equal_pieces(input.size(), 1000));
  REQUIRE(outcome.commands.size() == 1);
  CHECK(outcome.commands[0] == command);
  CHECK(outcome.wire_bytes == input.size());
}

TEST_CASE("random streams, random cuts") {
  uint64_t seed = 12345;
  const auto next = [&seed](size_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(seed >> 33) % below;
  };
  for (int round = 0; round < 150; ++round) {
    std::vector<Command> commands;
    std::string input;
    for (size_t n = next(30); n > 0; --n) {
      Command command(1 + next(6));
      for (std::string& arg : command) {
        const size_t size = next(20) == 0 ? next(90'000) : next(30);
        arg.assign(size, static_cast<char>(next(256)));
      }
      input += encode(command);
      commands.push_back(std::move(command));
    }
    std::vector<size_t> pieces;
    for (size_t left = input.size(); left > 0; left -= pieces.back()) {
      pieces.push_back(std::min(left, next(4) == 0 ? next(70'000) : next(50)));
    }
    const Outcome outcome = run(input, pieces, {}, 1 + next(64));
    REQUIRE(outcome.error.empty());
    REQUIRE(outcome.commands == commands);
    REQUIRE(outcome.wire_bytes == input.size());
  }
}

TEST_CASE("stored arguments outlive their source") {
  std::vector<OwnedArg> owned;
  owned.push_back({0, 1, SharedBytes::copy_of("big value")});
  StoredArgs stored;
  {
    std::string bytes = "SETkey";
    const std::vector<std::string_view> views = {std::string_view(bytes).substr(0, 3), owned[0].bytes.view(), ""};
    stored = StoredArgs(Args(views, owned));
    bytes.assign("??????");
  }
  CHECK_FALSE(owned[0].bytes);
  CHECK(to_command(stored.args()) == Command{"SET", "big value", ""});
  REQUIRE(stored.args().owned(1) != nullptr);
  CHECK(stored.args().owned(1)->view() == "big value");
  CHECK(StoredArgs(Args()).size() == 0);
}

TEST_CASE("a long command that came in pieces is kept without copying its arguments") {
  Command command = {"MSET"};
  for (int i = 0; i < 10'000; ++i) command.push_back("argument:" + std::to_string(i));
  command[5000] = std::string(100'000, 'b');  // one with a block of its own
  const std::string input = encode(command);
  for (const size_t piece : {size_t{1000}, size_t{64 * 1024}, input.size() - 1}) {
    StoredArgs stored;
    {
      RespParser parser;
      std::string_view rest = input;
      for (const size_t size : equal_pieces(input.size(), piece)) {
        CommandBatch batch;  // of each turn, as a gathered input has: nothing is in it yet
        const std::vector<char> bytes(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(size));
        rest.remove_prefix(size);
        parser.feed({bytes.data(), bytes.size()});
        static_cast<void>(parser.parse(&batch, 64, {}));
        if (batch.size() == 1) stored = StoredArgs(batch[0]);
        parser.keep_tail();
      }
    }
    REQUIRE(to_command(stored.args()) == command);
    const std::span<OwnedArg> owned = stored.args().owned_args();
    const auto backing = std::find_if(owned.begin(), owned.end(),
                                      [](const OwnedArg& arg) { return arg.index == OwnedArg::kBacking; });
    REQUIRE(backing != owned.end());
    const std::string_view block = backing->bytes.view();
    CHECK(std::all_of(stored.args().begin(), stored.args().end(), [block](std::string_view arg) {
      return arg.size() == 100'000 || (arg.data() >= block.data() && arg.data() + arg.size() <= block.data() + block.size());
    }));
    REQUIRE(owned.front().index == OwnedArg::kViews);
    CHECK(static_cast<const void*>(stored.args().begin()) == owned.front().bytes.data());
    CHECK(stored.memory_bytes() >= input.size());
    StoredArgs again(stored.args());
    stored = StoredArgs();
    CHECK(to_command(again.args()) == command);
  }
}

}  // namespace synap
