# shellcheck shell=bash
# Sourced by tests/vm/run: fetches QEMU, the helper programs and kernels as Debian packages, unpacks them in the
# cache, and makes what the emulator boots. Nothing is installed; the only source is the Debian mirror that apt is
# configured with. Expects common.sh and packages.sh of scripts/lib.

VM_CACHE=$(dirname "${HUTCH_CACHE:-/var/cache/hutch-templates}")/hutch-vm
readonly VM_CACHE VM_UNAVAILABLE=3
# Loaded before the root can be mounted, in modprobe's words.
readonly VM_BOOT_MODULES="virtio_pci virtio_console 9pnet_virtio 9p overlay virtio_blk ext4 quota_v2"

vm_unavailable() {
  say "no test machine: $1"
  exit "$VM_UNAVAILABLE"
}

host_suite() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# The suite whose newest kernel is meant.
kernel_suite() {
  case $1 in
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    sid) echo sid ;;
    *) die "kernel '$1' is not known: say 6.1, 6.12 or sid" 2 ;;
  esac
}

# private_apt ROOT TOOL WORD...: apt-get or apt-cache with lists and sources of its own below ROOT.
private_apt() {
  local root=$1 tool=$2
  shift 2
  "$tool" -q -o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$root/lists" -o Dir::Cache="$root/cache" -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o APT::Update::Post-Invoke-Success::= -o APT::Update::Error-Mode=any \
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

# apt_root ROOT SUITE...: sources and lists of these suites.
apt_root() {
  local root=$1 uri suite
  shift
  if [ -z "$(debian_uris Debian)" ]; then apt-get -q update >/dev/null 2>&1 || true; fi
  uri=$(debian_uris Debian | sed -n 1p)
  [ -n "$uri" ] || vm_unavailable "apt's configuration names no Debian mirror"
  rm -rf "$root"
  mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
  for suite in "$@"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
  done >"$root/sources.list"
  if ! private_apt "$root" apt-get update >"$root/log" 2>&1; then
    vm_unavailable "the Debian mirror does not give the package lists of '$*': $(grep -m1 -E '^(E|Err|W)' "$root/log")"
  fi
}

# unpack ROOT TARGET PACKAGE...: downloads packages and unpacks them into TARGET.
unpack() {
  local root=$1 target=$2 package
  shift 2
  rm -rf "$root/debs" && mkdir -p "$root/debs" "$target"
  if ! (cd "$root/debs" && private_apt "$root" apt-get download "$@" >"$root/log" 2>&1); then
    vm_unavailable "cannot download $*: $(grep -m1 -E '^(E|Err)' "$root/log")"
  fi
  for package in "$root"/debs/*.deb; do dpkg-deb -x "$package" "$target"; done
  rm -rf "$root/debs"
}

# The emulator and what it is linked with, cpio and kmod: whatever of it the host does not have. Debian 12's own
# QEMU crashes kernels from 6.12 on; its backport does not.
setup_tools() {
  local suite wanted root=$SCRATCH/apt-tools suites packages
  suite=$(host_suite)
  wanted=$suite
  [ "$suite" != bookworm ] || wanted=bookworm-backports
  [ ! -s "$VM_CACHE/tools/.suite" ] || [ "$(cat "$VM_CACHE/tools/.suite")" != "$wanted" ] || return 0
  say "fetching QEMU and helper programs from $wanted (kept in $VM_CACHE)"
  suites=("$suite")
  [ "$wanted" = "$suite" ] || suites+=("$wanted")
  apt_root "$root" "${suites[@]}"
  # A simulated installation knows which libraries are missing here, without changing anything.
  packages=$(private_apt "$root" apt-get -s --no-install-recommends -t "$wanted" install qemu-system-x86 seabios |
    awk '$1 == "Inst" { print $2 }') || vm_unavailable "$wanted cannot give qemu-system-x86"
  packages+=" qemu-system-x86 qemu-system-common qemu-system-data seabios cpio kmod libkmod2"
  # shellcheck disable=SC2086  # names without blanks
  unpack "$root" "$SCRATCH/tools" -t "$wanted" $packages
  [ -x "$SCRATCH/tools/usr/bin/qemu-system-x86_64" ] || die "the packages hold no qemu-system-x86_64"
  echo "$wanted" >"$SCRATCH/tools/.suite"
  rm -rf "$VM_CACHE/tools"
  mv "$SCRATCH/tools" "$VM_CACHE/tools"
}

# with_tools PROGRAM WORD...: runs a program with the libraries of the unpacked packages.
with_tools() {
  local tools=$VM_CACHE/tools triplet
  triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
  LD_LIBRARY_PATH=$tools/usr/lib/$triplet:$tools/lib/$triplet "$@"
}

# kmod_as NAME WORD...: kmod looks at its name for what to do.
kmod_as() {
  local name=$1
  shift
  ln -sfn "$VM_CACHE/tools/bin/kmod" "$SCRATCH/$name"
  with_tools "$SCRATCH/$name" "$@"
}

# number IMAGE OFFSET BYTES: a little-endian number in a file.
number() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# The kernel unpacked on the host saves the machine up to two seconds. Offsets: Documentation/arch/x86/boot.rst.
unpack_kernel() {
  local image=$1 target=$2 setup_sectors offset length tool
  setup_sectors=$(number "$image" $((0x1f1)) 1)
  offset=$(((setup_sectors + 1) * 512 + $(number "$image" $((0x248)) 4)))
  length=$(number "$image" $((0x24c)) 4)
  case $(od -An -tx1 -j "$offset" -N 4 "$image" | tr -d ' ') in
    28b52ffd) tool="zstd -dc" ;;
    fd377a58) tool="xz -dc" ;;
    1f8b*) tool="gzip -dc" ;;
    *) die "$image is compressed in a way that this script does not know" ;;
  esac
  # The last four bytes are the unpacked size, which is not part of the stream.
  # shellcheck disable=SC2086  # a command with its option
  dd if="$image" iflag=skip_bytes,count_bytes skip="$offset" count="$((length - 4))" bs=1M status=none | $tool >"$target"
}

setup_kernel() {
  local kernel=$1 suite root=$SCRATCH/apt-kernel unpacked=$SCRATCH/unpacked made=$SCRATCH/kernel image version source
  local packages
  suite=$(kernel_suite "$kernel")
  [ ! -s "$VM_CACHE/$kernel/version" ] || return 0
  say "fetching the kernel of Debian $suite (kept in $VM_CACHE)"
  apt_root "$root" "$suite"
  image=$(private_apt "$root" apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | sed -n 1p)
  [ -n "$image" ] || vm_unavailable "$suite has no package linux-image-amd64"
  # Newer ones are split: the image package only depends on its parts.
  packages=$(private_apt "$root" apt-cache depends "$image" |
    sed -n 's/.*Depends: \(linux-\(binary\|modules\|base\)-[0-9][^ ]*\).*/\1/p' | sort -u)
  # shellcheck disable=SC2086  # names without blanks
  unpack "$root" "$unpacked" "$image" $packages
  source=$(dirname "$(find "$unpacked" -name modules.order -print -quit)")
  version=${source##*/}
  mkdir -p "$made/lib/modules/$version"
  mv "$source/kernel" "$source"/modules.builtin* "$source/modules.order" "$made/lib/modules/$version/"
  find "$made/lib" -name '*.ko.xz' -print0 | xargs -0 -r -n 100 -P 2 xz -d
  find "$made/lib" -name '*.ko.zst' -print0 | xargs -0 -r -n 100 -P 2 zstd -q -d --rm
  kmod_as depmod -b "$made" "$version"
  unpack_kernel "$(find "$unpacked" \( -name 'vmlinuz-*' -o -name vmlinuz \) -type f -print -quit)" "$made/vmlinux"
  boot_modules "$made" "$version"
  echo "$version" >"$made/version"
  rm -rf "${VM_CACHE:?}/$kernel"
  mv "$made" "$VM_CACHE/$kernel"
}

# The part of the initramfs that belongs to the kernel: the modules that the root needs, and a console.
boot_modules() {
  local made=$1 version=$2 tree=$SCRATCH/boot-modules module file
  mkdir -p "$tree/modules" "$tree/dev"
  mknod "$tree/dev/console" c 5 1
  for module in $VM_BOOT_MODULES; do
    kmod_as modprobe -d "$made" -S "$version" -D "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$SCRATCH/boot-order"
  while read -r file; do
    cp "$file" "$tree/modules/"
    echo "${file##*/}"
  done <"$SCRATCH/boot-order" >"$tree/modules/order"
  [ -s "$tree/modules/order" ] || die "no boot modules found for kernel $version"
  archive_tree "$tree" "$made/modules.cpio"
}

archive_tree() { (cd "$1" && find . | with_tools "$VM_CACHE/tools/bin/cpio" -o -H newc --quiet) >"$2"; }

# init.cpio, made again when its source changed. The kernel unpacks archives that follow one another.
setup_init() {
  local source=$HUTCH_TOP/tests/vm/init.c tree=$SCRATCH/init-tree sum
  sum=$(sha256sum <"$source" | cut -c1-16)
  INIT_ARCHIVE=$VM_CACHE/init-$sum.cpio
  [ ! -s "$INIT_ARCHIVE" ] || return 0
  mkdir -p "$tree"
  gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -o "$tree/init" "$source" || die "cannot compile $source"
  archive_tree "$tree" "$SCRATCH/init.cpio"
  rm -f "$VM_CACHE"/init-*.cpio
  mv "$SCRATCH/init.cpio" "$INIT_ARCHIVE"
}

# setup_machine KERNEL: everything that a run needs. Several runs may ask at once.
setup_machine() {
  [ "$(uname -m)" = x86_64 ] || vm_unavailable "this host is not x86-64"
  mkdir -p "$VM_CACHE"
  exec 9>"$VM_CACHE/.lock"
  flock 9
  setup_tools
  setup_kernel "$1"
  setup_init
  exec 9>&-
}
