// ConfigStore: the one place that holds the configuration in force. Readers take the current immutable snapshot with
// one atomic load; writers (CONFIG SET, REPLICAOF) build a new one and swap it in, all of a change or nothing of it. A
// reference to current() is good until the reader's thread passes a quiescent point (the top of its loop): never keep
// one across that. Retired snapshots go to the function given to set_retire; until one is given they are simply kept.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/base/sync.h"
#include "server/command/config.h"
#include "server/command/options.h"

namespace synap {

struct ConfigChange {
  std::string_view name;  // or alias, in any case
  std::string_view value;
};

// What the one who asks for a change is allowed.
struct ConfigRights {
  bool guarded_options = false;  // dir, dbfilename: see enable-protected-configs
  bool loading = false;          // the data set is being loaded
};

class ConfigStore {
 public:
  // Acts on a change that is already current. A failure takes the whole change back; its detail is shown to the client.
  // Called with the store's lock held: it may take any other lock, but must not change the configuration.
  using ApplyCallback = std::function<Status(const Config& before, const Config& after)>;

  explicit ConfigStore(Config initial);
  ConfigStore(const ConfigStore&) = delete;
  ConfigStore& operator=(const ConfigStore&) = delete;

  const Config& current() const { return *current_.load(std::memory_order_acquire); }

  // At start, before other threads read: `callback` runs once per change that touches any of the options. Callbacks run
  // in the order of the changed arguments.
  void on_change(std::initializer_list<std::string_view> names, ApplyCallback callback);
  void set_retire(std::function<void(std::unique_ptr<const Config>)> retire);

  // Puts the settings of the process itself in force (dir, loglevel, log-format, locale-collate), once, at start. Later
  // changes of these are followed by the store itself.
  Status enter();

  // CONFIG SET. On failure nothing has changed and the detail is the complete error reply.
  Status set(std::span<const ConfigChange> changes, const ConfigRights& rights);
  // A change by the server itself (REPLICAOF, ACL): no callbacks, no checks.
  void update(const std::function<void(Config*)>& edit);

  // CONFIG REWRITE. `users` gives the "user" lines from memory (none when they live in an aclfile); until it is set,
  // the file's own lines stay. The detail of a failure is errno's text.
  void set_users(std::function<std::vector<std::string>()> users);
  Status rewrite(const std::string& path, bool write_defaults = false);

 private:
  struct Callback {
    std::vector<const Option*> options;
    ApplyCallback apply;
  };

  void publish(std::unique_ptr<const Config> next) REQUIRES(mutex_);
  Status run_callbacks(std::span<const Option* const> changed, const Config& before, const Config& after)
      REQUIRES(mutex_);

  std::atomic<const Config*> current_;
  Mutex mutex_{LockRank::kConfig};
  std::unique_ptr<const Config> owned_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const Config>> kept_ GUARDED_BY(mutex_);
  std::vector<Callback> callbacks_ GUARDED_BY(mutex_);
  std::function<void(std::unique_ptr<const Config>)> retire_ GUARDED_BY(mutex_);
  std::function<std::vector<std::string>()> users_ GUARDED_BY(mutex_);
};

// The options that were given a value but have no effect in Synap, for the one warning at start.
std::vector<std::string_view> remembered_options_in_use(const Config& config);

}  // namespace synap
