// Attribute values of an operator, as text from Python or a symbol file, read and checked.
#ifndef SNIPER_OPS_ATTRIBUTES_H_
#define SNIPER_OPS_ATTRIBUTES_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace sniper {

typedef std::unordered_map<std::string, std::string> AttributeMap;

// Every reader throws std::invalid_argument with the operator, the attribute, the text and what was expected.
class Attributes {
 public:
  Attributes(const char* op, const AttributeMap& values) : op_(op), values_(values) {}

  // Throws if an attribute is given that is not among `known`; names that begin with __ are MXNet's own.
  void check_names(const std::vector<std::string>& known) const;

  bool given(const char* name) const { return find(name) != nullptr; }

  double number(const char* name, double fallback) const;
  int64_t integer(const char* name, int64_t fallback) const;
  // A whole number above 0.
  int64_t positive(const char* name, int64_t fallback) const;
  bool boolean(const char* name, bool fallback) const;
  // "(1, 2.5)", "[1 2.5]" or "1".
  std::vector<float> numbers(const char* name, const std::vector<float>& fallback) const;
  // The text as it is.
  std::string word(const char* name, const char* fallback) const;
  // Place of the attribute's value among `options`.
  int choice(const char* name, const std::vector<std::string>& options, int fallback) const;

  // Throws unless `holds`, saying what the attribute must be.
  void require(bool holds, const char* name, const std::string& expected) const;

 private:
  const std::string* find(const char* name) const;

  const char* op_;
  const AttributeMap& values_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_ATTRIBUTES_H_
