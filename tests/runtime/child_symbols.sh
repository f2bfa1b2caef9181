#!/usr/bin/env bash
# The child interpreter may call into libc only for what is listed here: it runs between clone3 and exec, where
# nothing that allocates, locks or keeps state is safe. Usage: child_symbols.sh LIBRARY
set -euo pipefail
allowed='^(syscall|__errno_location|strlen|memset|memcpy|memmove|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'
undefined=$(nm --undefined-only "$1" 2>/dev/null | awk '
  /^child_interpreter\.cc\.o:$/ { ours = 1; next }
  /\.o:$/ { ours = 0 }
  ours && NF >= 2 { print $NF }')
[ -n "$undefined" ] || { echo "no symbols of child_interpreter.cc.o in $1" >&2; exit 1; }
bad=$(grep -vE "$allowed" <<<"$undefined" || true)
[ -z "$bad" ] || { printf 'the child interpreter uses symbols that it may not:\n%s\n' "$bad" >&2; exit 1; }
echo "symbols: $(tr '\n' ' ' <<<"$undefined")"
