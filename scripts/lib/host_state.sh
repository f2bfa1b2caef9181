# shellcheck shell=bash
# Sourced: host_state DIRECTORY writes lists of what a test could leave behind, one file per kind.

host_state() {
  mkdir -p "$1"
  # Field 5 is the mount point; ids and parents change without meaning. The separator ends optional fields.
  awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 1), $(i + 2) }' /proc/self/mountinfo | sort >"$1/mounts"
  # Only names that containers and tests use: what else runs on the host makes and removes groups of its own.
  # find fails for a group that goes away under it and for a directory that is not there; what it listed counts.
  {
    find /sys/fs/cgroup -type d \( -path '*/lxc*' -o -path '*hutch*' -o -path '*bench*' -o -path '*floor*' \) \
      2>/dev/null || true
  } | sort >"$1/cgroups"
  ip -o link show | sed -E 's/^[0-9]+: ([^:@]+)[:@].*/\1/' | sort >"$1/links"
  stat -c '%n %u %g %a %t %T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty >"$1/devices"
  # A device that is detached but not yet closed has no line here.
  losetup --noheadings --list --output BACK-FILE | sort >"$1/loop devices"
  # Names that Hutch's processes and its tests' containers have; arguments tell one run from another.
  ps -eo comm=,args= | awk '$1 ~ /^(pct|floor|ready|hutch)/' | sort >"$1/processes"
  {
    find /tmp /run /var/lib/lxc /run/lock/lxc -maxdepth 1 \( -iname '*hutch*' -o -iname '*pct*' \) \
      ! -path "${1%/*}*" ! -name 'hutch-test-run.*' 2>/dev/null || true
  } | sort >"$1/files"
}

# compare_host_state BEFORE AFTER: prints each difference; fails when there is one.
compare_host_state() {
  local kind status=0
  for kind in mounts cgroups links devices "loop devices" processes files; do
    if ! diff --unchanged-line-format= --old-line-format='gone: %L' --new-line-format='left behind: %L' \
      "$1/$kind" "$2/$kind" >"$2/difference"; then
      # A file or process that ended meanwhile was another run's.
      case $kind in processes | files) sed -i '/^gone: /d' "$2/difference" ;; esac
      [ -s "$2/difference" ] || continue
      sed "s/^/$kind: /" "$2/difference"
      status=1
    fi
  done
  return "$status"
}
