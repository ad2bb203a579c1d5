#include "protocol/output_buffer.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace synap {
namespace {

// The content as writev would send it.
std::string gathered(const OutputBuffer& buffer) {
  std::vector<iovec> pieces(4096);
  pieces.resize(buffer.gather(pieces));
  std::string result;
  for (const iovec& piece : pieces) result.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  return result;
}

SharedBytes big(char c, size_t size = OutputBuffer::kSharedBytesMin) {
  return SharedBytes::copy_of(std::string(size, c));
}

}  // namespace

TEST_CASE("an empty buffer owns nothing") {
  OutputBuffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.memory_bytes() == 0);
  buffer.append("");
  CHECK(buffer.memory_bytes() == 0);
  buffer.append("abc");
  CHECK(buffer.memory_bytes() == OutputBuffer::kFirstChunkBytes);
  buffer.consume(3);
  CHECK(buffer.memory_bytes() == 0);
}

TEST_CASE("big values are referenced, not copied") {
  OutputBuffer buffer;
  SharedBytes value = big('v');
  buffer.append("head");
  buffer.append_shared(value.share());
  buffer.append("tail");
  CHECK_FALSE(value.unique());
  iovec pieces[8];
  REQUIRE(buffer.gather(pieces) == 3);
  CHECK(pieces[1].iov_base == value.data());
  CHECK(buffer.gather({pieces, 2}) == 2);
  buffer.consume(4 + 100);
  CHECK(gathered(buffer) == std::string(value.size() - 100, 'v') + "tail");
  CHECK_FALSE(value.unique());
  buffer.consume(value.size() - 100);
  CHECK(value.unique());
  CHECK(buffer.size() == 4);
  buffer.append_shared(value.share(), value.view().substr(3, 5));  // short: copied
  CHECK(value.unique());
  CHECK(gathered(buffer) == "tailvvvvv");
}

TEST_CASE("random edits agree with a plain string") {
  uint64_t seed = 99;
  const auto next = [&seed](size_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(seed >> 33) % below;
  };
  for (int round = 0; round < 60; ++round) {
    OutputBuffer buffer;
    std::string model;
    std::vector<size_t> marks;  // places where something was appended: all that insert() and truncate() may name
    for (int step = 0; step < 300; ++step) {
      const char c = static_cast<char>('a' + next(26));
      marks.push_back(model.size());
      switch (next(8)) {
        case 0:
        case 1:
        case 2: {
          const std::string bytes(next(3) == 0 ? next(40'000) : next(200), c);
          buffer.append(bytes);
          model += bytes;
          break;
        }
        case 3: {
          const size_t n = next(100);
          std::memset(buffer.reserve(n + 10), c, n);
          buffer.commit(n);
          model.append(n, c);
          break;
        }
        case 4:
          buffer.append_shared(big(c, 10'000 + next(20'000)));
          model = buffer.to_string();
          break;
        case 5: {
          const size_t n = next(model.size() + 1);
          buffer.consume(n);
          model.erase(0, n);
          marks.clear();
          break;
        }
        case 6: {
          OutputBuffer other;
          other.append(std::string(next(3000), c));
          if (next(2) == 0) other.append_shared(big('S'));
          model += other.to_string();
          buffer.append_all(std::move(other));
          CHECK(other.empty());
          CHECK(other.memory_bytes() == 0);
          break;
        }
        case 7: {
          const size_t mark = marks[next(marks.size())];
          if (next(4) == 0) {
            buffer.truncate(mark);
            model.resize(mark);
            marks.clear();
          } else {
            buffer.insert(mark, "*12\r\n");
            model.insert(mark, "*12\r\n");
            marks = {};
          }
          break;
        }
        default:
          break;
      }
      REQUIRE(buffer.size() == model.size());
    }
    REQUIRE(buffer.to_string() == model);
    REQUIRE(gathered(buffer) == model);
    OutputBuffer moved = std::move(buffer);
    CHECK(buffer.empty());
    REQUIRE(moved.to_string() == model);
    moved.consume(model.size());
    CHECK(moved.memory_bytes() == 0);
  }
}

TEST_CASE("what goes to many clients is shared while a buffer is empty and copied behind what waits there") {
  const SharedBytes message = SharedBytes::copy_of("*3\r\n$7\r\nmessage\r\n");
  const std::string text(message.view());
  OutputBuffer out;
  out.append_to_many(message.share());
  CHECK_FALSE(message.unique());
  CHECK(out.memory_bytes() < 200);
  out.append_to_many(message.share());
  out.append("tail");
  CHECK(out.size() == 2 * text.size() + 4);
  CHECK(out.to_string() == text + text + "tail");
  out.truncate(text.size());
  CHECK(out.to_string() == text);
  out.append("x");
  CHECK(message.view() == text);
  out.consume(text.size());
  CHECK(message.unique());
  CHECK(out.to_string() == "x");
}

}  // namespace synap
