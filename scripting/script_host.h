// ScriptHost: what a running script needs of the server. The runner and redis.* know the server only through this;
// the server implements it once, for EVAL and FCALL alike, and tests implement it with a few lines.
// One host serves one run. All calls come from the thread that runs the script.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace synap {

class ScriptHost {
 public:
  enum class Progress : uint8_t {
    kDone,  // the reply is there
    kWait,  // it must wait (a shard is held elsewhere): park the script, resume it when the reply can be had
  };
  enum class AclAnswer : uint8_t { kAllowed, kDenied, kUnknownCommand };

  virtual ~ScriptHost() = default;

  // redis.call: runs one command in the script's database and with its rights. `resp` is what redis.setresp chose.
  // *reply is RESP, errors included ("-ERR Unknown Redis command called from script\r\n"), and stays valid until the
  // next call of this host. After kWait the arguments stay valid until fetch() has answered kDone.
  virtual Progress call(std::span<const std::string_view> args, int resp, std::string_view* reply) = 0;
  // Asks again for the reply of a call that had to wait; the runner was resumed in between.
  virtual Progress fetch(std::string_view* reply) = 0;

  // redis.acl_check_cmd.
  virtual AclAnswer acl_check(std::span<const std::string_view> args) = 0;
  // redis.set_repl: kReplicateAof and kReplicateReplicas, or neither.
  virtual void set_replication(unsigned targets) = 0;
};

inline constexpr unsigned kReplicateAof = 1;
inline constexpr unsigned kReplicateReplicas = 2;
inline constexpr unsigned kReplicateAll = kReplicateAof | kReplicateReplicas;

}  // namespace synap
