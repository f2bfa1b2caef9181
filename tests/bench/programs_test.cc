#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "base/process.h"

// hutch-pictures and hutch-compare as they are called: arguments, files, exit status.
namespace hutch::bench {
namespace {

using testing::HasSubstr;

const std::string kExample = "tests/bench/pictures/results.json";

class Programs : public testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/hutch-pictures-test.XXXXXX";
    if (mkdtemp(directory) == nullptr) throw_errno("cannot make a scratch directory");
    directory_ = directory;
  }
  void TearDown() override { remove_tree(AT_FDCWD, directory_); }

  // A run of the floor and pct in which pct's start takes `pct` milliseconds.
  std::string run_file(const std::string& name, double pct) const {
    const auto series = [](const std::string& tool, double middle) {
      return formatted(
          R"({{"group": "start", "variant": "base", "tool": "{}", "unit": "ms", "leaves_out": "", "samples": [{}, {}, {}, {}, {}, {}]}})",
          tool, middle, middle * 1.01, middle * 0.99, middle * 1.02, middle * 0.98, middle);
    };
    const std::string path = directory_ + "/" + name;
    replace_file(
        AT_FDCWD, path,
        formatted(R"({{"host": {{"kernel": "6.18", "cpus": 2, "cgroups": "hybrid", "date": "", "pct": ""}},
                               "plan": "", "series": [{}, {}]}})",
                  series("floor", 2), series("pct", pct)),
        0644);
    return path;
  }

  static int status(const ProgramResult& result) {
    return WIFEXITED(result.status) ? WEXITSTATUS(result.status) : -1;
  }

  std::string directory_;
};

TEST_F(Programs, PicturesAreWrittenAsFiles) {
  const auto result = run_program({HUTCH_PICTURES, kExample, directory_ + "/new/pictures"});
  EXPECT_EQ(status(result), 0) << result.err;
  for (const char* name :
       {"start-waterfall.svg", "start-distribution.svg", "density.svg", "start-variants.svg"}) {
    EXPECT_EQ(read_file(AT_FDCWD, directory_ + "/new/pictures/" + name),
              read_file(AT_FDCWD, std::string("tests/bench/pictures/") + name));
    EXPECT_THAT(result.out, HasSubstr("/new/pictures/" + std::string(name) + "\n"));
  }
}

TEST_F(Programs, PicturesWithoutDataAreNamed) {
  const auto result = run_program({HUTCH_PICTURES, run_file("run.json", 2), directory_});
  EXPECT_EQ(status(result), 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("start-waterfall.svg is not made: "));
  EXPECT_THAT(result.out, HasSubstr("has no trace of a start\n"));
  EXPECT_THAT(result.out, HasSubstr("density.svg is not made: "));
  EXPECT_FALSE(path_exists(AT_FDCWD, directory_ + "/density.svg"));
  EXPECT_TRUE(path_exists(AT_FDCWD, directory_ + "/start-distribution.svg"));
}

TEST_F(Programs, AnOldPictureIsNotTakenForANewOne) {
  replace_file(AT_FDCWD, directory_ + "/density.svg", "old", 0644);
  const auto result = run_program({HUTCH_PICTURES, run_file("run.json", 2), directory_});
  EXPECT_THAT(result.out, HasSubstr("density_list; the one there is of another run\n"));
}

TEST_F(Programs, PicturesOfAFileThatIsNoneFail) {
  const auto result = run_program({HUTCH_PICTURES, "/dev/null", directory_});
  EXPECT_EQ(status(result), 2);
  EXPECT_THAT(result.err, HasSubstr("hutch-pictures: cannot read '/dev/null' as JSON"));
  EXPECT_EQ(status(run_program({HUTCH_PICTURES, kExample})), 2);
}

TEST_F(Programs, CompareTellsByItsStatus) {
  const std::string older = run_file("old.json", 2);
  const std::string newer = run_file("new.json", 2.6);
  const auto worse = run_program({HUTCH_COMPARE, older, newer});
  EXPECT_EQ(status(worse), 1) << worse.err;
  EXPECT_THAT(worse.out, HasSubstr("failed: start of pct, variant base: 1.300 times worse to floor"));
  EXPECT_EQ(status(run_program({HUTCH_COMPARE, older, newer, "--bound", "1.4"})), 0);
  EXPECT_EQ(status(run_program({HUTCH_COMPARE, "--tool", "pct", older, older})), 0);
  EXPECT_EQ(status(run_program({HUTCH_COMPARE, newer, older})), 0);
}

TEST_F(Programs, CompareRefusesWhatItCannotCompare) {
  const std::string file = run_file("run.json", 2);
  const std::vector<std::vector<std::string>> wrong = {{HUTCH_COMPARE, file},
                                                       {HUTCH_COMPARE, file, file, file},
                                                       {HUTCH_COMPARE, file, file, "--bound"},
                                                       {HUTCH_COMPARE, file, file, "--bound", "0.9"},
                                                       {HUTCH_COMPARE, file, file, "--bound", "15%"},
                                                       {HUTCH_COMPARE, file, file, "--bounds", "2"},
                                                       {HUTCH_COMPARE, file, file, "--tool", "nothing"},
                                                       {HUTCH_COMPARE, file, file, "--tool", "floor"},
                                                       {HUTCH_COMPARE, file, directory_ + "/missing.json"}};
  for (const auto& argv : wrong) {
    const auto result = run_program(argv);
    EXPECT_EQ(status(result), 2) << argv.back();
    EXPECT_THAT(result.err, HasSubstr("hutch-compare: cannot ")) << argv.back();
  }
}

}  // namespace
}  // namespace hutch::bench
