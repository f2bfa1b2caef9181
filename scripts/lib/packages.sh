# shellcheck shell=bash
# Sourced: what has to be installed on Debian 12 or 13, and ensure_packages, which installs what is missing.
# No package host is named here: apt's own configuration decides where packages come from.

# shellcheck disable=SC2034  # the lists are used by the scripts that source this file
{
  # Compiler, build system, and the libraries that the README names.
  HUTCH_BUILD_PACKAGES=(
    g++ cmake ninja-build pkg-config
    libarchive-dev libcap-dev libfmt-dev libpugixml-dev libseccomp-dev nlohmann-json3-dev
    # Static parts of libarchive's; crypt(3).
    libbz2-dev libcrypt-dev liblzma-dev libzstd-dev zlib1g-dev
  )

  # What a template is made with.
  HUTCH_TEMPLATE_PACKAGES=(busybox-static debian-archive-keyring mmdebstrap tar zstd)

  # What `pct` runs, and what the quickstart shows.
  HUTCH_RUN_PACKAGES=(e2fsprogs iproute2 iputils-ping openssh-client)

  # The test programs and what they call.
  HUTCH_TEST_PACKAGES=(
    libbenchmark-dev libgmock-dev libgtest-dev
    acl apparmor attr bzip2 gzip libcap2-bin procps util-linux xz-utils
  )

}

package_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# ensure_packages NAME...: installs the missing ones; asks no mirror when nothing is missing.
ensure_packages() {
  local package missing=()
  command -v apt-get >/dev/null || die "apt-get is not here: install by hand: $*"
  for package in "$@"; do
    package_installed "$package" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0

  need_root
  say "installing: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! apt-get -q -o APT::Update::Error-Mode=any update >"$log" 2>&1; then
    # A third party's broken source must not stop Debian's own packages: only warn, the install decides.
    say "warning: apt-get update did not succeed for every source: $(grep -m1 -E '^(E|W|Err)' "$log" || true)"
  fi
  if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "apt could not install: ${missing[*]}; check the network and apt's sources (/etc/apt), then run again"
  fi
  rm -f "$log"
}

# debian_uris LABEL: the repositories in apt's configuration whose signed Release file says Origin: Debian and
# this Label ("Debian", "Debian-Security"). Third parties' sources have another origin.
debian_uris() {
  # shellcheck disable=SC2016  # $(ORIGIN) and so on are apt's own placeholders
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' -v label="$1" '$1 == "Debian" && $2 == label && !seen[$3]++ { print $3 }'
}
