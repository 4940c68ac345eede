#include "ops/attributes.h"

#include <algorithm>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace sniper {
namespace {

// True if all of `text` is one number, whatever the locale of the process.
bool read_number(const std::string& text, double* value) {
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  stream >> *value;
  if (stream.fail()) return false;
  stream >> std::ws;
  return stream.eof();
}

}  // namespace

void Attributes::check_names(const std::vector<std::string>& known) const {
  for (const auto& entry : values_) {
    if (entry.first.compare(0, 2, "__") == 0) continue;
    if (std::find(known.begin(), known.end(), entry.first) != known.end()) continue;
    std::string list;
    for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
    throw std::invalid_argument(std::string(op_) + " has no attribute " + entry.first + "; it has " + list);
  }
}

const std::string* Attributes::find(const char* name) const {
  const auto place = values_.find(name);
  return place == values_.end() ? nullptr : &place->second;
}

void Attributes::require(bool holds, const char* name, const std::string& expected) const {
  if (holds) return;
  const std::string* text = find(name);
  throw std::invalid_argument(std::string(op_) + ": " + name + " must be " + expected + ", got " +
                              (text ? *text : std::string("nothing")));
}

double Attributes::number(const char* name, double fallback) const {
  const std::string* text = find(name);
  double value = fallback;
  require(text == nullptr || read_number(*text, &value), name, "a number");
  return value;
}

int64_t Attributes::integer(const char* name, int64_t fallback) const {
  const double value = number(name, static_cast<double>(fallback));
  const bool whole = value >= -2147483648.0 && value <= 2147483647.0 && value == static_cast<int64_t>(value);
  require(whole, name, "a whole number");
  return static_cast<int64_t>(value);
}

int64_t Attributes::positive(const char* name, int64_t fallback) const {
  const int64_t value = integer(name, fallback);
  require(value > 0, name, "above 0");
  return value;
}

bool Attributes::boolean(const char* name, bool fallback) const {
  const std::string* text = find(name);
  if (text == nullptr) return fallback;
  const bool yes = *text == "True" || *text == "true" || *text == "1";
  require(yes || *text == "False" || *text == "false" || *text == "0", name, "True or False");
  return yes;
}

std::vector<float> Attributes::numbers(const char* name, const std::vector<float>& fallback) const {
  const std::string* text = find(name);
  if (text == nullptr) return fallback;
  std::string plain = *text;
  for (char& c : plain) {
    if (c == '(' || c == ')' || c == '[' || c == ']' || c == ',') c = ' ';
  }
  std::istringstream words(plain);
  std::vector<float> values;
  for (std::string word; words >> word;) {
    double value = 0.0;
    require(read_number(word, &value), name, "a list of numbers");
    values.push_back(static_cast<float>(value));
  }
  return values;
}

std::string Attributes::word(const char* name, const char* fallback) const {
  const std::string* text = find(name);
  return text == nullptr ? fallback : *text;
}

int Attributes::choice(const char* name, const std::vector<std::string>& options, int fallback) const {
  const std::string* text = find(name);
  if (text == nullptr) return fallback;
  std::string list;
  for (const std::string& option : options) list += (list.empty() ? "" : ", ") + option;
  const auto place = std::find(options.begin(), options.end(), *text);
  require(place != options.end(), name, "one of " + list);
  return static_cast<int>(place - options.begin());
}

}  // namespace sniper
