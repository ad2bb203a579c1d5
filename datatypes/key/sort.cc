#include "datatypes/key/sort.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "server/base/number.h"

namespace synap {

std::string_view TextArena::add(std::string_view text) {
  const size_t bytes = text.size() + 1;
  char* place;
  if (bytes > kChunkBytes / 4) {
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    place = chunks_.back().get();
  } else {
    if (bytes > left_) {
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
      next_ = chunks_.back().get();
      left_ = kChunkBytes;
    }
    place = next_;
    next_ += bytes;
    left_ -= bytes;
  }
  if (!text.empty()) std::memcpy(place, text.data(), text.size());
  place[text.size()] = '\0';
  return {place, text.size()};
}

SortPattern::SortPattern(std::string_view pattern) : pattern_(pattern), star_(pattern.find('*')) {
  if (star_ == std::string_view::npos) return;
  postfix_ = pattern.substr(star_ + 1);
  const size_t arrow = postfix_.find("->");
  if (arrow == std::string_view::npos || arrow + 2 == postfix_.size()) return;
  field_ = postfix_.substr(arrow + 2);
  postfix_ = postfix_.substr(0, arrow);
}

void SortPattern::key_for(std::string_view element, std::string* key) const {
  key->assign(pattern_.substr(0, star_));
  key->append(element);
  key->append(postfix_);
}

std::optional<double> sort_score(std::string_view text) {
  int64_t integer;
  if (parse_int64(text, &integer)) return static_cast<double>(integer);
  char* end;
  errno = 0;
  const double score = std::strtod(text.data(), &end);
  if (*end != '\0' || errno == ERANGE || std::isnan(score)) return std::nullopt;
  return score;
}

namespace {

int compare_weights(const SortItem& a, const SortItem& b) {
  if (!a.has_weight || !b.has_weight) return (a.has_weight ? 1 : 0) - (b.has_weight ? 1 : 0);
  return a.weight.compare(b.weight);
}

int compare(const SortItem& a, const SortItem& b, const SortOrder& order) {
  if (order.alpha) return order.by_weight ? compare_weights(a, b) : a.text.compare(b.text);
  if (a.score != b.score) return a.score < b.score ? -1 : 1;
  return a.text.compare(b.text);
}

}  // namespace

void sort_items(std::vector<SortItem>* items, SortOrder order, size_t first, size_t count) {
  const auto before = [order](const SortItem& a, const SortItem& b) {
    const int result = compare(a, b, order);
    if (result == 0) return a.index < b.index;
    return order.descending ? result > 0 : result < 0;
  };
  if (count == 0) return;
  const auto begin = items->begin() + static_cast<ptrdiff_t>(first);
  const auto end = begin + static_cast<ptrdiff_t>(count);
  if (first > 0) std::nth_element(items->begin(), begin, items->end(), before);
  if (end == items->end()) {
    std::sort(begin, end, before);
  } else {
    std::partial_sort(begin, end, items->end(), before);
  }
}

}  // namespace synap
