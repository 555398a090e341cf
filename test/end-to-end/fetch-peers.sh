#!/bin/sh
# fetch-peers - mail servers of Debian that cannot be installed beside Postfix: their files only, below build/peers
#
# Exim is the one that speaks TLS with GnuTLS. Libraries that are installed already are not fetched.
# Usage: test/end-to-end/fetch-peers.sh; needs apt-get with its lists up to date, and dpkg.
set -eu
peers=$(cd "$(dirname "$0")/../.." && pwd)/build/peers
[ -x "$peers/usr/sbin/exim4" ] && exit
packages=exim4-daemon-light
for library in libdb5.3 libevent-2.1-7 libgnutls-dane0 libidn12 libnsl2 libunbound8; do
  dpkg -s "$library" >/dev/null 2>&1 || packages="$packages $library"
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
# shellcheck disable=SC2086 -- a list of names
apt-get download $packages >/dev/null
mkdir -p "$peers"
for file in *.deb; do dpkg -x "$file" "$peers"; done
# nobody becomes root by what lies about in a build
find "$peers" -perm /6000 -exec chmod ug-s {} +
