// ScriptCall: one EVAL or FCALL from its begin to its reply, and the ScriptHost of the script inside it: looks commands
// up, checks what a script may do, extends the guard to their keys and runs them in the call's context.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/args.h"
#include "protocol/output_buffer.h"
#include "scripting/script_host.h"
#include "scripting/scripting.h"
#include "server/command/context.h"
#include "server/command/sliced_call.h"

namespace synap {

class ScriptCall final : public SlicedCall, public ScriptHost {
 public:
  struct What {
    ScriptKind kind;
    int function_ref;
    std::string_view name;  // the SHA, or the function's name
    uint32_t flags;         // kScript… bits
    bool read_only;         // EVAL_RO, EVALSHA_RO, FCALL_RO
    size_t keys;            // their number; the call's arguments are: command, script, number, keys, arguments
  };

  ScriptCall(Context& ctx, Scripting* scripting, ScriptThread* thread, const What& what);
  ~ScriptCall() override;

  Step step(Context& ctx) override;

  Progress call(std::span<const std::string_view> args, int resp, std::string_view* reply) override;
  Progress fetch(std::string_view* reply) override;
  AclAnswer acl_check(std::span<const std::string_view> args) override;
  void set_replication(unsigned targets) override;

 private:
  bool nothing_forbids(const Command& command, int count) const;
  const Command* check(std::span<const std::string_view> args);
  std::string problem_of(const Command& command, std::span<const std::string_view> args) const;
  std::string write_problem_of(const Command& command) const;
  std::string key_problem_of(const Command& command, std::span<const std::string_view> args) const;
  bool is_declared(std::string_view key) const;
  void become_busy(int64_t elapsed_ms);
  bool run_pending();
  std::string_view inner_reply();
  void note_long_run();

  Context* ctx_;
  Scripting* const scripting_;
  ScriptThread* const thread_;
  LuaEngine* const engine_;
  ScriptRun* run_;
  const bool read_only_;
  const bool allow_oom_;
  const bool declared_keys_only_;
  const size_t declared_keys_;
  const bool oom_at_start_;
  bool has_written_ = false;
  int db_;  // of the script: SELECT in it does not change the client's

  const Command* pending_ = nullptr;
  Args pending_args_;  // on the script's stack
  int pending_resp_ = 2;
  std::string text_;  // a reply that is not in one piece in the thread's buffer

  std::optional<Scripting::Running> running_;  // once it took longer than a slice
  bool is_busy_ = false;                       // beyond busy-reply-threshold
};

// The CallGuard bits of a script with these flags.
uint32_t script_guard(uint32_t flags);

// Whether a script with these flags may run in the server's state; else the error was replied.
bool admit_script(Context& ctx, uint32_t flags, bool read_only);

}  // namespace synap
