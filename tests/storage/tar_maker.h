#pragma once

#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

// Writes tar streams byte by byte, so that tests can say things which no well-behaved archiver would
// (tar(5)).
namespace hutch {

struct TarMember {
  std::string name;
  char type = '0';  // '0' file, '1' hard link, '2' symlink, '3' character device, '5' directory, '6' fifo
  std::string contents;
  std::string link;
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned long long claimed_size = 0;  // instead of the size of `contents`, when not 0
};

class TarMaker {
 public:
  TarMaker& add(const TarMember& member) {
    char header[512] = {};
    const auto put = [&](std::size_t at, std::string_view text) {
      std::memcpy(header + at, text.data(), text.size());
    };
    const auto octal = [&](std::size_t at, int digits, unsigned long long value) {
      char text[32];
      std::snprintf(text, sizeof text, "%0*llo", digits, value);
      put(at, text);
    };
    put(0, std::string_view(member.name).substr(0, 100));
    octal(100, 7, member.mode);
    octal(108, 7, member.uid);
    octal(116, 7, member.gid);
    octal(124, 11, member.claimed_size != 0 ? member.claimed_size : member.contents.size());
    octal(136, 11, 1000000000);
    header[156] = member.type;
    put(157, std::string_view(member.link).substr(0, 100));
    put(257, std::string_view("ustar\00000", 8));
    octal(329, 7, member.major);
    octal(337, 7, member.minor);
    std::memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    octal(148, 6, sum);
    header[154] = '\0';
    stream_.append(header, sizeof header);
    stream_ += member.contents;
    stream_.append((512 - member.contents.size() % 512) % 512, '\0');
    return *this;
  }
  TarMaker& file(const std::string& name, const std::string& contents) {
    return add({.name = name, .contents = contents});
  }
  TarMaker& directory(const std::string& name) { return add({.name = name, .type = '5', .mode = 0755}); }
  TarMaker& symlink(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '2', .link = target});
  }
  TarMaker& hard_link(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '1', .link = target});
  }
  // A pax record for the next member.
  TarMaker& pax(const std::string& key, const std::string& value) {
    std::string record;
    std::size_t length = key.size() + value.size() + 3;
    do {
      record = std::to_string(++length) + " " + key + "=" + value + "\n";
    } while (record.size() != length);
    return add({.name = "pax", .type = 'x', .contents = record});
  }

  std::string open_stream() const { return stream_; }  // without the end marker
  std::string stream() const { return stream_ + std::string(1024, '\0'); }

 private:
  std::string stream_;
};

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  if (::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace hutch
