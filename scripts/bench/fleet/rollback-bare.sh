#!/bin/sh
# sh rollback-bare.sh SSH_CONFIG ROOT UNIT RELEASE HOST...
#
# Links to a release that is still on the hosts and restarts the service, on all hosts at once.
set -eu
config=$1 root=$2 unit=$3 release=$4
shift 4

pids=
for host; do
  ssh -F "$config" -T "$host" "sudo sh -ec '
    test -d $root/releases/$release
    ln -s releases/$release $root/.next
    mv -T $root/.next $root/current
    systemctl restart $unit'" </dev/null &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid"; done
