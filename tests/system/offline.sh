#!/usr/bin/env bash
# Runs the command in a network of its own that has a way out, a name server, and nobody at the other end:
# whatever tries to leave is counted. Prints "packets that left: N" last. Needs util-linux and iproute2.
set -eu
if [ "${1:-}" != --inside ]; then
  exec unshare --map-root-user --net --mount bash "$0" --inside "$@"
fi
shift
ip link set lo up
ip link add way-out type veth peer name nobody
for end in way-out nobody; do echo 1 >"/proc/sys/net/ipv6/conf/$end/disable_ipv6" 2>/dev/null || true; done
ip link set nobody up
ip address add 192.0.2.2/24 dev way-out
ip link set way-out up
ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev way-out
ip route add default via 192.0.2.1
resolver=$(mktemp)
echo "nameserver 192.0.2.1" >"$resolver"
mount --bind "$resolver" "$(readlink -f /etc/resolv.conf)"
packets() { awk '$1 == "way-out:" { print $11 }' /proc/net/dev; }
# the counter must work: one packet to an address that is set aside for documentation (RFC 5737) is seen
before=$(packets)
bash -c 'echo >/dev/udp/198.51.100.1/9' || true
[ "$(packets)" -gt "$before" ] || { echo "the counter does not count"; exit 3; }
before=$(packets)
status=0
"$@" || status=$?
echo "packets that left: $(($(packets) - before))"
exit "$status"
