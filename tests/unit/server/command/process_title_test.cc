#include "server/command/process_title.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

using namespace synap;

TEST_CASE("process titles: variables") {
  Config config;
  const TitleSubject subject{.name = "/bin/server", .config_file = {}};
  CHECK(process_title(config, subject) == "/bin/server *:6379");
  config.bind = {"10.0.0.1", "::1"};
  config.tls_port = 7000;
  CHECK(process_title(config, subject) == "/bin/server 10.0.0.1:6379");
  config.port = 0;
  CHECK(process_title(config, subject) == "/bin/server 10.0.0.1:7000");
  config.tls_port = 0;
  config.unixsocket = "/run/socket";
  config.cluster_enabled = true;
  CHECK(process_title(config, subject) == "/bin/server unixsocket:/run/socket [cluster]");
  config.proc_title_template = "{port} {tls-port} {unixsocket} {config-file}";
  CHECK(process_title(config, subject) == "0 0 /run/socket -");
  CHECK(process_title(config, {.name = {}, .config_file = "/etc/x"}) == "0 0 /run/socket /etc/x");
  config.proc_title_template = "{other}";
  CHECK_FALSE(process_title(config, subject).has_value());
}

TEST_CASE("process titles take the memory of the arguments and no more") {
  setenv("SYNAP_TITLE_TEST", "a=b", 1);
  std::string memory("dir/one\0two\0after", 17);
  char* argv[] = {memory.data(), memory.data() + 8, nullptr};
  ProcessTitle title(2, argv);
  CHECK(title.program() == "dir/one");
  CHECK(memory == std::string("dir/one\0two\0after", 17));
  title.show("abc");
  CHECK(memory == std::string("abc\0\0\0\0\0\0\0\0.after", 17));
  title.show("0123456789");
  CHECK(memory == std::string("0123456789\0.after", 17));
  title.show("0123456789abcd");
  CHECK(memory == std::string("0123456789a\0after", 17));
  CHECK(std::string(std::getenv("SYNAP_TITLE_TEST")) == "a=b");
  unsetenv("SYNAP_TITLE_TEST");
}
