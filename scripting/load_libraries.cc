#include "scripting/load_libraries.h"

namespace synap {

std::string load_function_libraries(ScriptThread& thread, FunctionRegistry& registry, const std::vector<std::string>& codes,
                                    bool keep, bool replace) {
  auto set = keep ? std::make_shared<FunctionSet>(*registry.current()) : std::make_shared<FunctionSet>();
  std::string error;
  for (const std::string& code : codes) {
    const auto library = thread.load_library(code, 0, &error);
    if (library == nullptr || !set->add(library, replace, &error)) return error;
  }
  registry.publish(std::move(set));
  return {};
}

}  // namespace synap
