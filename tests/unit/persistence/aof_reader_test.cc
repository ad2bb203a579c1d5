#include "persistence/aof_reader.h"

#include <doctest/doctest.h>

#include "persistence/aof_format.h"
#include "server/base/crc64.h"
#include "server/base/text.h"
#include "tests/unit/persistence/memory_files.h"

using namespace synap;
using synap_test::MemoryFiles;
using Next = AofReader::Next;

namespace {

std::string encode(const std::vector<std::string>& args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

std::string batch(const std::string& commands, int64_t stamp = 0) {
  return (stamp != 0 ? aof_timestamp_line(stamp) : "") + aof_batch_line(commands, stamp) + commands;
}

struct Outcome {
  Next end;
  std::vector<std::string> commands;  // encoded again
  uint64_t valid;
  std::string error;
};

Outcome read_all(const std::string& bytes, uint64_t begin = 0) {
  MemoryFiles files;
  files.put("aof", bytes);
  auto file = files.open("aof", FileSystem::Mode::kRead);
  AofReader reader(file->get(), begin, bytes.size());
  Outcome outcome;
  Args args;
  while ((outcome.end = reader.next(&args)) == Next::kCommand) {
    outcome.commands.push_back(encode(std::vector<std::string>(args.begin(), args.end())));
  }
  outcome.valid = reader.valid_offset();
  outcome.error = reader.error();
  return outcome;
}

// Three batches, the last one with a value that ends in zeros.
struct Increment {
  std::vector<std::string> batches = {
      batch(encode({"SELECT", "0"}) + encode({"SET", "a", "1"}), 1700000000),
      batch(encode({"MULTI"}) + encode({"INCR", "n"}) + encode({"RPUSH", "l", "x", ""}) + encode({"EXEC"})),
      batch(encode({"SET", "binary", std::string("a\0\r\n\0", 5)}), 1700000001)};
  std::string bytes = batches[0] + batches[1] + batches[2];
  size_t commands = 7;
};

bool is_prefix(const std::vector<std::string>& some, const std::vector<std::string>& all) {
  return some.size() <= all.size() && std::equal(some.begin(), some.end(), all.begin());
}

}  // namespace

TEST_CASE("AofReader: batches and plain files are read alike") {
  const Increment increment;
  const Outcome whole = read_all(increment.bytes);
  CHECK(whole.end == Next::kEnd);
  CHECK(whole.commands.size() == increment.commands);
  CHECK(whole.valid == increment.bytes.size());
  std::string plain = aof_timestamp_line(5);
  for (const std::string& command : whole.commands) plain += command;
  CHECK(read_all(plain).commands == whole.commands);
  CHECK(read_all("PREAMBLE" + increment.bytes, 8).commands == whole.commands);
}

TEST_CASE("AofReader: one flipped bit anywhere in an increment of batches is damage, never another command") {
  const Increment increment;
  const std::vector<std::string> commands = read_all(increment.bytes).commands;
  for (size_t i = 0; i < increment.bytes.size() * 8; ++i) {
    std::string flipped = increment.bytes;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    const Outcome outcome = read_all(flipped);
    CAPTURE(i);
    CHECK(outcome.end == Next::kDamaged);
    CHECK_FALSE(outcome.error.empty());
    CHECK(is_prefix(outcome.commands, commands));
  }
}

TEST_CASE("AofReader: an increment that ends anywhere is torn, and ends where its last whole batch does") {
  const Increment increment;
  const std::vector<std::string> commands = read_all(increment.bytes).commands;
  for (size_t size = 0; size <= increment.bytes.size(); ++size) {
    CAPTURE(size);
    uint64_t whole = 0;
    for (const std::string& one : increment.batches) {
      if (whole + one.size() <= size) whole += one.size();
      else break;
    }
    const Outcome outcome = read_all(increment.bytes.substr(0, size));
    const Outcome upto = read_all(increment.bytes.substr(0, outcome.valid));
    CHECK(outcome.end == (outcome.valid == size ? Next::kEnd : Next::kTorn));
    CHECK(outcome.valid >= whole);  // a timestamp may follow
    CHECK(upto.end == Next::kEnd);
    CHECK(upto.commands == outcome.commands);
    CHECK(is_prefix(outcome.commands, commands));
    // The same when zeros follow, up to the old size or beyond.
    for (const size_t zeros : {size_t{1}, increment.bytes.size() - size + 1, size_t{5000}}) {
      const Outcome zeroed = read_all(increment.bytes.substr(0, size) + std::string(zeros, '\0'));
      CHECK(zeroed.end == Next::kTorn);
      CHECK(zeroed.commands == outcome.commands);
      CHECK(zeroed.valid == outcome.valid);
    }
  }
}

TEST_CASE("AofReader: zeros in the middle are damage") {
  const Increment increment;
  for (size_t at = 0; at + 8 < increment.bytes.size() - increment.batches[2].size(); ++at) {
    std::string zeroed = increment.bytes;
    zeroed.replace(at, 8, 8, '\0');
    if (zeroed == increment.bytes) continue;
    CAPTURE(at);
    CHECK(read_all(zeroed).end == Next::kDamaged);
  }
}

TEST_CASE("AofReader: a batch appended after a timestamp whose own batch was cut off is read") {
  const std::string commands = encode({"PING"});
  CHECK(read_all(aof_timestamp_line(7) + batch(commands)).end == Next::kEnd);
  CHECK(read_all(batch(commands) + aof_timestamp_line(7) + commands).commands.size() == 2);
}

TEST_CASE("AofReader: what makes no sense is refused, whatever it claims to be") {
  for (const std::string bytes :
       {"hello\r\n", "*0\r\n", "*-1\r\n", "*1\r\n+PING\r\n", "*1\r\n$4\r\nPINGxx", "*1\n$4\nPING\n", "#WHAT:1\r\n*1\r\n$4\r\nPING\r\n",
        "*9223372036854775807\r\n$1\r\na\r\n", "*1\r\n$-5\r\n"}) {
    CAPTURE(bytes);
    CHECK(read_all(bytes).end == Next::kDamaged);
  }
  // Lengths beyond the file's end ask for no memory.
  CHECK(read_all("*1\r\n$4611686018427387903\r\nabc\r\n").end == Next::kTorn);
  CHECK(read_all(aof_batch_line("abc", 0)).end == Next::kTorn);
  // A batch must hold whole commands.
  const std::string half = "*1\r\n$4\r\nPI";
  CHECK(read_all(batch(half) + "NG\r\n").end == Next::kDamaged);
  CHECK(read_all(batch(batch(encode({"PING"})))).end == Next::kDamaged);
}

TEST_CASE("AofReader: a batch that claims more bytes than there can be is torn, not believed") {
  std::string head = "#CRC64:18446744073709551600:0000000000000000:";
  head += format_text("%08llx", static_cast<unsigned long long>(crc64(0, head) & 0xffffffffU));
  const std::string good = batch(encode({"SET", "a", "1"}));
  const Outcome outcome = read_all(good + head + "\r\n" + std::string(500, 'x'));
  CHECK(outcome.end == Next::kTorn);
  CHECK(outcome.valid == good.size());
}

TEST_CASE("Annotations: lines are read back, anything else is unknown") {
  using Kind = AofAnnotation::Kind;
  const auto line = [](std::string text) { return text.substr(0, text.size() - 2); };
  CHECK(parse_aof_annotation(line(aof_timestamp_line(1700000000)), 0).unix_s == 1700000000);
  const AofAnnotation head = parse_aof_annotation(line(aof_batch_line("hello", 0)), 0);
  CHECK(head.kind == Kind::kBatch);
  CHECK(head.batch_bytes == 5);
  CHECK(aof_batch_line(std::string(1 << 20, 'x'), 0).size() <= kAofAnnotationMax);
  CHECK(parse_aof_annotation(line(aof_batch_line("hello", 9)), 9).kind == Kind::kBatch);
  CHECK(parse_aof_annotation(line(aof_batch_line("hello", 9)), 8).kind == Kind::kUnknown);
  for (const char* text : {"#", "#TS:", "#TS:x", "#CRC64:", "#CRC64:5", "#CRC64:5:", "#CRC64:5:0:0", "#CRC64:-1:0:00000000"}) {
    CHECK(parse_aof_annotation(text, 0).kind == Kind::kUnknown);
  }
}
