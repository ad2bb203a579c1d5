#include "scripting/lua_struct.h"

#include <cctype>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "scripting/lua_edge.h"

namespace synap {
namespace {

constexpr int kIntegerBytesMax = 32;
constexpr int kAlignDefault = 8;

// Walks a format. Little-endian and unaligned until told otherwise.
struct Format {
  lua_State* lua;
  const char* at;
  bool little = true;
  size_t align = 1;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int read_number(Format& format, int otherwise) {
  if (!is_digit(*format.at)) return otherwise;
  int64_t value = 0;
  while (is_digit(*format.at)) {
    value = value * 10 + (*format.at++ - '0');
    if (value > INT_MAX) luaL_error(format.lua, "integral size overflow");
  }
  return static_cast<int>(value);
}

// Bytes that an option takes; 0 for those without a fixed size and for control options.
size_t read_size(Format& format, char option) {
  switch (option) {
    case 'b':
    case 'B':
    case 'x':
      return 1;
    case 'h':
    case 'H':
      return 2;
    case 'f':
      return 4;
    case 'l':
    case 'L':
    case 'T':
    case 'd':
      return 8;
    case 'c':
      return static_cast<size_t>(read_number(format, 1));
    case 'i':
    case 'I': {
      const int size = read_number(format, 4);
      if (size > kIntegerBytesMax) {
        luaL_error(format.lua, "integral size %d is larger than limit of %d", size, kIntegerBytesMax);
      }
      return static_cast<size_t>(size);
    }
    default:
      return 0;
  }
}

// Bytes of padding in front of an item of `size` at `position`.
size_t padding(const Format& format, size_t position, char option, size_t size) {
  if (size == 0 || option == 'c') return 0;
  if (size > format.align) size = format.align;
  return (size - (position & (size - 1))) & (size - 1);
}

void control_option(Format& format, char option) {
  switch (option) {
    case ' ':
      return;
    case '>':
      format.little = false;
      return;
    case '<':
      format.little = true;
      return;
    case '!': {
      const int align = read_number(format, kAlignDefault);
      if (align <= 0 || (align & (align - 1)) != 0) {
        luaL_error(format.lua, "alignment %d is not a power of 2", align);
      }
      format.align = static_cast<size_t>(align);
      return;
    }
    default: {
      const char* problem = lua_pushfstring(format.lua, "invalid format option '%c'", option);
      luaL_argerror(format.lua, 1, problem);
    }
  }
}

bool is_integer_option(char option) {
  return option != 0 && std::strchr("bBhHlLTiI", option) != nullptr;
}

// As x86 converts; other conversions of numbers out of range are undefined.
uint64_t to_bits(double number) {
  if (std::isnan(number)) return uint64_t{1} << 63;
  if (number < 0) return number < -0x1p63 ? uint64_t{1} << 63 : static_cast<uint64_t>(static_cast<int64_t>(number));
  return number < 0x1p64 ? static_cast<uint64_t>(number) : 0;
}

void pack_integer(std::string& out, uint64_t bits, size_t size, bool little) {
  char text[kIntegerBytesMax];
  for (size_t i = 0; i < size; ++i) {
    const size_t place = little ? i : size - 1 - i;
    text[place] = static_cast<char>(i < 8 ? bits >> (8 * i) : 0);
  }
  out.append(text, size);
}

// Packs the argument `arg` (a float is an integer of its bits); returns the bytes that the item took.
size_t pack_item(Format& format, std::string& out, char option, size_t size, int arg) {
  lua_State* lua = format.lua;
  if (is_integer_option(option)) {
    pack_integer(out, to_bits(luaL_checknumber(lua, arg)), size, format.little);
    return size;
  }
  if (option == 'f') {
    const auto number = static_cast<float>(luaL_checknumber(lua, arg));
    uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof(bits));
    pack_integer(out, bits, size, format.little);
    return size;
  }
  if (option == 'd') {
    const double number = luaL_checknumber(lua, arg);
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof(bits));
    pack_integer(out, bits, size, format.little);
    return size;
  }
  size_t length = 0;
  const char* text = luaL_checklstring(lua, arg, &length);
  if (size == 0) size = length;
  luaL_argcheck(lua, length >= size, arg + 1, "string too short");
  if (out.size() + size > kEncodedBytesMax) luaL_error(lua, "not enough memory");
  out.append(text, size);
  if (option == 's') out.push_back(0);
  return option == 's' ? size + 1 : size;
}

int struct_pack(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  lua_pushnil(lua);  // what a missing argument is
  std::string& out = LuaEdge::scratch(lua);
  out.clear();
  size_t total = 0;
  int arg = 2;
  while (*format.at != 0) {
    const char option = *format.at++;
    size_t size = read_size(format, option);
    const size_t pad = padding(format, total, option, size);
    out.append(pad, 0);
    total += pad;
    if (option == 'x') {
      out.push_back(0);
    } else if (std::strchr("fdcs", option) != nullptr || is_integer_option(option)) {
      size = pack_item(format, out, option, size, arg++);
    } else {
      control_option(format, option);
    }
    total += size;
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

uint64_t read_bits(const char* data, size_t size, bool little) {
  uint64_t bits = 0;
  for (size_t i = 0; i < size; ++i) {
    bits = bits << 8 | static_cast<unsigned char>(data[little ? size - 1 - i : i]);
  }
  return bits;
}

double unpack_integer(const char* data, size_t size, bool little, bool is_signed) {
  uint64_t bits = read_bits(data, size, little);
  if (!is_signed) return static_cast<double>(bits);
  const uint64_t mask = ~uint64_t{0} << (size == 0 || size > 8 ? 63 : size * 8 - 1);
  if ((bits & mask) != 0) bits |= mask;
  return static_cast<double>(static_cast<int64_t>(bits));
}

double unpack_float(const char* data, size_t size, bool little) {
  const uint64_t bits = read_bits(data, size, little);
  double number = 0;
  if (size == 4) {
    const auto low = static_cast<uint32_t>(bits);
    float narrow = 0;
    std::memcpy(&narrow, &low, sizeof(narrow));
    number = static_cast<double>(narrow);
  } else {
    std::memcpy(&number, &bits, sizeof(number));
  }
  // Lua's own NaN: another bit pattern could be taken for a tagged value.
  return std::isnan(number) ? std::nan("") : number;
}

// The length of a "c0": the number unpacked before it, which it takes off the stack.
size_t take_length(lua_State* lua, int* results) {
  if (*results == 0 || !lua_isnumber(lua, -1)) luaL_error(lua, "format 'c0' needs a previous size");
  const double length = lua_tonumber(lua, -1);
  lua_pop(lua, 1);
  --*results;
  return length > -1 && length < 0x1p63 ? static_cast<size_t>(length < 0 ? 0 : length) : SIZE_MAX;
}

int struct_unpack(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  size_t data_size = 0;
  const char* data = luaL_checklstring(lua, 2, &data_size);
  auto position = static_cast<size_t>(luaL_optinteger(lua, 3, 1));
  luaL_argcheck(lua, position > 0, 3, "offset must be 1 or greater");
  --position;
  int results = 0;
  while (*format.at != 0) {
    const char option = *format.at++;
    size_t size = read_size(format, option);
    position += padding(format, position, option, size);
    luaL_argcheck(lua, size <= data_size && position <= data_size - size, 2, "data string too short");
    luaL_checkstack(lua, 2, "too many results");
    if (is_integer_option(option)) {
      const bool is_signed = std::islower(option) != 0;
      lua_pushnumber(lua, unpack_integer(data + position, size, format.little, is_signed));
      ++results;
    } else if (option == 'f' || option == 'd') {
      lua_pushnumber(lua, unpack_float(data + position, size, format.little));
      ++results;
    } else if (option == 'c') {
      if (size == 0) {
        size = take_length(lua, &results);
        luaL_argcheck(lua, size <= data_size && position <= data_size - size, 2, "data string too short");
      }
      lua_pushlstring(lua, data + position, size);
      ++results;
    } else if (option == 's') {
      const void* end = std::memchr(data + position, 0, data_size - position);
      if (end == nullptr) luaL_error(lua, "unfinished string in data");
      const auto length = static_cast<size_t>(static_cast<const char*>(end) - (data + position));
      lua_pushlstring(lua, data + position, length);
      ++results;
      size = length + 1;
    } else if (option != 'x') {
      control_option(format, option);
    }
    position += size;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(position + 1));
  return results + 1;
}

int struct_size(lua_State* lua) {
  Format format{lua, luaL_checkstring(lua, 1)};
  size_t position = 0;
  while (*format.at != 0) {
    const char option = *format.at++;
    const size_t size = read_size(format, option);
    position += padding(format, position, option, size);
    if (option == 's') luaL_argerror(lua, 1, "option 's' has no fixed size");
    if (option == 'c' && size == 0) luaL_argerror(lua, 1, "option 'c0' has no fixed size");
    if (std::isalnum(static_cast<unsigned char>(option)) == 0) control_option(format, option);
    position += size;
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(position));
  return 1;
}

}  // namespace

void push_struct_library(lua_State* lua) {
  lua_createtable(lua, 0, 3);
  lua_pushcfunction(lua, struct_pack);
  lua_setfield(lua, -2, "pack");
  lua_pushcfunction(lua, struct_unpack);
  lua_setfield(lua, -2, "unpack");
  lua_pushcfunction(lua, struct_size);
  lua_setfield(lua, -2, "size");
}

}  // namespace synap
