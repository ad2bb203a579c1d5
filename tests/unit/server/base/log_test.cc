// The log's lines and the crash report, read back from a file written by a child process.
#include "server/base/log.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "server/base/assert.h"
#include "server/base/crash_report.h"
#include "server/base/glob.h"

namespace synap {
namespace {

struct ChildOutcome {
  std::string output;
  int status = 0;
  pid_t pid = 0;
};

// The log belongs to the process, so each test speaks in a child of its own.
ChildOutcome run_in_child(const std::function<void(LogTarget&)>& code) {
  char path[] = "/tmp/synap-log-test-XXXXXX";
  const int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  close(fd);
  ChildOutcome outcome;
  static_cast<void>(fflush(stdout));  // or the child may print it again
  outcome.pid = fork();
  if (outcome.pid == 0) {
    LogTarget target;
    target.file = path;
    code(target);
    _exit(0);
  }
  waitpid(outcome.pid, &outcome.status, 0);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  outcome.output = text.str();
  unlink(path);
  return outcome;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a line has Redis's format") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    log_notice("hello %d", 7);
    log_warning("careful");
    log_verbose("not shown");
    log().set_role(LogRole::kReplica);
    log().set_level(LogLevel::kDebug);
    log_debug("deep");
    if (fork() == 0) {
      log_notice("from the child");
      _exit(0);
    }
    wait(nullptr);
    log().set_level(LogLevel::kNothing);
    log_warning("never");
  });
  const std::string pid = std::to_string(outcome.pid);
  // A day, a month's name, a year and a time.
  const std::string date = " [0-3][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9] ";
  const std::string expected = pid + ":M" + date + "\\* hello 7\n" + pid + ":M" + date + "# careful\n" + pid + ":S" +
                               date + ". deep\n*:C" + date + "\\* from the child\n";
  CAPTURE(outcome.output);
  CHECK(glob_match(expected, outcome.output));
}

TEST_CASE("the date is right") {
  char prefix[64];
  // 2024-02-29 23:59:59.007 UTC, a leap day.
  const size_t length = log().format_prefix(prefix, LogLevel::kVerbose, 1709251199'007000);
  CHECK(contains(std::string(prefix, length), " 29 Feb 2024 23:59:59.007 - "));
  const size_t second = log().format_prefix(prefix, LogLevel::kWarning, 951782400'000000);
  CHECK(contains(std::string(prefix, second), " 29 Feb 2000 00:00:00.000 # "));
}

TEST_CASE("JSON lines are escaped") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    target.format = LogFormat::kJson;
    log().open(target);
    log_notice("a \"quote\" \\ and\n\x01 end");
  });
  CAPTURE(outcome.output);
  CHECK(contains(outcome.output, R"("level":"notice","pid":)"));
  CHECK(contains(outcome.output, R"("role":"M","message":"a \"quote\" \\ and\n\u0001 end"})"));
}

TEST_CASE("a moved file is made anew, long messages are cut") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    log_notice("lost");
    unlink(target.file.c_str());
    log_notice("%s", std::string(20'000, 'x').c_str());
  });
  CHECK_FALSE(contains(outcome.output, "lost"));
  CHECK(outcome.output.size() > 7'000);
  CHECK(outcome.output.size() < Log::kLineMax);
  CHECK(outcome.output.back() == '\n');
}

TEST_CASE("lines of several threads do not mix") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    std::thread other([] {
      for (int i = 0; i < 200; ++i) log_notice("bbbbbbbbbbbbbbbbbbbb");
    });
    for (int i = 0; i < 200; ++i) log_notice("aaaaaaaaaaaaaaaaaaaa");
    other.join();
  });
  std::istringstream lines(outcome.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::string message = line.substr(line.find("* ") + 2);
    REQUIRE((message == std::string(20, 'a') || message == std::string(20, 'b')));
  }
  CHECK(count == 400);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a signal leaves a report and kills") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    install_crash_handlers([](int fd) { static_cast<void>(!write(fd, "EXTRA\n", 6)); });
    raise(SIGSEGV);
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGSEGV);
  CHECK(contains(outcome.output, "=== REDIS BUG REPORT START: Cut & paste starting from here ==="));
  CHECK(contains(outcome.output, "# Redis 7.4.1 crashed by signal: 11"));
  CHECK(contains(outcome.output, "STACK TRACE DONE"));
  CHECK(contains(outcome.output, "EXTRA\n"));
  CHECK(contains(outcome.output, "=== REDIS BUG REPORT END."));
}

TEST_CASE("a failed assertion leaves one report") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    install_crash_handlers(nullptr);
    const int one = 1;
    SYNAP_ASSERT(one == 2);
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGABRT);
  CHECK(contains(outcome.output, "=== ASSERTION FAILED ==="));
  CHECK(glob_match("*==> *log_test.cc:*'one == 2' is not true*", outcome.output));
  CHECK_FALSE(contains(outcome.output, "crashed by signal"));
}

TEST_CASE("a crash inside the report does not hang") {
  const ChildOutcome outcome = run_in_child([](LogTarget& target) {
    log().open(target);
    install_crash_handlers([](int) { SYNAP_ASSERT(false); });
    raise(SIGBUS);
  });
  CHECK(WIFSIGNALED(outcome.status));
}
#endif

}  // namespace
}  // namespace synap
