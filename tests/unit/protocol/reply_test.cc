#include "protocol/reply.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "protocol/errors.h"

namespace synap {
namespace {

std::string written(int resp, const std::function<void(Reply&)>& write) {
  OutputBuffer buffer;
  Reply reply(&buffer, resp);
  write(reply);
  return buffer.to_string();
}

#define CHECK_REPLY(expected2, expected3, call)                                     \
  do {                                                                              \
    CHECK(written(2, [&](Reply& reply) { reply.call; }) == std::string(expected2)); \
    CHECK(written(3, [&](Reply& reply) { reply.call; }) == std::string(expected3)); \
  } while (false)

}  // namespace

TEST_CASE("scalars") {
  CHECK_REPLY("+OK\r\n", "+OK\r\n", ok());
  CHECK_REPLY("+QUEUED\r\n", "+QUEUED\r\n", queued());
  CHECK_REPLY("+a b\r\n", "+a b\r\n", simple("a b"));
  CHECK_REPLY(":0\r\n", ":0\r\n", integer(0));
  CHECK_REPLY(":511\r\n", ":511\r\n", integer(511));
  CHECK_REPLY(":512\r\n", ":512\r\n", integer(512));
  CHECK_REPLY(":-1\r\n", ":-1\r\n", integer(-1));
  CHECK_REPLY(":-9223372036854775808\r\n", ":-9223372036854775808\r\n", integer(INT64_MIN));
  CHECK_REPLY("$0\r\n\r\n", "$0\r\n\r\n", bulk(""));
  CHECK_REPLY("$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n", bulk("a\r\n"));
  CHECK_REPLY("$2\r\n-7\r\n", "$2\r\n-7\r\n", bulk_int(-7));
  CHECK_REPLY("$-1\r\n", "_\r\n", null());
  CHECK_REPLY("*-1\r\n", "_\r\n", null_array());
  CHECK_REPLY(":1\r\n", "#t\r\n", boolean(true));
  CHECK_REPLY(":0\r\n", "#f\r\n", boolean(false));
  CHECK_REPLY("$3\r\n0.1\r\n", ",0.1\r\n", dbl(0.1));
  CHECK_REPLY("$3\r\ninf\r\n", ",inf\r\n", dbl(std::numeric_limits<double>::infinity()));
  CHECK_REPLY("$4\r\n-inf\r\n", ",-inf\r\n", dbl(-std::numeric_limits<double>::infinity()));
  CHECK_REPLY("$4\r\n3.25\r\n", ",3.25\r\n", dbl_text("3.25"));
  CHECK_REPLY("$5\r\n12345\r\n", "(12345\r\n", big_number("12345"));
  CHECK_REPLY("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", verbatim("txt", "hi"));
  const std::string_view text = "x";
  CHECK_REPLY("$1\r\nx\r\n", "$1\r\nx\r\n", bulk_or_null(&text));
  CHECK_REPLY("$-1\r\n", "_\r\n", bulk_or_null(nullptr));
}

TEST_CASE("bulks of every size near the borders") {
  for (size_t size : {1, 9, 10, 99, 100, 511, 512, 1000, 16383, 16384, 16385, 40000, 100000}) {
    const std::string value(size, 'v');
    const std::string expected = "$" + std::to_string(size) + "\r\n" + value + "\r\n";
    CHECK_REPLY(expected, expected, bulk(value));
    const SharedBytes shared = SharedBytes::copy_of(value);
    CHECK_REPLY(expected, expected, bulk_shared(shared.share()));
    CHECK(shared.unique());
  }
  const SharedBytes shared = SharedBytes::copy_of(std::string(20000, 'a') + std::string(20000, 'b'));
  const std::string part = "$20000\r\n" + std::string(10000, 'a') + std::string(10000, 'b') + "\r\n";
  CHECK_REPLY(part, part, bulk_shared(shared.share(), shared.view().substr(10000, 20000)));
}

TEST_CASE("aggregates") {
  CHECK_REPLY("*3\r\n", "*3\r\n", array(3));
  CHECK_REPLY("*1000000\r\n", "*1000000\r\n", array(1000000));
  CHECK_REPLY("*6\r\n", "%3\r\n", map(3));
  CHECK_REPLY("*3\r\n", "~3\r\n", set(3));
  CHECK_REPLY("*3\r\n", ">3\r\n", push(3));
  CHECK_REPLY("*0\r\n", "*0\r\n", empty_array());
  CHECK_REPLY("*0\r\n", "%0\r\n", empty_map());
  CHECK_REPLY("*0\r\n", "~0\r\n", empty_set());
  CHECK(written(3, [](Reply& reply) { reply.attribute(2); }) == "|2\r\n");
}

TEST_CASE("deferred lengths, nested and over many chunks") {
  const auto write = [](Reply& reply) {
    reply.ok();
    const size_t outer = reply.deferred_begin();
    reply.integer(7);
    const size_t map = reply.deferred_begin();
    reply.bulk("k");
    const size_t empty = reply.deferred_begin();
    reply.deferred_end_set(empty, 0);
    reply.deferred_end_map(map, 1);
    reply.deferred_end_array(outer, 2);
  };
  CHECK(written(2, write) == "+OK\r\n*2\r\n:7\r\n*2\r\n$1\r\nk\r\n*0\r\n");
  CHECK(written(3, write) == "+OK\r\n*2\r\n:7\r\n%1\r\n$1\r\nk\r\n~0\r\n");
  for (size_t value_size : {1, 100, 511, 5000, 16000, 20000}) {
    for (size_t before : {0, 1, 16300, 16335, 16336, 16337, 40000}) {
      std::string expected(before, 'p');
      OutputBuffer buffer;
      buffer.append(expected);
      Reply reply(&buffer, 2);
      const size_t mark = reply.deferred_begin();
      std::string body;
      for (size_t i = 0; i < 40; ++i) {
        const std::string value(value_size, 'v');
        const size_t inner = reply.deferred_begin();
        reply.bulk_shared(SharedBytes::copy_of(value));
        reply.deferred_end_array(inner, 1);
        body += "*1\r\n$" + std::to_string(value_size) + "\r\n" + value + "\r\n";
      }
      reply.deferred_end_array(mark, 40);
      REQUIRE(buffer.to_string() == expected + "*40\r\n" + body);
    }
  }
}

TEST_CASE("errors") {
  CHECK_REPLY("-ERR syntax error\r\n", "-ERR syntax error\r\n", error(kSyntaxError));
  CHECK_REPLY("-ERR bad  'x y'\r\n", "-ERR bad  'x y'\r\n", error({"ERR bad\r\n", "'x\ny'", "\r\n"}));
  const std::string_view binary("seen\0unseen", 11);
  CHECK_REPLY("-ERR bad 'seen'\r\n", "-ERR bad 'seen'\r\n", error({"ERR bad '", binary, "'"}));
  OutputBuffer buffer;
  Reply reply(&buffer, 2);
  CHECK_FALSE(reply.error_replied());
  reply.error(kWrongTypeError);
  CHECK(reply.error_replied());
  CHECK(reply.last_error() == kWrongTypeError);
  CHECK(reply.last_error_code() == "WRONGTYPE");
  reply.clear_error();
  CHECK_FALSE(reply.error_replied());
}

}  // namespace synap
