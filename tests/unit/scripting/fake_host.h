// A ScriptHost for tests: a few commands on a map, a hash "h", a set "s" and a sorted set "z". Can make calls wait.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "scripting/script_host.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

class FakeHost : public ScriptHost {
 public:
  Progress call(std::span<const std::string_view> args, int resp, std::string_view* reply) override {
    ++calls;
    std::vector<std::string> words(args.begin(), args.end());
    reply_ = answer(words, resp);
    if (waits_per_call > 0) {
      waits_left_ = waits_per_call;
      return Progress::kWait;
    }
    *reply = reply_;
    return Progress::kDone;
  }
  Progress fetch(std::string_view* reply) override {
    if (--waits_left_ > 0) return Progress::kWait;
    *reply = reply_;
    return Progress::kDone;
  }
  AclAnswer acl_check(std::span<const std::string_view> args) override {
    if (args[0] == "nosuch") return AclAnswer::kUnknownCommand;
    return args[0] == "denied" ? AclAnswer::kDenied : AclAnswer::kAllowed;
  }
  void set_replication(unsigned targets) override { replication = targets; }

  std::map<std::string, std::string> keys;
  unsigned replication = kReplicateAll;
  int waits_per_call = 0;
  int calls = 0;

 private:
  static std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }

  std::string answer(const std::vector<std::string>& words, int resp) {
    const std::string name = to_lower(words[0]);
    const size_t count = words.size();
    if (name == "ping" && count == 1) return "+PONG\r\n";
    if (name == "echo" && count == 2) return bulk(words[1]);
    if (name == "set" && count == 3) {
      keys[words[1]] = words[2];
      return "+OK\r\n";
    }
    if (name == "get" && count == 2) {
      const auto found = keys.find(words[1]);
      if (found != keys.end()) return bulk(found->second);
      return resp == 3 ? "_\r\n" : "$-1\r\n";
    }
    if (name == "del" && count == 2) return ":" + std::to_string(keys.erase(words[1])) + "\r\n";
    if (name == "incr" && count == 2) {
      int64_t value = 0;
      parse_int64(keys[words[1]], &value);
      keys[words[1]] = to_text(value + 1);
      return ":" + keys[words[1]] + "\r\n";
    }
    const std::string key = count > 1 ? words[1] : "";
    if (name == "hgetall" && count == 2) {
      const std::string fields = key == "h" ? "1\r\n" + bulk("a") + bulk("1") : "0\r\n";
      return resp == 3 ? "%" + fields : (key == "h" ? "*2" + fields.substr(1) : "*" + fields);
    }
    if (name == "smembers" && count == 2) {
      return std::string(resp == 3 ? "~" : "*") + (key == "s" ? "1\r\n" + bulk("x") : "0\r\n");
    }
    if (name == "zscore" && count == 3) {
      if (words[2] != "m") return resp == 3 ? "_\r\n" : "$-1\r\n";
      return resp == 3 ? ",1.5\r\n" : bulk("1.5");
    }
    if (name == "big" && count == 2) {
      int64_t size = 0;
      parse_int64(words[1], &size);
      return bulk(std::string(static_cast<size_t>(size), 'x'));
    }
    for (const char* known : {"ping", "echo", "set", "get", "del", "incr"}) {
      if (name == known) return "-ERR Wrong number of args calling Redis command from script\r\n";
    }
    return "-ERR Unknown Redis command called from script\r\n";
  }

  std::string reply_;
  int waits_left_ = 0;
};

}  // namespace synap
