#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "base/process.h"
#include "tests/recipes/recipe.h"

// Every recipe of tests/recipes is started for real, with the program as users have it.
namespace hutch::testing {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(HUTCH_RECIPES)) {
    if (entry.path().extension() == ".conf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Recipes : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe: geteuid() is not 0";
    if (!fs::exists("/bin/busybox")) GTEST_SKIP() << "probe: /bin/busybox (busybox-static) is missing";
    char name[] = "/tmp/hutch-recipe.XXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(name));
    scratch_ = name;
    // The container's root, an unprivileged id, has to pass through to its rootfs.
    fs::permissions(scratch_, fs::perms{0711});
    ASSERT_EQ(0, ::setenv("HUTCH_ROOT", (scratch_ + "/host").c_str(), 1));
    recipe_ = read_recipe(formatted("{}/{}.conf", HUTCH_RECIPES, GetParam()),
                          {{"S", scratch_}, {"ID", id_}, {"LINK", link_}, {"PCT", HUTCH_PCT}});
    make_rootfs();
    write_config();
  }

  void TearDown() override {
    if (scratch_.empty()) return;
    run_program({HUTCH_PCT, "stop", id_});
    for (const char* end : {"0", "1"}) run_program({"ip", "link", "delete", link_ + end});
    fs::remove_all(scratch_);
    ::unsetenv("HUTCH_ROOT");
  }

  void make_rootfs() {
    const std::string rootfs = scratch_ + "/rootfs";
    for (const char* name :
         {"bin", "sbin", "proc", "sys", "dev", "etc", "tmp", "run", "root", "srv", "mnt", "lib", "opt"}) {
      fs::create_directories(rootfs + "/" + name);
    }
    fs::copy_file("/bin/busybox", rootfs + "/bin/busybox");
    fs::copy_file(HUTCH_RECIPE_TOOL, rootfs + "/bin/recipe_tool");
    run_checked({"chroot", rootfs, "/bin/busybox", "--install", "-s", "/bin"});
    write(rootfs + "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    // Ends at the signals that a container's init is told to end with.
    write(rootfs + "/sbin/init",
          "#!/bin/sh\ntrap 'exit 0' TERM PWR\nwhile :; do sleep 1000 & wait $!; done\n");
    fs::permissions(rootfs + "/sbin/init", fs::perms{0755});
  }

  void write_config() {
    std::string text = "hostname: recipe\nmemory: 128\nswap: 0\nostype: unmanaged\narch: amd64\nconsole: 0\n";
    if (!recipe_.sets("unprivileged")) text += "unprivileged: 1\n";
    // A directory that belongs to the host's root holds the container's ids.
    if (!recipe_.sets("rootfs") && !recipe_.sets("lxc.rootfs.path") && !recipe_.sets("lxc.rootfs"))
      text += formatted("rootfs: {}/rootfs\n", scratch_);
    char node[256] = {};
    ASSERT_EQ(0, ::gethostname(node, sizeof node - 1));
    const std::string name = std::string(node).substr(0, std::string(node).find('.'));
    const std::string directory = formatted("{}/host/etc/pve/nodes/{}/lxc", scratch_, name);
    fs::create_directories(directory);
    write(formatted("{}/{}.conf", directory, id_), text + recipe_.config);
  }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    ASSERT_TRUE(file.good()) << path;
  }

  std::string place(const RecipeCommand& command) const {
    return formatted("{}.conf:{}: {}: {}", GetParam(), command.line, command.kind, command.text);
  }

  void run_on_host(const std::string& kind) {
    for (const auto& command : recipe_.of(kind)) {
      const auto result = run_program({"sh", "-ec", command.text});
      EXPECT_TRUE(result.succeeded()) << place(command) << "\n" << result.out << result.err;
    }
  }

  void check_inside() {
    for (const auto& command : recipe_.of("check")) {
      const auto result = run_program({HUTCH_PCT, "exec", id_, "--", "/bin/sh", "-ec", command.text});
      EXPECT_TRUE(result.succeeded()) << place(command) << "\n" << result.out << result.err;
    }
  }

  void end() {
    if (recipe_.of("end").empty()) {
      const auto stopped = run_program({HUTCH_PCT, "stop", id_});
      EXPECT_TRUE(stopped.succeeded()) << stopped.out << stopped.err;
      return;
    }
    run_on_host("end");
  }

  std::string scratch_;
  const std::string id_ = std::to_string(600000000 + ::getpid() % 1000000);
  const std::string link_ = "hr" + std::to_string(::getpid() % 1000000) + "l";
  Recipe recipe_;
};

TEST_P(Recipes, StartsAndDoesWhatItIsFor) {
  for (const auto& command : recipe_.of("probe")) {
    if (!run_program({"sh", "-c", command.text}).succeeded()) GTEST_SKIP() << "probe: " << command.text;
  }
  run_on_host("host");
  const auto started = run_program({HUTCH_PCT, "start", id_});
  ASSERT_TRUE(started.succeeded()) << started.out << started.err;
  check_inside();
  run_on_host("host-check");
  end();
  run_on_host("after");
  EXPECT_FALSE(fs::exists(formatted("{}/host/run/hutch/{}", scratch_, id_)));
}

std::string case_name(const ::testing::TestParamInfo<std::string>& recipe) {
  std::string name = recipe.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Recipes, ::testing::ValuesIn(recipe_names()), case_name);

}  // namespace
}  // namespace hutch::testing
