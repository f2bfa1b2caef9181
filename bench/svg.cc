#include "bench/svg.h"

#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace hutch::bench {
namespace {

constexpr std::string_view kBackground = "#ffffff";
constexpr std::string_view kFrame = "#d0d7de";

// Widths in units of the size, rounded up from DejaVu Sans.
double letter_width(char c, bool bold_like) {
  if (std::string_view("il.,:;'|!j").find(c) != std::string_view::npos) return 0.34;
  if (std::string_view(" ftrI()[]/\\-").find(c) != std::string_view::npos) return 0.43;
  if (std::string_view("mwMW@%").find(c) != std::string_view::npos) return 0.98;
  if (bold_like || (c >= 'A' && c <= 'Z')) return 0.76;
  return 0.635;
}

bool continues_letter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

std::string paint_attributes(const Paint& paint) {
  std::string text = formatted(" fill=\"{}\"", svg_escaped(paint.fill));
  if (paint.stroke != "none") {
    text += formatted(" stroke=\"{}\" stroke-width=\"{}\"", svg_escaped(paint.stroke),
                      svg_number(paint.stroke_width));
  }
  if (paint.opacity != 1) text += formatted(" opacity=\"{}\"", svg_number(paint.opacity));
  if (!paint.dashes.empty()) text += formatted(" stroke-dasharray=\"{}\"", svg_escaped(paint.dashes));
  return text;
}

}  // namespace

std::string svg_number(double value) {
  if (!std::isfinite(value)) throw Error("cannot draw at a place that is no number");
  std::string text = formatted("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string svg_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      // XML 1.0 has no way to write most control characters.
      default: escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const char c : text) {
    if (!continues_letter(c)) width += letter_width(c, static_cast<unsigned char>(c) >= 0x80);
  }
  return width * size;
}

std::string fitted(const std::string& text, double width, double size) {
  if (text_width(text, size) <= width) return text;
  std::string shorter = text;
  while (!shorter.empty()) {
    while (continues_letter(shorter.back())) shorter.pop_back();
    shorter.pop_back();
    while (shorter.ends_with(' ')) shorter.pop_back();
    if (!shorter.empty() && text_width(shorter + "…", size) <= width) return shorter + "…";
  }
  return {};
}

std::vector<std::string> wrapped(const std::string& text, double width, double size) {
  std::vector<std::string> lines;
  for (const auto word : split_blanks(text)) {
    const std::string longer = lines.empty() ? std::string() : lines.back() + " " + std::string(word);
    if (!lines.empty() && text_width(longer, size) <= width) {
      lines.back() = longer;
    } else {
      lines.push_back(fitted(std::string(word), width, size));
    }
  }
  return lines;
}

Drawing::Drawing(double width, double height, std::string_view title) : width_(width) {
  content_ = formatted(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "role=\"img\" aria-label=\"{2}\" font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n"
      "<title>{2}</title>\n",
      svg_number(width), svg_number(height), svg_escaped(title));
  content_ +=
      formatted("<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" stroke=\"{}\"/>\n",
                svg_number(width - 1), svg_number(height - 1), kBackground, kFrame);
}

void Drawing::shape(std::string element, const Paint& paint) {
  const std::string name = element.substr(0, element.find(' '));
  content_ += "<" + element + paint_attributes(paint);
  if (paint.tooltip.empty()) {
    content_ += "/>\n";
  } else {
    content_ += formatted("><title>{}</title></{}>\n", svg_escaped(paint.tooltip), name);
  }
}

void Drawing::rect(double x, double y, double width, double height, const Paint& paint) {
  shape(formatted("rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", svg_number(x), svg_number(y),
                  svg_number(width), svg_number(height)),
        paint);
}

void Drawing::line(Point from, Point to, const Paint& paint) {
  shape(formatted("line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"", svg_number(from.x), svg_number(from.y),
                  svg_number(to.x), svg_number(to.y)),
        paint);
}

void Drawing::polyline(const std::vector<Point>& points, const Paint& paint) {
  std::string list;
  for (const Point& point : points) {
    list += formatted("{}{},{}", list.empty() ? "" : " ", svg_number(point.x), svg_number(point.y));
  }
  shape(formatted("polyline points=\"{}\"", list), paint);
}

void Drawing::circle(Point centre, double radius, const Paint& paint) {
  shape(formatted("circle cx=\"{}\" cy=\"{}\" r=\"{}\"", svg_number(centre.x), svg_number(centre.y),
                  svg_number(radius)),
        paint);
}

void Drawing::text(Point at, std::string_view text, const TextStyle& style) {
  content_ +=
      formatted("<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}>{}</text>\n",
                svg_number(at.x), svg_number(at.y), svg_number(style.size), svg_escaped(style.anchor),
                svg_escaped(style.colour), style.bold ? " font-weight=\"bold\"" : "", svg_escaped(text));
}

std::string Drawing::svg() const {
  return content_ + "</svg>\n";
}

}  // namespace hutch::bench
