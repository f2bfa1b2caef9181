#!/usr/bin/env bash
# The waiter runs after everything but its own section has been unmapped: the section may refer to nothing
# outside of it, so its code has no relocations, and it never returns. Usage: waiter_code.sh LIBRARY
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && ar x "$(realpath "$1")" waiter.cc.o)
code=$(objdump --disassemble --reloc --section=hutch_waiter "$scratch/waiter.cc.o")
grep -qE '\bsyscall|\bsvc' <<<"$code" || { echo "no code of the waiter in $1" >&2; exit 1; }
bad=$(grep -E '\bR_[A-Z0-9]+_|\bcall|\bret|\bblr?\b' <<<"$code" || true)
[ -z "$bad" ] || { printf 'the waiter leaves its section:\n%s\n' "$bad" >&2; exit 1; }
size=$(objdump --section-headers "$scratch/waiter.cc.o" | awk '$2 == "hutch_waiter" { print $3 }')
echo "$((16#$size)) bytes"
[ $((16#$size)) -le 4096 ] || { echo 'the waiter is larger than a page' >&2; exit 1; }
