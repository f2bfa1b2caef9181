#pragma once

#include <string>
#include <string_view>
#include <vector>

// A writer of self-contained SVG 1.1 pictures: no scripts, no links, no fonts of their own. The same calls
// give the same bytes. Lengths are pixels, y grows downwards; numbers are written with two decimals at most.
namespace hutch::bench {

inline constexpr double kTextSize = 12;       // the usual size
inline constexpr double kSmallTextSize = 11;  // the smallest that is used

struct Point {
  double x = 0;
  double y = 0;
};

// How a shape is painted. Colours as "#rrggbb" or "none".
struct Paint {
  std::string fill = "none";
  std::string stroke = "none";
  double stroke_width = 1;
  double opacity = 1;
  std::string dashes;   // as in stroke-dasharray; empty: a full line
  std::string tooltip;  // shown by viewers when the pointer rests on the shape; empty: none
};

struct TextStyle {
  double size = kTextSize;
  std::string anchor = "start";  // or "middle", "end": what of the text is at x
  std::string colour = "#222222";
  bool bold = false;
};

class Drawing {
 public:
  // A picture with its own light background. `title` is its name for readers that cannot see it.
  Drawing(double width, double height, std::string_view title);

  void rect(double x, double y, double width, double height, const Paint& paint);
  void line(Point from, Point to, const Paint& paint);
  void polyline(const std::vector<Point>& points, const Paint& paint);
  void circle(Point centre, double radius, const Paint& paint);
  // `y` is the base line. Any UTF-8 text: it is escaped, and control characters become spaces.
  void text(Point at, std::string_view text, const TextStyle& style = {});

  double width() const { return width_; }
  // The whole file.
  std::string svg() const;

 private:
  void shape(std::string element, const Paint& paint);

  double width_;
  std::string content_;
};

// A number as it is written into the file: "12.5", "3", "-0.25"; never "-0". NaN and infinity are Errors.
std::string svg_number(double value);
// Text for element content and for attribute values in double quotes.
std::string svg_escaped(std::string_view text);

// An upper estimate of how wide the text is drawn (by DejaVu Sans, the widest of the usual sans-serif fonts).
double text_width(std::string_view text, double size = kTextSize);
// The text when it fits into `width`, else its beginning and "…"; empty when not even one letter fits.
std::string fitted(const std::string& text, double width, double size = kTextSize);
// The text broken at blanks into lines that fit into `width`; a longer word has a line of its own, fitted().
std::vector<std::string> wrapped(const std::string& text, double width, double size = kTextSize);

}  // namespace hutch::bench
