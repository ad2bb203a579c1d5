// See config_store.h. A change is published before its callbacks run, because what they do reads the configuration; a
// failing callback puts the old values back and lets those that already ran act on the way back.
#include "server/command/config_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstring>

#include "protocol/errors.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/config_file.h"

namespace synap {
namespace {

Status failed(std::string_view argument, std::string_view reason) {
  std::string text = "ERR CONFIG SET failed (possibly related to argument '" + std::string(argument) + "')";
  if (!reason.empty()) text += " - " + std::string(reason);
  return Status(StatusCode::kSyntax, std::move(text));
}

Status enter_directory(const Config& config) {
  if (config.dir.empty() || chdir(config.dir.c_str()) == 0) return {};
  return Status(StatusCode::kIoError, strerror(errno));
}

Status set_locale(const Config& config) {
  if (setlocale(LC_COLLATE, config.locale_collate.c_str()) != nullptr) return {};
  return Status(StatusCode::kSyntax, "Invalid locale name");
}

void set_log(const Config& config) {
  log().set_level(static_cast<LogLevel>(config.loglevel));
  log().set_format(static_cast<LogFormat>(config.log_format));
}

// What the reply calls the option: its alias if that was asked for, in lower case.
std::string_view reply_name(const Option& option, std::string_view asked) {
  return equals_ignore_case(option.alias, asked) ? option.alias : option.name;
}

// The rows that the changes name, or the error reply for the first thing that forbids the change.
Status find_options(std::span<const ConfigChange> changes, const ConfigRights& rights,
                    std::vector<const Option*>* options) {
  for (const ConfigChange& change : changes) {
    const Option* option = find_option(change.name);
    if (option == nullptr) {
      return Status(StatusCode::kNotFound,
                    "ERR Unknown option or number of arguments for CONFIG SET - '" + std::string(printed(change.name, change.name.size())) + "'");
    }
    if (option->has(kImmutable)) return failed(change.name, "can't set immutable config");
    if (option->has(kGuarded) && !rights.guarded_options) return failed(change.name, "can't set protected config");
    if (option->has(kDenyLoading) && rights.loading) {
      return Status(StatusCode::kUnsupported, std::string(kLoadingError));
    }
    // An option and its alias are not duplicates: the later one counts.
    for (size_t i = 0; i < options->size(); ++i) {
      if (equals_ignore_case(changes[i].name, change.name)) return failed(change.name, "duplicate parameter");
    }
    options->push_back(option);
  }
  return {};
}

}  // namespace

ConfigStore::ConfigStore(Config initial) {
  settle_config(&initial);
  LockGuard guard(mutex_);
  owned_ = std::make_unique<const Config>(std::move(initial));
  current_.store(owned_.get(), std::memory_order_release);
}

void ConfigStore::on_change(std::initializer_list<std::string_view> names, ApplyCallback callback) {
  Callback entry;
  for (const std::string_view name : names) {
    entry.options.push_back(find_option(name));
    SYNAP_ASSERT(entry.options.back() != nullptr);
  }
  entry.apply = std::move(callback);
  LockGuard guard(mutex_);
  callbacks_.push_back(std::move(entry));
}

void ConfigStore::set_retire(std::function<void(std::unique_ptr<const Config>)> retire) {
  LockGuard guard(mutex_);
  retire_ = std::move(retire);
}

Status ConfigStore::enter() {
  on_change({"loglevel", "log-format"}, [](const Config&, const Config& after) { return set_log(after), Status(); });
  on_change({"dir"}, [](const Config&, const Config& after) { return enter_directory(after); });
  on_change({"locale-collate"}, [](const Config&, const Config& after) { return set_locale(after); });
  set_log(current());
  if (Status status = set_locale(current()); !status.ok()) return status;
  return enter_directory(current());
}

void ConfigStore::publish(std::unique_ptr<const Config> next) {
  current_.store(next.get(), std::memory_order_release);
  std::swap(owned_, next);
  if (retire_) {
    retire_(std::move(next));
  } else {
    kept_.push_back(std::move(next));
  }
}

Status ConfigStore::run_callbacks(std::span<const Option* const> changed, const Config& before, const Config& after) {
  std::vector<const Callback*> done;
  for (const Option* option : changed) {
    for (const Callback& callback : callbacks_) {
      const bool concerned =
          std::find(callback.options.begin(), callback.options.end(), option) != callback.options.end();
      if (!concerned || std::find(done.begin(), done.end(), &callback) != done.end()) continue;
      done.push_back(&callback);
      const Status status = callback.apply(before, after);
      if (status.ok()) continue;
      log_warning("Failed applying new configuration. Possibly related to new %s setting. Restoring previous settings.",
                  std::string(option->name).c_str());
      publish(std::make_unique<const Config>(before));
      for (const Callback* undo : done) {
        const Status undone = undo->apply(after, before);
        if (!undone.ok()) {
          log_warning("Failed applying restored failed CONFIG SET command: %s", undone.detail().c_str());
        }
      }
      return failed(option->name, status.detail());
    }
  }
  return {};
}

Status ConfigStore::set(std::span<const ConfigChange> changes, const ConfigRights& rights) {
  std::vector<const Option*> options;
  if (Status status = find_options(changes, rights, &options); !status.ok()) return status;

  LockGuard guard(mutex_);
  const Config before = *owned_;
  auto next = std::make_unique<Config>(before);
  for (size_t i = 0; i < options.size(); ++i) {
    const Status status = parse_option_text(*options[i], changes[i].value, next.get());
    if (!status.ok()) return failed(reply_name(*options[i], changes[i].name), status.detail());
  }
  settle_config(next.get());
  std::vector<const Option*> changed;
  for (const Option* option : options) {
    const bool same = format_option(*option, before) == format_option(*option, *next);
    if (!same || option->has(kVolatile)) changed.push_back(option);
  }
  const Config after = *next;
  publish(std::move(next));
  return run_callbacks(changed, before, after);
}

void ConfigStore::update(const std::function<void(Config*)>& edit) {
  LockGuard guard(mutex_);
  auto next = std::make_unique<Config>(*owned_);
  edit(next.get());
  publish(std::move(next));
}

void ConfigStore::set_users(std::function<std::vector<std::string>()> users) {
  LockGuard guard(mutex_);
  users_ = std::move(users);
}

Status ConfigStore::rewrite(const std::string& path, bool write_defaults) {
  LockGuard guard(mutex_);
  RewriteOptions options;
  options.write_defaults = write_defaults;
  if (users_) options.users = users_();
  return rewrite_config_file(path, *owned_, options);
}

std::vector<std::string_view> remembered_options_in_use(const Config& config) {
  std::vector<std::string_view> names;
  for_each_option([&](const Option& option) {
    if (option.has(kRemembered) && !is_default(option, config)) names.push_back(option.name);
  });
  return names;
}

}  // namespace synap
