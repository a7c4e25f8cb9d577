#!/usr/bin/env bash
# Installs the Debian packages named as arguments where that is possible, else says the one line to run.
# Under CI=true a package that cannot be had is a failure; elsewhere the tests that need it are skipped by name.
set -u
missing=()
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
echo "Tests need programs of the system. Run: sudo apt-get install ${missing[*]}"
[ "${CI:-}" = true ] && exit 1
exit 0
