// Redis's glob patterns: '*', '?', '[a-c]', '[^x]', and '\' to take the next byte as it is.
#pragma once

#include <string_view>

namespace synap {

// Never takes more than |pattern| × |text| steps, whatever the pattern. Like Redis, '*' alone does not match an empty
// text (callers that mean "everything" test for the pattern "*" first).
bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace synap
