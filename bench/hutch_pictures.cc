// hutch-pictures RESULTS.json OUTDIR: the pictures of one run of the benchmark suite, as SVG files. What the
// run has no data for is not made, and said. Exit status 0, or 2 when the file cannot be read or drawn.

#include <fcntl.h>

#include <iostream>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "bench/picture_density.h"
#include "bench/picture_distribution.h"
#include "bench/picture_variants.h"
#include "bench/picture_waterfall.h"

namespace hutch::bench {
namespace {

struct PictureFile {
  const char* name;
  std::optional<std::string> (*draw)(const Results&);
  const char* needs;
};
constexpr PictureFile kPictures[] = {
    {"start-waterfall.svg", draw_start_waterfall, "trace of a start"},
    {"start-distribution.svg", draw_start_distribution, "series of group start, variant base"},
    {"density.svg", draw_density, "series of group density_start or density_list"},
    {"start-variants.svg", draw_start_variants, "series of group start, of the floor and of another tool"},
};

int run(int argc, char** argv) {
  if (argc != 3) throw Error("cannot draw", 0, "usage: hutch-pictures RESULTS.json OUTDIR");
  const Results results = read_results(argv[1]);
  const std::string directory = argv[2];
  make_directories(directory);
  for (const PictureFile& picture : kPictures) {
    const std::string path = directory + "/" + picture.name;
    const std::optional<std::string> svg = picture.draw(results);
    if (svg) {
      replace_file(AT_FDCWD, path, *svg, 0644);
      std::cout << path << '\n';
    } else {
      std::cout << picture.name << " is not made: '" << results.file << "' has no " << picture.needs
                << (path_exists(AT_FDCWD, path) ? "; the one there is of another run\n" : "\n");
    }
  }
  return 0;
}

}  // namespace
}  // namespace hutch::bench

int main(int argc, char** argv) {
  try {
    return hutch::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hutch-pictures: " << error.what() << '\n';
    return 2;
  }
}
