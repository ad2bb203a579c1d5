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
  if (bytes > kChunkBytesMax / 4) {
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    place = chunks_.back().get();
  } else {
    if (bytes > left_) {
      chunk_bytes_ = std::min(std::max(chunk_bytes_ * 2, bytes), kChunkBytesMax);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_bytes_));
      next_ = chunks_.back().get();
      left_ = chunk_bytes_;
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
  const bool a_has = a.weight.data() != nullptr;
  const bool b_has = b.weight.data() != nullptr;
  return a_has && b_has ? a.weight.compare(b.weight) : int{a_has} - int{b_has};
}

int compare_texts(const SortItem& a, const SortItem& b) {
  if (a.text.is_integer() && b.text.is_integer() && a.text.integer() == b.text.integer()) return 0;
  SortText::Scratch a_scratch;
  SortText::Scratch b_scratch;
  return a.text.view(a_scratch).compare(b.text.view(b_scratch));
}

}  // namespace

std::string_view SortText::view(Scratch& scratch) const {
  if (!is_integer()) return {data_, bits_};
  return {scratch, format_int64(scratch, integer())};
}

void sort_items(std::vector<SortItem>* items, SortOrder order, size_t first, size_t count) {
  const auto before = [order](const SortItem& a, const SortItem& b) {
    if (!order.alpha && a.score != b.score) return (a.score < b.score) != order.descending;
    const int result = order.alpha && order.by_weight ? compare_weights(a, b) : compare_texts(a, b);
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
