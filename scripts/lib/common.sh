# shellcheck shell=bash
# Sourced by every script here: messages, the project's top folder, the number of jobs.

HUTCH_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export HUTCH_TOP

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die MESSAGE [STATUS]
die() {
  say "error: $1"
  exit "${2:-1}"
}

need_root() { [ "$(id -u)" -eq 0 ] || die "needs root: run it with sudo"; }

# One compiler takes up to 1.5 GB: no more jobs than cores, nor than memory allows.
build_jobs() {
  local cores memory_kib jobs
  cores=$(nproc)
  memory_kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  jobs=$((memory_kib / 1500000))
  [ "$jobs" -ge 1 ] || jobs=1
  [ "$jobs" -le "$cores" ] || jobs=$cores
  echo "$jobs"
}

# build_preset NAME [OPTION...]: configures (with the CMake options) and builds build/NAME, with ccache where
# it is installed.
build_preset() {
  local preset=$1 launcher=()
  shift
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  fi
  (cd "$HUTCH_TOP" && cmake --preset "$preset" "${launcher[@]}" "$@" >&2 &&
    cmake --build --preset "$preset" -j "$(build_jobs)" >&2)
}
