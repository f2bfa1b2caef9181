#!/usr/bin/env bash
# Installs what the tests need, builds the presets release and asan, runs every test under both, and checks
# that nothing is left behind on the host.
#
#   sudo scripts/test.sh [--no-install]
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

SCRATCH='' PASSED=0 FAILED=0 SKIPPED=0

remove_scratch() { [ -z "$SCRATCH" ] || rm -rf --one-file-system "$SCRATCH"; }

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
  count_results "$preset" "$SCRATCH/$preset-$name.xml" "$status"
}

# count_results PRESET REPORT STATUS: adds to the counters; notes the skipped tests with their reasons.
count_results() {
  local counts passed failed skipped
  counts=$(report_counts "$2")
  read -r passed failed skipped <<<"$counts"
  PASSED=$((PASSED + passed))
  SKIPPED=$((SKIPPED + skipped))
  # A status without a failed test (a test program that could not be found, say) is a failure too.
  [ "$3" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  FAILED=$((FAILED + failed))
  sed -n "s/^SKIPPED /$1: /p" "$SCRATCH/skips" >>"$SCRATCH/all-skips"
}

# report_counts REPORT: prints "passed failed skipped"; writes "SKIPPED test: reason" lines to SCRATCH/skips.
# A testcase element of ctest carries status="run", "fail", "notrun" or "disabled". Only a test that skipped
# itself counts as skipped: "notrun" is also what a test program that does not exist gets, and that fails.
report_counts() {
  awk -v skips="$SCRATCH/skips" '
    function value(name) {
      return match($0, name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3) : ""
    }
    function plain(text) {
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&amp;/, "\\&", text)
      return text
    }
    function finish() {
      if (test == "") return
      if (status == "run") passed++
      else if (status == "disabled" || (status == "notrun" && own_skip)) {
        skipped++
        if (status == "disabled") reason = "disabled"
        print "SKIPPED " test ": " (reason == "" ? "no reason given" : plain(reason)) > skips
      } else failed++
      test = ""
    }
    BEGIN { passed = failed = skipped = 0; printf "" > skips }
    /<testcase / { finish(); test = value("name"); status = value("status"); reason = ""; own_skip = 0 }
    /<skipped message="SKIP_/ { own_skip = 1 }
    /probe: / && reason == "" { reason = substr($0, index($0, "probe: ")); sub(/<.*/, "", reason) }
    END { finish(); print passed, failed, skipped }' "$1"
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

main() {
  local install=yes started=$SECONDS
  case ${1:-} in
    '') ;;
    --no-install) install=no ;;
    *) sed -n '5,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  need_root
  SCRATCH=$(mktemp -d /tmp/hutch-test-run.XXXXXX)
  trap remove_scratch EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [ "$install" = no ] || install_needs
  make_templates
  host_state "$SCRATCH/before"

  run_preset release -DHUTCH_BENCH=ON
  ASAN_OPTIONS=detect_leaks=$(leak_detection):abort_on_error=0:strict_string_checks=1:detect_stack_use_after_return=1
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export ASAN_OPTIONS UBSAN_OPTIONS
  run_preset asan

  # Network namespaces and the processes in them are taken down by the kernel in the background.
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

  if [ -s "$SCRATCH/all-skips" ]; then
    echo "Skipped:"
    sort "$SCRATCH/all-skips" | sed 's/^/  /'
  fi
  echo "took $((SECONDS - started)) s"
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ "$FAILED" -eq 0 ]
}

main "$@"
