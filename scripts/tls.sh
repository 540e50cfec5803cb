#!/usr/bin/env bash
# What TLS between the nodes needs, to try it out: a throw-away authority under var/tls, and for each host a certificate that
# it has signed, with the options that make an Erlang node use it.
#
#   tls.sh HOST...    makes what is missing or out of date: ca.pem, HOST.pem, HOST.key, HOST.conf
set -euo pipefail
# shellcheck source=scripts/settings.sh
. "$(dirname "$0")/settings.sh"

mkdir -p "$tls_dir"
cd "$tls_dir"
# Several nodes may be started side by side.
exec 9>lock
flock 9

elliptic=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

# valid FILE: is it there, and for another day?
valid() { openssl x509 -in "$1" -noout -checkend 86400 >/dev/null 2>&1; }

authority() {
  rm -f ./*.pem
  openssl req -x509 "${elliptic[@]}" -keyout ca.key -out ca.pem -days 365 -subj "/CN=nodes of ${var##*/}" \
    -addext keyUsage=critical,keyCertSign
}

# Each node is both: client where it connects, server where others do.
certificate() {
  openssl req "${elliptic[@]}" -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" \
    -addext "subjectAltName=$(name_of "$1")" -addext extendedKeyUsage=serverAuth,clientAuth
  openssl x509 -req -in "$1.csr" -out "$1.pem" -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -copy_extensions copy
  rm "$1.csr"
}
name_of() { if [[ $1 =~ ^[0-9.]+$|: ]]; then say "IP:$1"; else say "DNS:$1"; fi; }

# As docs/tls.md explains it line by line. Erlang wants absolute paths.
options() {
  cat <<CFG
[{server, [{certfile, "$tls_dir/$1.pem"},
           {keyfile, "$tls_dir/$1.key"},
           {cacertfile, "$tls_dir/ca.pem"},
           {verify, verify_peer},
           {fail_if_no_peer_cert, true},
           {versions, ['tlsv1.3']}]},
 {client, [{certfile, "$tls_dir/$1.pem"},
           {keyfile, "$tls_dir/$1.key"},
           {cacertfile, "$tls_dir/ca.pem"},
           {verify, verify_peer},
           {versions, ['tlsv1.3']}]}].
CFG
}

{
  valid ca.pem || authority
  for host; do
    valid "$host.pem" || certificate "$host"
    options "$host" >"$host.conf"
  done
} 2>openssl.log || fail "openssl cannot make certificates: $tls_dir/openssl.log"
