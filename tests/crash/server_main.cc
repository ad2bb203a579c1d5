// synap-crash-server: the server, with its files recorded (recorded_files.h) for the crash tests.
//   SYNAP_RECORDS  the folder for the records;  SYNAP_SYNC_US  how long a sync takes at most
//   SYNAP_FAULT    the operation that fails (faulty_files.h)
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "server/program.h"
#include "tests/crash/faulty_files.h"
#include "tests/crash/recorded_files.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  synap::ProcessTitle title(argc, argv);
  const char* folder = std::getenv("SYNAP_RECORDS");
  const char* sync_us = std::getenv("SYNAP_SYNC_US");
  int64_t sync_us_max = 0;
  if (folder == nullptr || (sync_us != nullptr && !synap::parse_int64(sync_us, &sync_us_max))) {
    std::fprintf(stderr, "SYNAP_RECORDS must be a folder, SYNAP_SYNC_US a number\n");
    return 2;
  }
  synap::RecordedFiles recorded(folder, sync_us_max);
  const char* fault = std::getenv("SYNAP_FAULT");
  synap::FaultyFiles files(&recorded, fault != nullptr ? fault : "none:0");
  return synap::run_server(args, &title, &files);
}
