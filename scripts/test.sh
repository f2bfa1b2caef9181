#!/usr/bin/env bash
# Installs what the tests need, builds the presets release and asan, runs every test under both, runs the kernel
# tests of the release build in virtual machines with the kernels of Debian 12 and 13 too (docs/testing.md), and
# checks that nothing is left behind on the host.
#
#   sudo scripts/test.sh [--no-install] [--no-vm] [--all]      --all: also with the newest Debian kernel
#
# Ends with a line "N passed, N failed, N skipped"; exit status 0 only when nothing failed and nothing was
# left behind.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$HUTCH_TOP/scripts/lib/packages.sh"
# shellcheck source=scripts/lib/host_state.sh
. "$HUTCH_TOP/scripts/lib/host_state.sh"
# shellcheck source=scripts/lib/test_results.sh
. "$HUTCH_TOP/scripts/lib/test_results.sh"

SCRATCH='' PASSED=0 FAILED=0 SKIPPED=0
INSTALL=yes KERNELS=(6.1 6.12) USABLE=()
readonly MACHINE_DIED=125 # of tests/vm/run
# Each Debian with its own kernel.
declare -rA RELEASES=([6.1]=12 [6.12]=13 [sid]="12 13")
declare -A MACHINES=() DIED=()

# shellcheck disable=SC2317  # called by a trap
clean_up() {
  local kernel
  for kernel in "${!MACHINES[@]}"; do kill "${MACHINES[$kernel]}" 2>/dev/null || true; done
  [ -z "$SCRATCH" ] || rm -rf --one-file-system "$SCRATCH"
}

install_needs() {
  ensure_packages "${HUTCH_BUILD_PACKAGES[@]}" "${HUTCH_RUN_PACKAGES[@]}" "${HUTCH_TEMPLATE_PACKAGES[@]}" \
    "${HUTCH_TEST_PACKAGES[@]}"
}

# The job test needs templates; without a mirror it skips by itself and says so.
make_templates() {
  local release status
  for release in 12 13; do
    status=0
    "$HUTCH_TOP/scripts/make-template.sh" debian "$release" "$SCRATCH/debian-$release.tar.zst" || status=$?
    rm -f "$SCRATCH/debian-$release.tar.zst"
    case $status in
      0) ;;
      3) say "no Debian mirror: tests with a Debian $release container will be skipped" ;;
      *) die "could not make the Debian $release template (status $status)" ;;
    esac
  done
}

# The leak checker stops its own threads with ptrace, which a tracer or a Yama setting can forbid.
leak_detection() {
  local source=$SCRATCH/leak_probe.cc
  echo 'int main() {}' >"$source"
  if g++ -fsanitize=address -o "$SCRATCH/leak_probe" "$source" &&
    ASAN_OPTIONS=detect_leaks=1 "$SCRATCH/leak_probe" >/dev/null 2>&1; then
    echo 1
  else
    say "leak detection is off: it cannot attach to processes here"
    echo 0
  fi
}

# ctest_stage PRESET NAME OPTION...: runs ctest and leaves its JUnit report as SCRATCH/PRESET-NAME.xml.
ctest_stage() {
  local preset=$1 name=$2 status=0
  shift 2
  say "tests: $preset, $name"
  ctest --test-dir "$HUTCH_TOP/build/$preset" --output-on-failure --no-tests=ignore --timeout 300 \
    --output-junit "$SCRATCH/$preset-$name.xml" "$@" >"$SCRATCH/$preset-$name.log" 2>&1 || status=$?
  # One line per passed test would hide the others.
  grep -Ev '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' "$SCRATCH/$preset-$name.log" || true
  if [ ! -s "$SCRATCH/$preset-$name.xml" ]; then
    say "ctest did not finish (status $status)"
    FAILED=$((FAILED + 1))
    return
  fi
  junit_results "$SCRATCH/$preset-$name.xml" >"$SCRATCH/$preset-$name.results"
  count_results "$preset" "$SCRATCH/$preset-$name.results" "$status"
  failed_tests "$preset" "$SCRATCH/$preset-$name.log" >>"$SCRATCH/all-failures"
}

# count_results NAME RESULTS STATUS: adds a file of results to the counters; notes the skipped tests.
count_results() {
  local passed failed skipped
  read -r passed failed skipped <<<"$(result_counts "$2")"
  PASSED=$((PASSED + passed))
  SKIPPED=$((SKIPPED + skipped))
  # A status without a failed test (a test program that could not be found, say) is a failure too.
  [ "$3" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  FAILED=$((FAILED + failed))
  awk -F'\t' -v name="$1" '$2 == "skip" { print name ": " $1 ": " $3 }' "$2" >>"$SCRATCH/all-skips"
}

run_preset() {
  local preset=$1
  shift
  # Said explicitly: the quickstart configures build/release without tests and benchmarks.
  build_preset "$preset" -DBUILD_TESTING=ON "$@"
  ctest_stage "$preset" unit -LE kernel -j 2
  # Kernel tests share the host's bridges, cgroups and loop devices: one at a time.
  ctest_stage "$preset" kernel -L kernel -j 1
}

# start_machine KERNEL: the kernel tests of the release build in a machine, in the background.
start_machine() {
  local kernel=$1
  # shellcheck disable=SC2086  # a list of numbers
  "$HUTCH_TOP/tests/vm/run" --kernel "$kernel" "$HUTCH_TOP/tests/vm/kernel_tests.sh" "$HUTCH_TOP/build/release" \
    ${RELEASES[$kernel]} >"$SCRATCH/vm-$kernel.log" 2>"$SCRATCH/vm-$kernel.errors" &
  MACHINES[$kernel]=$!
}

# finish_machine KERNEL: waits for it, shows what is worth reading, counts.
finish_machine() {
  local kernel=$1 status=0 log=$SCRATCH/vm-$1.log
  wait "${MACHINES[$kernel]}" || status=$?
  unset "MACHINES[$kernel]"
  cat "$SCRATCH/vm-$kernel.errors" >&2
  if [ "$status" -eq "$MACHINE_DIED" ] && [ -z "${DIED[$kernel]:-}" ]; then
    begin_machine_anew "$kernel"
    return
  fi
  googletest_results "$log" >"$SCRATCH/vm-$kernel.results"
  [ "$status" -eq 0 ] || grep -Ev '^\[( +OK|----------| RUN     ) |^$' "$log" || true
  count_results "vm $kernel" "$SCRATCH/vm-$kernel.results" "$status"
  {
    failed_tests "vm $kernel" "$log"
    [ "$status" -eq 0 ] || sed "s/^/vm $kernel: /" "$SCRATCH/vm-$kernel.errors"
    [ "$status" -le 1 ] || echo "vm $kernel: ended with status $status"
  } >>"$SCRATCH/all-failures"
}

# begin_machine_anew KERNEL: an emulator that crashes, or a kernel that panics, says nothing of our tests, unless it does
# so again. It is told at the end all the same: a test may be what brings it about.
begin_machine_anew() {
  local kernel=$1 log=$SCRATCH/vm-$1.log
  DIED[$kernel]=yes
  {
    echo "vm $kernel: in $(sed -n 's/^\[ RUN      \] //p' "$log" | tail -n 1)"
    sed 's/^/    /' "$SCRATCH/vm-$kernel.errors"
  } >>"$SCRATCH/all-deaths"
  say "kernel $kernel: the tests begin anew in another machine"
  start_machine "$kernel"
  finish_machine "$kernel"
}

# prepare_machines KERNEL...: sets USABLE to the kernels that a machine can be had with.
prepare_machines() {
  local kernel status
  for kernel in "$@"; do
    status=0
    "$HUTCH_TOP/tests/vm/run" --kernel "$kernel" --prepare || status=$?
    case $status in
      0) USABLE+=("$kernel") ;;
      3)
        say "tests with kernel $kernel are skipped: no QEMU, or no Debian mirror to fetch it from"
        echo "vm $kernel: all tests: probe: no test machine can be had" >>"$SCRATCH/all-skips"
        SKIPPED=$((SKIPPED + 1))
        ;;
      *) die "could not set up the test machine with kernel $kernel (status $status)" ;;
    esac
  done
}

# The same tests with a unified cgroup tree, AppArmor, and other kernels; two machines at a time.
run_machines() {
  local kernel running=() started=$SECONDS
  prepare_machines "$@"
  [ "${#USABLE[@]}" -gt 0 ] || return 0
  say "tests: release, kernel, in virtual machines: ${USABLE[*]}"
  for kernel in "${USABLE[@]}"; do
    if [ "${#running[@]}" -eq 2 ]; then
      finish_machine "${running[0]}"
      running=("${running[@]:1}")
    fi
    start_machine "$kernel"
    running+=("$kernel")
  done
  for kernel in "${running[@]}"; do finish_machine "$kernel"; done
  say "the virtual machines took $((SECONDS - started)) s"
}

# Every kernel test whose result is not the same in all environments.
compare_environments() {
  local kernel results=("host=$SCRATCH/release-kernel.results")
  [ "${#USABLE[@]}" -gt 0 ] || return 0
  for kernel in "${USABLE[@]}"; do results+=("$kernel=$SCRATCH/vm-$kernel.results"); done
  echo "Kernel tests that differ by environment:"
  environment_table "${results[@]}"
}

# Network namespaces and the processes in them are taken down by the kernel in the background.
check_left_nothing() {
  local attempt
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    host_state "$SCRATCH/after"
    compare_host_state "$SCRATCH/before" "$SCRATCH/after" >/dev/null && break
    [ "$attempt" -eq 10 ] || sleep 0.5
  done
  if ! compare_host_state "$SCRATCH/before" "$SCRATCH/after"; then
    say "the tests left something behind or took something away"
    FAILED=$((FAILED + 1))
  else
    PASSED=$((PASSED + 1))
  fi
}

# tell TITLE FILE: nothing when there is nothing in it.
tell() {
  [ -s "$2" ] || return 0
  echo "$1:"
  sed 's/^/  /' "$2"
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --no-install) INSTALL=no ;;
      --no-vm) KERNELS=() ;;
      --all) KERNELS=(6.1 6.12 sid) ;;
      *) sed -n '6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
  done
}

main() {
  local started=$SECONDS
  parse "$@"
  need_root
  SCRATCH=$(mktemp -d /tmp/hutch-test-run.XXXXXX)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [ "$INSTALL" = no ] || install_needs
  make_templates
  host_state "$SCRATCH/before"

  run_preset release -DHUTCH_BENCH=ON
  [ "${#KERNELS[@]}" -eq 0 ] || run_machines "${KERNELS[@]}"
  ASAN_OPTIONS=detect_leaks=$(leak_detection):abort_on_error=0:strict_string_checks=1:detect_stack_use_after_return=1
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export ASAN_OPTIONS UBSAN_OPTIONS
  run_preset asan

  check_left_nothing
  compare_environments
  [ ! -e "$SCRATCH/all-skips" ] || sort -o "$SCRATCH/all-skips" "$SCRATCH/all-skips"
  tell Skipped "$SCRATCH/all-skips"
  tell "Machines that died, whose tests were begun anew" "$SCRATCH/all-deaths"
  # Once more, where nobody has to search for it.
  tell Failed "$SCRATCH/all-failures"
  echo "took $((SECONDS - started)) s"
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ "$FAILED" -eq 0 ]
}

main "$@"
