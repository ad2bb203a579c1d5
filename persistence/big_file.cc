#include "persistence/big_file.h"

#include <memory>
#include <utility>

#include "server/keyspace/background.h"

namespace synap {

Status remove_big_file(FileSystem* files, const std::string& path) {
  auto file = files->open(path, FileSystem::Mode::kRead);
  const Status removed = files->remove(path);
  if (file.ok()) background_free([held = std::shared_ptr<File>(std::move(*file))]() mutable { held = nullptr; }, 0);
  return removed;
}

}  // namespace synap
