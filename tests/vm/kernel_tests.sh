#!/usr/bin/env bash
# Inside a test machine: every test with the label `kernel` of a build, each program once (starting one process for
# each case, as ctest does, costs more than the cases under emulation). Output as GoogleTest's, for the job tests too.
#
#   kernel_tests.sh BUILD-DIRECTORY DEBIAN-RELEASE...      which Debian systems the main job is run with
#
# Exit status 0 when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 125
BUILD=${1:?kernel_tests.sh BUILD-DIRECTORY DEBIAN-RELEASE...}
shift
FAILED=no

run_program_tests() {
  local program=$1 status=0
  "$program" --gtest_color=no --gtest_brief=0 2>&1 || status=$?
  [ "$status" -eq 0 ] && return
  FAILED=yes
  # GoogleTest ends with 1 after failed cases; everything else is a death that its lines do not tell.
  [ "$status" -eq 1 ] || printf '[  FAILED  ] %s (ended with status %d)\n' "${program##*/}" "$status"
}

run_job_test() {
  local name=job.debian$1 status=0
  printf '[ RUN      ] %s\n' "$name"
  tests/kernel/job_test.sh "$BUILD/cli/pct" "$1" 2>&1 || status=$?
  case $status in
    0) printf '[       OK ] %s (%d ms)\n' "$name" 0 ;;
    77) printf '[  SKIPPED ] %s (%d ms)\n' "$name" 0 ;;
    *)
      printf '[  FAILED  ] %s (%d ms)\n' "$name" 0
      FAILED=yes
      ;;
  esac
}

for program in "$BUILD"/tests/*/*_kernel_test; do
  run_program_tests "$program"
done
for release in "$@"; do
  run_job_test "$release"
done
[ "$FAILED" = no ]
