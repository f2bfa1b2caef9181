# shellcheck shell=bash
# Sourced by test.sh: test reports as lines "test<TAB>pass|fail|skip<TAB>reason", and what is made of them.

# junit_results REPORT: from ctest --output-junit. A testcase carries status="run", "fail", "notrun" or "disabled".
# Only a test that skipped itself counts as skipped: "notrun" is also what a test program that does not exist gets,
# and that fails.
junit_results() {
  awk '
    function value(name) {
      return match($0, name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3) : ""
    }
    function plain(text) {
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&amp;/, "\\&", text)
      return text
    }
    function finish() {
      if (test == "") return
      result = "fail"
      if (status == "run") result = "pass"
      else if (status == "disabled") { result = "skip"; reason = "disabled" }
      else if (status == "notrun" && own_skip) result = "skip"
      if (result == "skip" && reason == "") reason = "no reason given"
      print test "\t" result "\t" (result == "skip" ? plain(reason) : "")
      test = ""
    }
    /<testcase / { finish(); test = value("name"); status = value("status"); reason = ""; own_skip = 0 }
    /<skipped message="SKIP_/ { own_skip = 1 }
    /probe: / && reason == "" { reason = substr($0, index($0, "probe: ")); sub(/<.*/, "", reason) }
    END { finish() }' "$1"
}

# googletest_results LOG: from the output of test programs, one after the other. A test that began and did not end
# failed.
googletest_results() {
  awk '
    function finish(result) {
      if (result == "skip" && reason == "") reason = "no reason given"
      print test "\t" result "\t" (result == "skip" ? reason : "")
      test = ""
    }
    # "[  FAILED  ] Suite.Test (3 ms)"; summaries at the end of a program repeat the name without a time, or with
    # ", where GetParam() = ..." before it.
    function named() { name = substr($0, 14); sub(/,? (where|\().*/, "", name); return name }
    /^\[ RUN      \] / { if (test != "") finish("fail"); test = substr($0, 14); reason = "" }
    test != "" && /probe: / && reason == "" { reason = substr($0, index($0, "probe: ")) }
    test != "" && /^\[       OK \] / && named() == test { finish("pass") }
    test != "" && /^\[  SKIPPED \] / && named() == test { finish("skip") }
    test != "" && /^\[  FAILED  \] / && named() == test { finish("fail") }
    /^\[  FAILED  \] .*\(ended with status / { if (test != "") finish("fail"); test = named(); finish("fail") }
    END { if (test != "") finish("fail") }' "$1"
}

# failed_tests NAME LOG: what each failed test printed, 60 lines at most, from the output of ctest --output-on-failure
# or of test programs. A test that began and did not end failed.
failed_tests() {
  awk -v name="$1" '
    function show(title, begin) {
      print name ": " title
      begin = lines > 60 ? lines - 60 : 0
      while (begin < lines) print "    " line[begin++]
    }
    /^\[ RUN      \] / { begun = substr($0, 14); lines = 0 }
    /^\[ ( +OK| SKIPPED| FAILED ) / { begun = "" }
    / Test +#[0-9]+: / || /^ *Start +[0-9]+: / || /^[0-9]+% tests passed/ {
      if (by_ctest != "") show(by_ctest)
      by_ctest = begun = ""
      lines = 0
    }
    / Test +#[0-9]+: .*(\*\*\*|Not Run)/ && !/\*\*\*Skipped/ { by_ctest = $4; next }
    /^\[  FAILED  \] .*( ms\)|status [0-9]+\))$/ && by_ctest == "" { show($4); lines = 0; next }
    { line[lines++] = $0 }
    END { if (by_ctest != "" || begun != "") show(by_ctest != "" ? by_ctest : begun " (did not end)") }' "$2"
}

# result_counts RESULTS: prints "passed failed skipped".
result_counts() {
  awk -F'\t' '{ count[$2]++ } END { print count["pass"] + 0, count["fail"] + 0, count["skip"] + 0 }' "$1"
}

# environment_table NAME=RESULTS...: the tests whose results are not the same wherever they ran, with the reasons.
environment_table() {
  local argument
  for argument in "$@"; do
    [ ! -f "${argument#*=}" ] || sed "s/^/${argument%%=*}\t/" "${argument#*=}"
  done | awk -F'\t' -v names="$(printf '%s ' "${@%%=*}")" '
    BEGIN { columns = split(names, column, " ") }
    { if (!($2 in seen)) { seen[$2] = 1; order[++tests] = $2 }
      result[$2, $1] = $3
      if ($4 != "" && index(reasons[$2], $4) == 0) reasons[$2] = reasons[$2] (reasons[$2] == "" ? "" : "; ") $1 ": " $4 }
    END {
      line = sprintf("  %-72s", "test")
      for (i = 1; i <= columns; i++) line = line sprintf("%-6s", column[i])
      print line "reason"
      for (t = 1; t <= tests; t++) {
        test = order[t]; differs = 0; first = ""
        for (i = 1; i <= columns; i++) {
          here = result[test, column[i]]
          if (first == "") first = here
          if (here != "" && here != first) differs = 1
        }
        if (!differs) continue
        line = sprintf("  %-72s", test)
        for (i = 1; i <= columns; i++) line = line sprintf("%-6s", result[test, column[i]] == "" ? "-" : result[test, column[i]])
        print line reasons[test]
        shown++
      }
      if (!shown) print "  none"
    }'
}
