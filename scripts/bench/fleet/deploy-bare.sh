#!/bin/sh
# sh deploy-bare.sh SSH_CONFIG ROOT UNIT ARTIFACT RELEASE HOST...
#
# The pipeline that people write by hand: one connection a host, all hosts at once. The artifact goes over standard input,
# is unpacked, linked to, and the service restarted. Nothing is checked, synced to disk, locked or recorded.
set -eu
config=$1 root=$2 unit=$3 artifact=$4 release=$5
shift 5

pids=
for host; do
  ssh -F "$config" -T "$host" "sudo sh -ec '
    mkdir -p $root/releases/$release
    tar -xf - -C $root/releases/$release
    ln -s releases/$release $root/.next
    mv -T $root/.next $root/current
    systemctl restart $unit'" <"$artifact" &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done
