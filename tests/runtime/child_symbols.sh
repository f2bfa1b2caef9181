#!/usr/bin/env bash
# The child interpreter and the supervisor's first half may call into libc only for what is listed here: they run in the
# memory of another process, where nothing that allocates, locks or keeps state (errno!) is safe.
# Usage: child_symbols.sh LIBRARY
set -euo pipefail
allowed='^(strlen|memset|memcpy|memmove|_GLOBAL_OFFSET_TABLE_|_ZN5hutch(9run_child|14run_child_hook|13become_waiter|9make_tree).*)$'
undefined=$(nm --undefined-only "$1" 2>/dev/null | awk '
  /^(child_hook|child_interpreter|supervisor_process|tree_orders)\.cc\.o:$/ { ours = 1; next }
  /\.o:$/ { ours = 0 }
  ours && NF >= 2 { print $NF }')
[ -n "$undefined" ] || { echo "no symbols of child_hook.cc.o, child_interpreter.cc.o, supervisor_process.cc.o and tree_orders.cc.o in $1" >&2; exit 1; }
bad=$(grep -vE "$allowed" <<<"$undefined" || true)
[ -z "$bad" ] || { printf 'the child interpreter or the supervisor uses symbols that it may not:\n%s\n' "$bad" >&2; exit 1; }
echo "symbols: $(tr '\n' ' ' <<<"$undefined")"
