#include "guest/inittab.h"

#include <gtest/gtest.h>

namespace hutch::guest {
namespace {

std::string rewrite(const std::string& content, InittabStyle style, int ttys) {
  const auto once = rewrite_inittab(content, style, ttys);
  EXPECT_EQ(once, rewrite_inittab(once, style, ttys)) << "second run differs";
  return once;
}

TEST(Inittab, Sysvinit) {
  const std::string before =
      "id:2:initdefault:\n"
      "pf::powerwait:/etc/init.d/powerfail start\n"
      "pn::powerfailnow:/etc/init.d/powerfail now\n"
      "po::powerokwait:/etc/init.d/powerfail stop\n"
      "1:2345:respawn:/sbin/getty 38400 tty1\n"
      "6:23:respawn:/sbin/getty 38400 tty6\n"
      "#7:23:respawn:/sbin/getty 38400 tty7\n"
      "T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n"
      "9:23:respawn:/bin/other";
  EXPECT_EQ(
      "id:2:initdefault:\n"
      "#7:23:respawn:/sbin/getty 38400 tty7\n"
      "T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n"
      "9:23:respawn:/bin/other\n"
      "p0::powerfail:/sbin/init 0\n"
      "1:2345:respawn:/sbin/getty --noclear 38400 tty1\n"
      "2:23:respawn:/sbin/getty --noclear 38400 tty2\n",
      rewrite(before, InittabStyle::sysvinit, 2));
  EXPECT_EQ("p0::powerfail:/sbin/init 0\n1:2345:respawn:/sbin/getty -L 38400 tty1\n",
            rewrite("", InittabStyle::sysvinit_old, 1));
}

TEST(Inittab, BusyboxAndAgetty) {
  EXPECT_EQ("::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n",
            rewrite("::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n"
                    "tty2::respawn:/sbin/getty 38400 tty2\n",
                    InittabStyle::busybox, 1));
  EXPECT_EQ("x0::wait:/x\n",
            rewrite("x0::wait:/x\nc1:12345:respawn:/sbin/agetty 38400 tty1 linux\n2::respawn:/a/getty\n",
                    InittabStyle::agetty, 0));
  EXPECT_EQ("1::respawn:/sbin/agetty 38400 tty1\n", rewrite("", InittabStyle::agetty, 1));
}

}  // namespace
}  // namespace hutch::guest
