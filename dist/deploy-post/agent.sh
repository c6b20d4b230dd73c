#!/bin/sh
# The host agent of deploy-safeguard: one POSIX sh script that executes its plan file and knows no application names.
#
#   sh agent.sh --root DIR status                     what is going on here
#   sh agent.sh --root DIR revert                     go back by hand: ends the open transaction on this host
#   sh agent.sh --root DIR VERB [key=value ...]       what the coordinator says; plans, secrets and lines arrive on stdin
#
# Every line on standard output is `ds1<TAB>kind<TAB>key=value...`; the last one is `end` with status=ok, refused or
# failed. Values escape backslash, tab, newline and carriage return. Exit code: 0 ok, 3 refused, 1 failed.
#
# Rules: a file is replaced by rename after fsync, never rewritten in place; what is about to be done is recorded before
# it is done; every mutating verb runs under one kernel lock (fd 9), which no child may inherit (`9>&-`).
#
# Plan fields and arguments become variables by name (c1_root, a_txn), which shellcheck cannot follow:
# shellcheck disable=SC2034,SC2154
# `A && B || die` is meant: die ends the script, whichever of the two failed.
# shellcheck disable=SC2015
set -eu
LC_ALL=C
export LC_ALL
umask 022
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

TAB=$(printf '\t')
CR=$(printf '\r')
NL='
'

# ---------------------------------------------------------------- answers

escape() { # value -> $escaped
  case $1 in
    *[\\"$TAB$NL$CR"]*) if [ "${#1}" -gt 4096 ]; then escape_long "$1"; else escape_short "$1"; fi ;;
    *) escaped=$1 ;;
  esac
}

escape_short() { # two processes cost more than this does for a line or two
  escaped='' unread=$1
  while :; do
    plain=${unread%%[\\"$TAB$NL$CR"]*}
    escaped=$escaped$plain
    unread=${unread#"$plain"}
    case $unread in
      \\*) escaped=$escaped\\\\ ;;
      "$TAB"*) escaped=$escaped\\t ;;
      "$NL"*) escaped=$escaped\\n ;;
      "$CR"*) escaped=$escaped\\r ;;
      *) break ;;
    esac
    unread=${unread#?}
  done
}

escape_long() {
  escaped=$(printf '%s\n' "$1" | sed -e 's/\\/\\\\/g' -e "s/$TAB/\\\\t/g" -e "s/$CR/\\\\r/g" |
    awk 'NR > 1 { printf "%s", "\\n" } { printf "%s", $0 }')
}

unescape() { # value -> $unescaped
  case $1 in
    *\\*)
      # The dot keeps newlines at the end, which a key needs and a command substitution drops.
      unescaped=$(printf '%b.' "$1")
      unescaped=${unescaped%.}
      ;;
    *) unescaped=$1 ;;
  esac
}

say() { # kind key=value...
  line="ds1$TAB$1"
  shift
  for pair in "$@"; do
    escape "$pair"
    line="$line$TAB$escaped"
  done
  printf '%s\n' "$line"
}

finish() { # key=value...: the last line of a verb that did its work
  say end status=ok "$@"
  exit 0
}

refuse() { # code message [key=value...]: nothing was changed
  code=$1
  message=$2
  shift 2
  say end status=refused "code=$code" "message=$message" "$@"
  exit 3
}

die() { # code message [key=value...]: something went wrong while doing it
  code=$1
  message=$2
  shift 2
  say end status=failed "code=$code" "message=$message" "$@"
  exit 1
}

need() { # command...
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || die tool-missing "the command '$tool' is missing on this host" "tool=$tool"
  done
}

# ---------------------------------------------------------------- time

now_iso() { # -> $iso
  wall_clock
  iso_of "$wall_seconds"
}

# Asked for at most once a minute: in between the uptime says how much of it went by, and a process costs a millisecond.
wall_clock() { # -> $wall_seconds since 1970
  uptime_cs
  if [ -z "$wall_asked" ] || [ "$uptime" -lt "$wall_asked_at" ] || [ $((uptime - wall_asked_at)) -ge 6000 ]; then
    wall_asked=$(date +%s) wall_asked_at=$uptime
    is_number "$wall_asked" || wall_asked=0
  fi
  wall_seconds=$((wall_asked + (uptime - wall_asked_at) / 100))
}
wall_asked=''

# Years are counted from 1 March here, so that a leap day is the last day of its year. From 2000-03-01 to 2100-02-28
# every fourth year has one; `date` is asked about the rest, which only a clock that was never set shows.
iso_of() { # seconds since 1970 -> $iso
  if [ "$1" -lt 951868800 ] || [ "$1" -ge 4107542400 ]; then
    iso=$(date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || echo unknown)
    return 0
  fi
  day_count=$((($1 - 951868800) / 86400)) day_second=$(($1 % 86400))
  year=$(((4 * day_count + 3) / 1461))
  year_day=$((day_count - 1461 * year / 4))
  month=$(((5 * year_day + 2) / 153))
  day=$((year_day - (153 * month + 2) / 5 + 101))
  year=$((2000 + year + month / 10)) month=$(((month + 2) % 12 + 101))
  hour=$((day_second / 3600 + 100)) minute=$((day_second / 60 % 60 + 100)) second=$((day_second % 60 + 100))
  iso=$year-${month#1}-${day#1}T${hour#1}:${minute#1}:${second#1}Z
}

# Centiseconds since boot. Leases use this clock because a wall clock can be set while a lease runs.
uptime_cs() { # -> $uptime
  read -r uptime_text _ </proc/uptime
  uptime=${uptime_text%.*}${uptime_text#*.}
  while :; do
    case $uptime in
      0?*) uptime=${uptime#0} ;;
      *) break ;;
    esac
  done
}

read_boot() { # -> $boot
  boot=unknown
  if [ -r /proc/sys/kernel/random/boot_id ]; then read -r boot </proc/sys/kernel/random/boot_id; fi
}

# Short at first: most of what is waited for, such as the end of a process, is only milliseconds away.
nap() {
  naps=$((naps + 1))
  pause=0.05
  if [ "$naps" -le 25 ]; then pause=0.01; fi
  if [ "$naps" -le 5 ]; then pause=0.002; fi
  sleep "$pause" 2>/dev/null || sleep 1
}
naps=0

# ---------------------------------------------------------------- durable files

# `sync FILE` is fsync in coreutils 8.24 and later; elsewhere the whole system is synced.
fsync() { # file...
  if [ -n "$unsynced" ]; then
    set -f
    IFS=$NL
    # shellcheck disable=SC2086 # split on purpose
    set -- $unsynced "$@"
    unset IFS
    set +f
    unsynced=''
  fi
  sync "$@" 2>/dev/null || sync
}

# What has to be on the disk before the next file gets its name shares the way there with that file: it saves a process,
# and a service does not stand still for it.
fsync_later() { # file...
  for later in "$@"; do unsynced="$unsynced$later$NL"; done
}
unsynced=''

# The file system of a folder at once: one by one, ten thousand files take sixteen times as long.
fsync_tree() { sync -f "$1" 2>/dev/null || sync; }

# Every pair is replaced at once or not at all, in their order; all files are in one folder.
keep_all() { # file content [file content]...
  keep_folder=${1%/*}
  set_args=$#
  while [ "$set_args" -gt 0 ]; do
    printf '%s\n' "$2" 2>/dev/null >"$1.$$.tmp" || keep_failed "$1"
    set -- "$@" "$1"
    shift 2
    set_args=$((set_args - 2))
  done
  for kept_file in "$@"; do set -- "$@" "$kept_file.$$.tmp"; shift; done
  fsync "$@" || keep_failed "$1"
  for kept_file in "$@"; do mv -f "$kept_file" "${kept_file%".$$.tmp"}" || keep_failed "$kept_file"; done
  fsync "$keep_folder" || keep_failed "$keep_folder"
}

keep_failed() { # file, in $keep_folder
  rm -f "$keep_folder"/*".$$.tmp"
  die write-failed "cannot write $1: $(df -Pk "$keep_folder" 2>/dev/null | awk 'NR==2 {print $4 " kB free on " $6}')" "file=$1"
}

put() { # file content: replaced at once or not at all
  if printf '%s\n' "$2" 2>/dev/null >"$1.$$.tmp" && fsync "$1.$$.tmp" && mv -f "$1.$$.tmp" "$1" && fsync "${1%/*}"; then return 0; fi
  rm -f "$1.$$.tmp"
  return 1
}

keep() { keep_all "$1" "$2"; }

get() { # file -> $got, empty when the file is not there, and $got_file, whether it is
  got='' got_file=no
  if [ -f "$1" ]; then { got_file=yes && IFS= read -r got || :; } 2>/dev/null <"$1" || :; fi
}

broken() { # file: moved aside, never guessed at
  mv -f "$1" "$1.broken" 2>/dev/null || :
  say broken "file=$1.broken"
}

is_root() { # asks the kernel, and once: `id` is a process
  if [ -z "$effective_user" ]; then
    while read -r key _ value _; do
      if [ "$key" = Uid: ]; then
        effective_user=$value
        break
      fi
    done </proc/self/status
    [ -n "$effective_user" ] || effective_user=$(id -u)
  fi
  [ "$effective_user" = 0 ]
}
effective_user=''

make_folder() { # path...; asks before it calls mkdir, since a process costs a millisecond
  for folder_to_be in "$@"; do
    [ -d "$folder_to_be" ] || mkdir -p "$folder_to_be" 2>/dev/null || die no-rights "cannot create $folder_to_be as user $(id -un)" "path=$folder_to_be"
  done
}

is_number() {
  case $1 in
    '' | *[!0-9]*) return 1 ;;
  esac
  [ "${#1}" -le 15 ]
}

is_name() { # what may become part of a path
  case $1 in
    '' | .* | -* | *[!A-Za-z0-9._+-]*) return 1 ;;
  esac
}

stamp() { # -> $stamped
  now_iso
  stamped=$iso
}

journal() { # what detail: for people; state files decide
  if [ -n "$txn" ] && [ -d "$ROOT/txn/$txn" ]; then
    escape "${2:-}"
    stamp
    printf '%s\t%s\t%s\t%s\t%s\n' "$stamped" "$epoch" "$verb" "$1" "$escaped" >>"$ROOT/txn/$txn/journal" 2>/dev/null || :
  fi
}

# ---------------------------------------------------------------- state

lock() { # seconds to wait
  need flock
  make_folder "$ROOT"
  # Tried with `true` first: a failing redirection of `exec` would end the script without an answer.
  # Closed to others: whoever can open a file can lock it, and so keep every deployment and every way back waiting.
  umask 077
  { true >>"$ROOT/lock" && true >>"$ROOT/lease.lock"; } 2>/dev/null || die no-rights "cannot write in $ROOT as user $(id -un)" "path=$ROOT"
  umask 022
  exec 9>>"$ROOT/lock"
  uptime_cs
  lock_until=$((uptime + $1 * 100))
  while ! flock -n 9; do
    uptime_cs
    [ "$uptime" -lt "$lock_until" ] || refuse busy "another command of deploy-safeguard is still running on this host"
    nap
  done
}

load() { # reads everything that verbs decide on
  get "$ROOT/epoch"
  epoch=$got
  if ! is_number "$epoch"; then
    # A power cut may leave a file that is there and empty.
    if [ "$got_file" = yes ]; then broken "$ROOT/epoch"; fi
    epoch=0
  fi

  lease_txn='' lease_epoch=0 lease_until=0 lease_boot='' lease_length=0 lease_seq=0
  lease_since='' lease_ends='' lease_owner='' lease_runner='' lease_mark='' lease_alive=no lease_left=0
  get "$ROOT/lease"
  if [ -n "$got" ]; then
    IFS=$TAB read -r lease_txn lease_epoch lease_until lease_boot lease_length lease_seq lease_since lease_ends lease_owner lease_runner lease_mark <<EOF
$got
EOF
    if is_name "$lease_txn" && is_number "$lease_epoch" && is_number "$lease_until" && is_number "$lease_seq" && is_number "$lease_length" && [ "$lease_mark" = . ]; then
      read_boot
      uptime_cs
      # Longer than its own length it cannot have left: then the clock began anew, as in a container that was restarted.
      lease_left=$((lease_until - uptime))
      if [ "$lease_boot" = "$boot" ] && [ "$lease_left" -gt 0 ] && [ "$lease_left" -le $((lease_length * 100)) ]; then
        lease_alive=yes
      else
        lease_left=0
      fi
      # A lease of a higher epoch than the epoch file knows means that the epoch file was lost.
      [ "$epoch" -ge "$lease_epoch" ] || epoch=$lease_epoch
    else
      broken "$ROOT/lease"
      lease_txn=
    fi
  fi
  # A lease file that a power cut left empty held a lease of before it, which is over.

  get "$ROOT/active"
  active=$got
  state=idle decision=''
  if [ -n "$active" ]; then
    if is_name "$active" && [ -f "$ROOT/txn/$active/plan" ]; then
      get "$ROOT/txn/$active/state"
      case $got in
        open | staged | switching | switched | confirmed | reverting | reverted | revert-failed | halted) state=$got ;;
        *)
          # Not known how far it came: the one safe belief is that it has to be reverted.
          if [ -e "$ROOT/txn/$active/state" ]; then broken "$ROOT/txn/$active/state"; fi
          state=switching
          ;;
      esac
      get "$ROOT/txn/$active/decision"
      decision=$got
      # The rename of the decision file is the commit; the state file follows it.
      if [ "$decision" = commit ] && [ "$state" = switched ]; then state=confirmed; fi
    else
      broken "$ROOT/active"
      active=
    fi
  elif [ "$got_file" = yes ]; then
    broken "$ROOT/active"
  fi
}

set_state() {
  put "$ROOT/txn/$active/state" "$1" || return 1
  state=$1
  journal state "$1"
}

# A lock of its own for the lease file: a renewal must get through while a slow start holds the main lock. Nothing is
# spawned while it is held.
lease_lock() {
  uptime_cs
  lease_lock_until=$((uptime + 1000))
  while ! flock -n 8; do
    uptime_cs
    [ "$uptime" -lt "$lease_lock_until" ] || refuse busy "the lease file is locked by another command on this host"
    nap
  done
}

new_lease() { # seconds seq -> $lease_line; under the lease lock
  read_boot
  uptime_cs
  lease_length=$1 lease_seq=$2
  lease_until=$((uptime + lease_length * 100))
  wall_clock
  iso_of $((wall_seconds + lease_length))
  lease_ends=$iso
  lease_line="$lease_txn$TAB$epoch$TAB$lease_until$TAB$boot$TAB$lease_length$TAB$lease_seq$TAB$lease_since$TAB$lease_ends$TAB${lease_owner:--}$TAB${lease_runner:--}$TAB."
}

drop_lease() { # what to remove, with the lease; under its own lock too: a renewal that has been checked and not yet written would bring it back
  { lease_lock && rm -f "$@"; } 8>>"$ROOT/lease.lock"
}

# ---------------------------------------------------------------- the plan

# Records, one a line, fields split by tabs, `-` for none:
#   set KEY VALUE
#   component NAME ROOT SHA256 FORMAT RELEASE OWNER VERSION-FILE BYTES ENTRIES
#   service NAME MANAGER WHEN TIMEOUT
#   unit NAME UNIT
#   command NAME start|stop|status|run TEXT
#   uses NAME SECRET
load_plan() { # file
  [ -f "$1" ] || die plan-missing "the plan $1 is missing"
  # shellcheck disable=SC2094 # it is only read
  read_plan "the plan $1" <"$1"
}

read_plan() { # words for what is on standard input; sets p_KEY and c<i>_..., and $plan_text
  plan_name=$1 plan_text='' components=0
  p_app=- p_environment=- p_version=- p_action=- p_host=- p_ledger=- p_hosts=- p_local=- p_lease=30 p_keep=5 p_captures=- p_forensics=- p_transaction=-
  plan_end=no
  while IFS= read -r plan_line; do
    plan_text="$plan_text$plan_line$NL"
    set -f
    IFS=$TAB
    # shellcheck disable=SC2086 # split on purpose
    set -- $plan_line
    unset IFS
    set +f
    kind=${1:-} f1=${2:-} f2=${3:-} f3=${4:-} f4=${5:-} f5=${6:-} f6=${7:-} f7=${8:-} f8=${9:-} f9=${10:-}
    case $kind in
      set)
        unescape "$f2"
        case $f1 in
          app | environment | version | action | host | ledger | hosts | local | lease | keep | captures | forensics | transaction) eval "p_$f1=\$unescaped" ;;
          *) die plan-invalid "unknown setting in the plan: $f1" ;;
        esac
        ;;
      component)
        components=$((components + 1))
        eval "c${components}_name=\$f1 c${components}_sha=\$f3 c${components}_format=\$f4 c${components}_release=\$f5 c${components}_owner=\$f6 c${components}_vfile=\$f7 c${components}_bytes=\$f8 c${components}_entries=\$f9"
        unescape "$f2"
        eval "c${components}_root=\$unescaped c${components}_manager=none c${components}_when=none c${components}_timeout=90 c${components}_units= c${components}_start= c${components}_stop= c${components}_status= c${components}_run= c${components}_uses="
        is_name "$f1" || die plan-invalid "bad component name in the plan"
        ;;
      service)
        same_component "$f1"
        eval "c${components}_manager=\$f2 c${components}_when=\$f3 c${components}_timeout=\$f4"
        is_number "$f4" || die plan-invalid "bad timeout in the plan: $f4"
        ;;
      unit)
        same_component "$f1"
        unescape "$f2"
        eval "c${components}_units=\"\${c${components}_units} \$unescaped\""
        ;;
      command)
        same_component "$f1"
        unescape "$f3"
        case $f2 in
          start | stop | status | run) eval "c${components}_$f2=\$unescaped" ;;
          *) die plan-invalid "unknown command in the plan: $f2" ;;
        esac
        ;;
      uses)
        same_component "$f1"
        eval "c${components}_uses=\"\${c${components}_uses} \$f2\""
        ;;
      end) plan_end=yes ;;
      *) die plan-invalid "unknown record in the plan: $kind" ;;
    esac
  done
  # A plan that was cut off must not pass for a shorter one.
  [ "$plan_end" = yes ] || die plan-invalid "$plan_name is cut off"
}

same_component() {
  eval "plan_component=\$c${components}_name"
  [ "$plan_component" = "$1" ] || die plan-invalid "records of component $1 are out of order in the plan"
}

component() { # index -> $name $croot $sha $format $release $owner $vfile $bytes $entries $manager $when $limit $units
  eval "name=\$c${1}_name croot=\$c${1}_root sha=\$c${1}_sha format=\$c${1}_format release=\$c${1}_release owner=\$c${1}_owner vfile=\$c${1}_vfile bytes=\$c${1}_bytes entries=\$c${1}_entries manager=\$c${1}_manager when=\$c${1}_when limit=\$c${1}_timeout units=\$c${1}_units uses=\$c${1}_uses"
  eval "cmd_start=\$c${1}_start cmd_stop=\$c${1}_stop cmd_status=\$c${1}_status cmd_run=\$c${1}_run"
  # A rollback names the release that is already here; a deployment unpacks one that is named by its transaction.
  if [ "$release" = - ]; then release=$p_transaction; fi
}

rest_of_input() { # -> $rest, without newlines at its end
  rest=''
  while IFS= read -r rest_line || [ -n "$rest_line" ]; do rest="$rest$rest_line$NL"; done
  while :; do
    case $rest in
      *"$NL") rest=${rest%"$NL"} ;;
      *) break ;;
    esac
  done
}

# Secrets arrive as `secret NAME VALUE` lines. They live in shell variables only and reach one command's environment.
read_secrets() {
  secret_names=
  while IFS=$TAB read -r kind f1 f2; do
    case $kind in
      secret)
        case $f1 in
          '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*) die secret-invalid "bad secret name" ;;
        esac
        unescape "$f2"
        eval "secret__$f1=\$unescaped"
        secret_names="$secret_names $f1"
        ;;
      end) return 0 ;;
      *) die input-invalid "unknown line on standard input" ;;
    esac
  done
}

have_secrets() { # names...
  for wanted in "$@"; do
    case " $secret_names " in
      *" $wanted "*) ;;
      *) return 1 ;;
    esac
  done
}

# ---------------------------------------------------------------- releases and the link

release_complete() { # root id
  [ -n "$2" ] && [ "$2" != - ] && [ -d "$1/releases/$2" ] && [ ! -L "$1/releases/$2" ] && [ -f "$1/releases/.meta/$2" ]
}

release_meta() { # root id -> $m_version $m_sha $m_created
  m_version=- m_sha=- m_created=-
  if [ -f "$1/releases/.meta/$2" ]; then
    IFS=$TAB read -r m_version m_sha m_created <"$1/releases/.meta/$2" || :
  fi
}

# Lines `HASH  NAME` or `HASH *NAME`, which `sha256sum -c` reads alike. It alone is sure to escape odd names.
checksums() { # folder file
  hasher=sha256sum
  if command -v openssl >/dev/null 2>&1; then hasher='openssl dgst -sha256 -r'; fi
  odd=$2.$$.odd
  # shellcheck disable=SC2086,SC2016 # split on purpose; expanded by the inner shell
  if (cd "$1" && find . -name "*[\\\\$NL]*" -exec sh -c ': >"$0"' "$odd" {} + -o -type f -exec $hasher {} +) >"$2" 2>/dev/null && [ ! -e "$odd" ] && well_formed_sums "$2"; then return 0; fi
  rm -f "$odd"
  (cd "$1" && find . -type f -exec sha256sum {} +) >"$2"
}

well_formed_sums() { # file: an openssl that knows no -r, or may not hash, is found out here
  [ -s "$1" ] || return 0
  IFS= read -r first_sum <"$1" || return 1
  case ${first_sum#????????????????????????????????????????????????????????????????} in
    ' *./'* | '  ./'*) ;;
    *) return 1 ;;
  esac
}

release_intact() { # root id
  [ -d "$1/releases/$2" ] || return 1
  [ -f "$1/releases/.meta/$2.sums" ] || return 0
  [ -s "$1/releases/.meta/$2.sums" ] || return 0
  (cd "$1/releases/$2" && { same_checksums "../.meta/$2.sums" || sha256sum -c "../.meta/$2.sums" >/dev/null 2>&1; })
}

# Intact without reading it all: no file and no folder of it was written, renamed, removed or given away since it was
# unpacked and checked. The kernel sets the time of a change, and nobody else can, other than by setting the clock.
# That holds while the machine runs and its clock goes on: after a restart or a repair of the disk, and where the clock
# was set by more than two seconds, everything is read.
release_untouched() { # root id
  get "$1/releases/.meta/$2.seal"
  [ -n "$got" ] && [ -d "$1/releases/$2" ] || return 1
  seal_of_now
  [ "${got% *}" = "${seal% *}" ] && is_number "${got##* }" || return 1
  seal_drift=$((${got##* } - ${seal##* }))
  [ "${seal_drift#-}" -le 2 ] || return 1
  younger=$(find "$1/releases/$2" -cnewer "$1/releases/.meta/$2.seal" 2>/dev/null) && [ -z "$younger" ]
}

seal_of_now() { # -> $seal: the boot, and the second by the wall clock at which it began
  read_boot
  wall_clock
  seal="$boot $((wall_seconds - uptime / 100))"
}

same_checksums() { # file: the quick yes; only `sha256sum -c` says no
  IFS= read -r first_sum <"$1" || return 1
  case $first_sum in
    *' *./'*) ;;
    *) return 1 ;;
  esac
  cut -c 67- "$1" | tr '\n' '\0' | xargs -0 openssl dgst -sha256 -r 2>/dev/null | cmp -s - "$1" 2>/dev/null
}

current_of() { # root -> $link_kind (none|release|foreign|directory) $link_text $link_id
  link_text='' link_id='' link_kind=none
  if [ -L "$1/current" ]; then
    link_text=$(readlink "$1/current")
    link_kind=foreign
    case $link_text in
      releases/*) link_id=${link_text#releases/} ;;
      "$1"/releases/*) link_id=${link_text#"$1"/releases/} ;;
    esac
    link_id=${link_id%/}
    if is_name "$link_id"; then link_kind=release; else link_id=''; fi
  elif [ -e "$1/current" ]; then
    link_kind=directory
  fi
}

# For those who only ask which release it leads to: it is mostly the plan's, which takes no process to see.
current_now() { # root id -> like current_of, but for $link_text
  # shellcheck disable=SC3013 # where `-ef` is not known, the link is read
  if [ -L "$1/current" ] && [ ! -L "$1/releases/$2" ] && [ "$1/current" -ef "$1/releases/$2" ] 2>/dev/null; then
    link_kind=release link_id=$2 link_text=''
  else
    current_of "$1"
  fi
}

point_current() { # root link-text; atomic: a unique temporary link, then rename over the old one
  if [ -L "$1/.current.$txn" ]; then rm -f "$1/.current.$txn"; fi
  ln -s "$2" "$1/.current.$txn" && mv -T "$1/.current.$txn" "$1/current"
}

# ---------------------------------------------------------------- running commands

# The output goes to a file, never to a pipe: a daemon that the text leaves behind would keep the pipe open, and this script
# and its lock would wait for as long as the daemon lives.
with_env() { # limit text file: user text under sh with its secrets; both outputs are appended to the file
  (
    exec 9>&-
    for secret in $uses; do eval "$secret=\$secret__$secret; export $secret"; done
    SAFEGUARD_COMPONENT=$name SAFEGUARD_VERSION=$p_version SAFEGUARD_RELEASE=$release
    # What is stopped or started is what `current` leads to by now: on the way back that is not the plan's version.
    current_of "$croot"
    if [ "$link_kind" = release ]; then
      release_meta "$croot" "$link_id"
      SAFEGUARD_VERSION=$m_version SAFEGUARD_RELEASE=$link_id
    fi
    export SAFEGUARD_COMPONENT SAFEGUARD_VERSION SAFEGUARD_RELEASE
    if [ -d "$croot/current" ]; then cd "$croot/current"; elif [ -d "$croot" ]; then cd "$croot"; fi
    exec timeout -k 5 "$1" /bin/sh -c "$2"
  ) </dev/null >>"$3" 2>&1
}

captured() { # limit text -> $output
  captured_status=0
  captured_file=/dev/null
  if temporary; then captured_file=$temporary; fi
  with_env "$1" "$2" "$captured_file" || captured_status=$?
  output=$(tail -c 65536 "$captured_file")
  drop_temporary
  return "$captured_status"
}

# The end of a login ends what runs in it, with one signal after the other: none may end `rm`, which is such a process too,
# and each has to do all of it, since one that comes during the other's trap ends that. A shell that dies of a signal sets
# off no trap for its exit. The name is found by the process, as mktemp may be ended when it has made something.
temporary() { # option of mktemp -> $temporary
  temporaries=${TMPDIR:-/tmp}/deploy-safeguard.$$
  trap 'trap "" HUP INT TERM PIPE; rm -rf "$temporaries".*' EXIT
  trap 'trap "" HUP INT TERM PIPE; rm -rf "$temporaries".*; exit 1' HUP INT TERM PIPE
  temporary=$(mktemp ${1:+"$1"} "$temporaries.XXXXXX" 2>/dev/null) || { drop_temporary && return 1; }
}

drop_temporary() {
  [ -z "$temporary" ] || rm -rf "$temporary"
  temporary=''
  trap - EXIT HUP INT TERM
  trap 'exit 1' PIPE # see main
}

logged() { # text -> $why, the end of what it printed; a start or stop command, whose service may go on printing
  logged_status=0
  open_log
  if [ ! -w "$log_file" ]; then log_file=/dev/null; fi
  log_size=$(wc -c <"$log_file")
  with_env "$limit" "$1" "$log_file" || logged_status=$?
  why=$(tail -c "+$((log_size + 1))" "$log_file" | tail -c 2000)
  return "$logged_status"
}

open_log() { # -> $log_file of component $name; applications print what not everybody may read
  log_file=$ROOT/log/$name.log
  if [ ! -f "$log_file" ]; then (umask 077 && mkdir -p "$ROOT/log" && : >>"$log_file") 2>/dev/null || :; fi
  if [ -f "$log_file" ] && [ "$(wc -c <"$log_file")" -gt 10485760 ]; then
    mv -f "$log_file" "$log_file.1"
    (umask 077 && : >>"$log_file") 2>/dev/null || :
  fi
}

tail_of() { # text -> the part of it that fits an answer
  if [ "${#1}" -le 2000 ]; then printf '%s' "$1"; else printf '%s' "$1" | tail -c 2000; fi
}

# ---------------------------------------------------------------- service managers: start, stop, sample

proc_start() { # pid -> $started, empty when there is no such living process
  started=''
  if [ -r "/proc/$1/stat" ] && read -r stat_line <"/proc/$1/stat" 2>/dev/null; then
    # Fields are counted after the command name, which may hold anything.
    # shellcheck disable=SC2086 # split on purpose
    set -- ${stat_line##*) }
    case $1 in
      Z | X) ;;
      *) started=${20} ;;
    esac
  fi
}

process_pid() { # -> $pid of the living process of component $name, or empty; $group that it leads, and may have left behind
  pid='' group=''
  get "$ROOT/run/$name.pid"
  if [ -n "$got" ]; then
    # shellcheck disable=SC2086 # split on purpose
    set -- $got
    read_boot
    if is_number "${1:-}" && [ "${3:-}" = "$boot" ]; then
      proc_start "$1"
      if [ -z "$started" ]; then
        # The kernel gives the number to no other process while a member of the group lives.
        group=$1
      elif [ "$started" = "${2:-}" ]; then
        pid=$1 group=$1
      fi
    fi
  fi
}

group_alive() { # process group: is there more of it than zombies, which may stay where nobody collects them?
  kill -0 "-$1" 2>/dev/null || return 1
  for stat_file in /proc/[0-9]*/stat; do
    { read -r stat_line <"$stat_file"; } 2>/dev/null || continue
    case ${stat_line##*) } in
      [ZX]*) continue ;;
    esac
    member_of=${stat_line##*) ? }
    member_of=${member_of#* }
    if [ "${member_of%% *}" = "$1" ]; then return 0; fi
  done
  return 1
}

process_start() {
  process_pid
  [ -z "$pid" ] || return 0
  need setsid
  make_folder "$ROOT/run"
  if [ -f "$ROOT/run/$name.pid" ]; then rm -f "$ROOT/run/$name.pid"; fi
  open_log
  # The process records itself before it becomes the application, so that none is ever running unknown to us.
  # shellcheck disable=SC2016 # expanded by the inner shell
  (
    cd "$croot/current" || exit 1
    exec setsid /bin/sh -c '
      pid_file=$1 boot=$2
      read -r line </proc/$$/stat
      rest=${line##*) }
      i=1; for word in $rest; do [ "$i" -ne 20 ] || started=$word; i=$((i + 1)); done
      printf "%s %s %s\n" "$$" "$started" "$boot" >"$pid_file.tmp" && mv -f "$pid_file.tmp" "$pid_file" || exit 1
      exec /bin/sh -c "$3"' sh "$ROOT/run/$name.pid" "$boot" "$cmd_run"
  ) </dev/null >>"$log_file" 2>&1 9>&- &
  uptime_cs
  start_until=$((uptime + 500))
  while [ ! -f "$ROOT/run/$name.pid" ]; do
    uptime_cs
    [ "$uptime" -lt "$start_until" ] || return 1
    nap
  done
  process_pid
  [ -n "$pid" ]
}

process_stop() {
  process_pid
  if [ -n "$pid" ]; then
    # Not `-s TERM --`, of which busybox understands the half.
    kill -TERM "-$pid" 2>/dev/null || :
    uptime_cs
    stop_until=$((uptime + limit * 100))
    while :; do
      proc_start "$pid"
      [ -n "$started" ] || break
      uptime_cs
      if [ "$uptime" -ge "$stop_until" ]; then break; fi
      nap
    done
  fi
  # What is left of the process group goes too: children that outlived their parent keep what the next one needs.
  if [ -n "$group" ] && kill -KILL "-$group" 2>/dev/null; then
    uptime_cs
    stop_until=$((uptime + 500))
    while group_alive "$group"; do
      uptime_cs
      [ "$uptime" -lt "$stop_until" ] || return 1
      nap
    done
  fi
  rm -f "$ROOT/run/$name.pid"
}

# shellcheck disable=SC2086 # unit names are split on purpose; the manifest allows no spaces in them
service_start() { # fresh|again|anew: after a stop, over a service that may be running, over one that a reload is not enough for
  why=''
  case $manager in
    none) return 0 ;;
    systemd)
      # A unit that crashed often enough refuses to start until its counter is cleared.
      systemctl reset-failed -- $units >/dev/null 2>&1 9>&- || :
      case $1/$when in
        fresh/*) action=start ;;
        again/reload) action=reload-or-restart ;;
        *) action=restart ;;
      esac
      if [ "$boot_time" = yes ]; then action="--no-block start"; fi
      why=$(timeout -k 5 "$limit" systemctl $action -- $units 2>&1 9>&-) || {
        why="systemctl $action$units: ${why:-no answer within $limit s}"
        return 1
      }
      if [ "$boot_time" != yes ]; then
        for unit in $units; do
          unit_state=$(systemctl is-active -- "$unit" 2>/dev/null 9>&-) || {
            case $unit_state in
              activating | reloading) ;;
              *)
                why="unit $unit is $unit_state after systemctl $action"
                return 1
                ;;
            esac
          }
        done
      fi
      ;;
    process)
      if [ "$1" != fresh ]; then process_stop || { why="process of $name did not stop" && return 1; }; fi
      process_start || {
        why="process of $name did not start: $(tail -n 5 "$ROOT/log/$name.log" 2>/dev/null)"
        return 1
      }
      ;;
    command)
      if [ "$1" != fresh ]; then service_stop || return 1; fi
      logged "$cmd_start" || {
        why="start command of $name failed with exit code $logged_status: $why"
        return 1
      }
      ;;
    *)
      why="service manager '$manager' is not known to this agent"
      return 1
      ;;
  esac
}

# shellcheck disable=SC2086 # see service_start
service_stop() {
  why=''
  case $manager in
    none) return 0 ;;
    systemd)
      why=$(timeout -k 5 "$limit" systemctl stop -- $units 2>&1 9>&-) || {
        # A unit that does not stop in its time is killed: a half-stopped service must not block the way back.
        systemctl kill -s KILL -- $units >/dev/null 2>&1 9>&- || :
        why=$(timeout -k 5 15 systemctl stop -- $units 2>&1 9>&-) || {
          why="systemctl stop$units: ${why:-no answer}"
          return 1
        }
      }
      ;;
    process)
      process_stop || {
        why="process of $name did not stop"
        return 1
      }
      ;;
    command)
      logged "$cmd_stop" || {
        why="stop command of $name failed with exit code $logged_status: $why"
        return 1
      }
      ;;
  esac
}

# shellcheck disable=SC2086 # see service_start
service_sample() { # one `service` line a unit
  case $manager in
    systemd)
      for unit in $units; do
        ActiveState=unknown SubState=unknown NRestarts=- MainPID=- InvocationID=- Result=- NeedDaemonReload=-
        while IFS='=' read -r key value; do
          case $key in
            ActiveState | SubState | NRestarts | MainPID | InvocationID | Result | NeedDaemonReload) eval "$key=\$value" ;;
          esac
        done <<EOF
$(systemctl show -p ActiveState,SubState,NRestarts,MainPID,InvocationID,Result,NeedDaemonReload -- "$unit" 2>/dev/null 9>&-)
EOF
        is_active=no
        if [ "$ActiveState" = active ] || [ "$ActiveState" = reloading ]; then is_active=yes; fi
        [ "$MainPID" != 0 ] || MainPID=-
        say service "component=$name" "unit=$unit" "active=$is_active" "state=$ActiveState/$SubState" "restarts=${NRestarts:--}" "pid=${MainPID:--}" "invocation=${InvocationID:--}" "result=${Result:--}" "stale=$NeedDaemonReload"
      done
      ;;
    process)
      process_pid
      if [ -n "$pid" ]; then
        say service "component=$name" "unit=$name" active=yes state=running restarts=- "pid=$pid" "invocation=$pid-$started"
      else
        say service "component=$name" "unit=$name" active=no state=stopped restarts=- pid=- invocation=-
      fi
      ;;
    command)
      if have_secrets $uses && captured "$limit" "$cmd_status"; then
        say service "component=$name" "unit=$name" active=yes state=running restarts=- pid=- invocation=-
      else
        say service "component=$name" "unit=$name" active=no "state=status command failed" restarts=- pid=- invocation=-
      fi
      ;;
  esac
}

# ---------------------------------------------------------------- the lease watcher and the boot hook

# Before there is something to watch, and under the lock: whoever is killed in between leaves nothing that nobody watches.
arm_watcher() {
  watch_how=loop
  if [ -d /run/systemd/system ] && is_root && command -v systemd-run >/dev/null 2>&1; then
    # Its own service, so that neither the end of the SSH session nor of its slice ends it; restarted if it is killed.
    # KillMode=process: services that a revert starts without systemd must outlive the watcher.
    if systemd-run --quiet --collect --unit="deploy-safeguard-lease-$txn-$epoch" -p Restart=on-failure -p RestartSec=1 \
      -p KillMode=process -p OOMScoreAdjust=-900 /bin/sh "$SELF" --root "$ROOT" watch "txn=$txn" >/dev/null 2>&1 9>&-; then
      watch_how=systemd
      return 0
    fi
  fi
  need setsid
  (exec setsid /bin/sh "$SELF" --root "$ROOT" watch "txn=$txn") </dev/null >/dev/null 2>&1 9>&- &
}

install_boot_hook() { # after a reboot nobody else would revert what is switched and not confirmed
  boot_hook=none
  if [ -d /run/systemd/system ] && is_root; then
    hook_name=deploy-safeguard-$p_app-$p_environment.service
    hook_file=/etc/systemd/system/$hook_name
    before='' mounts=$ROOT
    i=0
    while [ "$i" -lt "$components" ]; do
      i=$((i + 1))
      component "$i"
      mounts="$mounts $croot"
      if [ "$manager" = systemd ]; then
        for unit in $units; do
          case $unit in
            *.*) before="$before $unit" ;;
            *) before="$before $unit.service" ;;
          esac
        done
      fi
    done
    hook_text="[Unit]
Description=Revert an unconfirmed deployment of $p_app ($p_environment)
RequiresMountsFor=$mounts
Before=$before

[Service]
Type=oneshot
ExecStart=/bin/sh $ROOT/agent.sh --root $ROOT boot

[Install]
WantedBy=multi-user.target"
    hook_before=''
    if [ -f "$hook_file" ]; then while IFS= read -r line; do hook_before="$hook_before$line$NL"; done <"$hook_file"; fi
    if [ "$hook_before" != "$hook_text$NL" ]; then
      printf '%s\n' "$hook_text" >"$hook_file.tmp" && mv -f "$hook_file.tmp" "$hook_file" && systemctl daemon-reload 9>&- || die boot-hook "cannot install $hook_file"
    fi
    if [ ! -e "/etc/systemd/system/multi-user.target.wants/$hook_name" ]; then
      systemctl enable --quiet "$hook_name" 9>&- >/dev/null 2>&1 || die boot-hook "cannot enable $hook_name"
    fi
    boot_hook=systemd
  elif command -v crontab >/dev/null 2>&1; then
    hook_line="@reboot /bin/sh '$ROOT/agent.sh' --root '$ROOT' boot"
    if crontab -l 2>/dev/null | grep -qxF "$hook_line"; then
      boot_hook=cron
    elif { crontab -l 2>/dev/null || :; echo "$hook_line"; } | crontab - 2>/dev/null; then
      boot_hook=cron
    fi
  fi
}

verb_watch() { # internal: waits for the lease's end
  # What armed it holds the lock until there is something to watch.
  [ -e "$ROOT/lock" ] || exit 0
  exec 9>>"$ROOT/lock"
  flock 9
  exec 9>&-
  while :; do
    load
    if [ "$active" != "$txn" ]; then exit 0; fi
    case $state in
      confirmed | reverted | halted) exit 0 ;;
    esac
    if [ "$lease_alive" = yes ]; then
      if [ "$lease_left" -ge 100 ]; then sleep 1; else sleep "0.$((lease_left / 10 + 1))" 2>/dev/null || sleep 1; fi
      continue
    fi
    lock 31536000
    load
    if [ "$active" = "$txn" ] && [ "$lease_alive" = no ]; then lease_ended "the lease ended without the coordinator"; fi
    exec 9>&-
    # A revert that failed is tried again; a unit may start once its dependency is back.
    if [ "$state" = revert-failed ]; then sleep 30; fi
  done
}

lease_ended() { # reason
  case $state in
    open | staged)
      put "$ROOT/txn/$active/reverted-by" "$1" || :
      set_state reverted || :
      ;;
    switching | switched | reverting | revert-failed)
      load_plan "$ROOT/txn/$active/plan"
      if [ -f "$ROOT/txn/$active/no-return" ] && [ "$state" != reverting ]; then
        critical "a migration without an undo was applied and nobody confirmed the new version: it stays until a person decides"
        set_state halted || :
      else
        put "$ROOT/txn/$active/reverted-by" "$1" || :
        do_revert full || :
      fi
      ;;
    confirmed | reverted | halted | idle) ;;
  esac
}

verb_boot() { # internal: by the boot hook
  lock 60
  load
  boot_time=yes
  txn=$active
  if [ -n "$active" ]; then lease_ended "the host was restarted before the deployment was confirmed"; fi
  boot_time=no
  # What could not go back yet, since its disk or its network was not there, is tried again.
  if [ "$state" = revert-failed ]; then arm_watcher; fi
  finish "state=$state"
}

critical() { # message
  now_iso
  put "$ROOT/CRITICAL" "$iso $p_app $p_environment $txn: $1" || :
}

# ---------------------------------------------------------------- guards

arg() { # key -> $value; mandatory
  eval "value=\${a_$1-}"
  [ -n "$value" ] || refuse bad-call "the verb '$verb' needs $1="
}

# Every mutating verb of a transaction: the right epoch, the right transaction. A lower epoch is a coordinator that was
# fenced off; a higher one has not opened or fenced here.
member() {
  arg txn
  txn=$value
  is_name "$txn" || refuse bad-call "bad transaction id"
  arg epoch
  want_epoch=$value
  is_number "$want_epoch" || refuse bad-call "bad epoch"
  lock "${a_wait:-10}"
  load
  if [ "$want_epoch" -lt "$epoch" ]; then
    refuse fenced "epoch $want_epoch is over: this host is at epoch $epoch, so another run has taken over" "epoch=$epoch" "owner=$lease_owner" "state=$state"
  fi
  if [ "$want_epoch" -gt "$epoch" ]; then refuse not-open "epoch $want_epoch was not opened on this host" "epoch=$epoch" "state=$state"; fi
  if [ "$active" != "$txn" ]; then
    # A recovery holds a lease also where there was nothing to recover.
    if [ "$verb" = close ] && [ -z "$active" ] && [ "$lease_txn" = "$txn" ]; then
      # It has looked here as well: see verb_close.
      case ${a_outcome:-} in
        deployed | rolled-back) rm -f "$ROOT/CRITICAL" ;;
      esac
      drop_lease "$ROOT/lease" "$ROOT"/lease.*.tmp
      finish state=idle
    fi
    refuse not-open "transaction $txn is not open on this host" "active=$active" "state=$state"
  fi
}

needs_lease() {
  [ "$lease_alive" = yes ] || refuse lease-ended "the lease of transaction $txn has ended on this host" "state=$state"
}

wrong_state() { refuse wrong-state "'$verb' is not possible in state '$state'" "state=$state"; }

# ---------------------------------------------------------------- mutating verbs

verb_open() {
  arg txn
  new_txn=$value
  is_name "$new_txn" || refuse bad-call "bad transaction id"
  arg epoch
  want_epoch=$value
  is_number "$want_epoch" || refuse bad-call "bad epoch"
  arg lease
  want_lease=$value
  is_number "$want_lease" || refuse bad-call "bad lease"
  read_plan "the plan on standard input"
  lock "${a_wait:-10}"
  load
  txn=$new_txn
  if [ "$active" = "$txn" ] && [ "$want_epoch" = "$epoch" ] && [ "$state" = open ] && [ "$lease_alive" = yes ]; then
    # What killed the first try may have killed its watcher too; one too many does no harm.
    arm_watcher
    finish state=open already=yes
  fi
  # A recovery that has fenced this host may open the transaction here, to undo what was run from another machine.
  own_lease=no
  if [ -z "$active" ] && [ "$lease_txn" = "$txn" ] && [ "$lease_epoch" = "$want_epoch" ] && [ "$epoch" = "$want_epoch" ]; then own_lease=yes; fi
  if [ "$lease_alive" = yes ] && [ "$own_lease" = no ]; then
    refuse locked "another deployment holds this host" "transaction=$lease_txn" "owner=$lease_owner" "runner=$lease_runner" "since=$lease_since" "ends=$lease_ends"
  fi
  if [ -n "$active" ]; then refuse unfinished "transaction $active is not finished on this host" "transaction=$active" "state=$state" "owner=$lease_owner"; fi
  if [ "$want_epoch" -le "$epoch" ] && [ "$own_lease" = no ]; then refuse fenced "epoch $want_epoch is over: this host is at epoch $epoch" "epoch=$epoch"; fi
  [ ! -e "$ROOT/txn/$txn" ] || refuse replayed "transaction $txn was here before"

  # A reserve that the way back can free when the disk has become full.
  [ -f "$ROOT/reserve" ] || head -c 65536 /dev/zero >"$ROOT/reserve" || die no-space "no space in $ROOT"
  mkdir -p "$ROOT/txn/$txn" || die no-rights "cannot write in $ROOT"
  printf '%s' "$plan_text" >"$ROOT/txn/$txn/plan" || die no-space "cannot write the plan"
  previous=
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    current_of "$croot"
    case $link_kind in
      directory | foreign) die current-not-ours "$croot/current is not a link to a release" "component=$name" ;;
    esac
    previous="$previous$name$TAB${link_text:--}$NL"
  done
  # Nothing reads this folder before `active` names it, so its first files need no rename, only to be on the disk by then.
  printf '%s\n' "$previous" >"$ROOT/txn/$txn/previous" && echo open >"$ROOT/txn/$txn/state" || die no-space "cannot write in $ROOT/txn/$txn"
  fsync_later "$ROOT/txn/$txn/plan" "$ROOT/txn/$txn/previous" "$ROOT/txn/$txn/state" "$ROOT/txn/$txn" "$ROOT/txn"
  # shellcheck disable=SC3013 # where `-ef` is not known, the link is made anew
  if [ "${SELF%/*}" = "$ROOT" ] && ! [ "$ROOT/agent.sh" -ef "$SELF" ] 2>/dev/null; then
    ln -s "${SELF##*/}" "$ROOT/agent.sh.$$" && mv -T "$ROOT/agent.sh.$$" "$ROOT/agent.sh" || die write-failed "cannot write in $ROOT"
  fi
  install_boot_hook
  epoch=$want_epoch
  stamp
  lease_txn=$txn lease_since=$stamped lease_owner=${a_owner:--} lease_runner=${a_runner:--}
  arm_watcher
  {
    lease_lock
    new_lease "$want_lease" 0
    keep_all "$ROOT/epoch" "$epoch" "$ROOT/lease" "$lease_line" "$ROOT/active" "$txn"
  } 8>>"$ROOT/lease.lock"
  active=$txn
  state=open
  journal opened "owner=$lease_owner runner=$lease_runner lease=$want_lease"
  finish state=open "watch=$watch_how" "boot-hook=$boot_hook"
}

verb_receive() { # the artifact on standard input; content-addressed, so it needs no lock
  arg sha
  want=$value
  case $want in
    *[!0-9a-f]*) refuse bad-call "bad sha256" ;;
  esac
  arg bytes
  size=$value
  is_number "$size" || refuse bad-call "bad number of bytes"
  make_folder "$ROOT/blobs"
  if [ -f "$ROOT/blobs/$want" ]; then
    incoming 3>&1 >/dev/null
    finish already=yes
  fi
  read_boot
  part=$ROOT/blobs/.$want.$boot.$$.part
  # The end of a login ends what runs in it, with one signal after the other: none may end `rm`, which is such a process
  # too, and each has to do all of it, since one that comes during the other's trap ends that.
  drop_part="trap '' HUP INT TERM PIPE; rm -f '$part'"
  # shellcheck disable=SC2064 # the name is needed as it is now
  trap "$drop_part" EXIT
  # shellcheck disable=SC2064 # a shell that dies of a signal sets off no trap for its exit
  trap "$drop_part; exit 1" HUP INT TERM PIPE
  written=yes
  { incoming 3>&1 >"$part"; } 2>/dev/null || written=no
  # Who sends has to be heard out before he listens.
  [ "$written" = yes ] || [ "$served" = yes ] || cat >/dev/null
  # Hashed once it is there: through a pipe beside the file it costs three times as much processor time.
  found=''
  if [ "$written" = yes ]; then found=$(openssl dgst -sha256 -r <"$part" 2>/dev/null) || found=''; fi
  # An openssl that is missing, too old or not allowed to hash says nothing or something else: then it is asked elsewhere.
  [ "${found%% *}" = "$want" ] || received_damaged
  fsync "$part"
  mv -f "$part" "$ROOT/blobs/$want"
  trap - EXIT
  fsync "$ROOT/blobs"
  finish
}

# Who sends waits for this many bytes to have arrived: how long that takes tells him what the line is like.
first_bytes=65536

incoming() { # to standard output; what there is to say meanwhile goes to 3
  if [ "$served" != yes ]; then
    cat
    return
  fi
  rest=$((size - first_bytes))
  if [ "$rest" -gt 0 ]; then
    take "$first_bytes" || return 1
    say progress "bytes=$first_bytes" >&3
    take "$rest"
  else
    take "$size"
  fi
}

# A request is followed by others, which are sent after its answer: nothing beyond these bytes can be read by mistake.
take() { # bytes
  # In big pieces, where dd can count bytes. One that cannot has read nothing when it says so.
  if ! dd bs=131072 count="$1" iflag=fullblock,count_bytes 2>/dev/null; then
    if dd count=0 iflag=fullblock,count_bytes </dev/null >/dev/null 2>&1; then return 1; fi
    head -c "$1"
  fi
}

# Many a sha256sum knows nothing of the processor's instructions for it and takes five times as long as openssl, so it is
# asked second; what it says counts.
received_damaged() {
  got_size=$(wc -c <"$part" 2>/dev/null || echo 0)
  got_size=$((got_size))
  [ "$written" = yes ] || die no-space "no space for the artifact: $got_size of $size bytes fit in $ROOT/blobs"
  [ "$got_size" = "$size" ] || die upload-damaged "the artifact arrived damaged: $got_size of $size bytes"
  found=$(sha256sum <"$part") || die receive-failed "the artifact cannot be read again"
  found=${found%% *}
  [ "$found" = "$want" ] || die upload-damaged "the artifact arrived damaged: sha256 $found instead of $want ($got_size of $size bytes)"
}

verb_stage() {
  member
  case $state in
    staged) finish state=staged already=yes ;;
    open) ;;
    *) wrong_state ;;
  esac
  needs_lease
  load_plan "$ROOT/txn/$txn/plan"
  journal begin
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    stage_component
  done
  set_state staged || die write-failed "cannot record the state"
  finish state=staged
}

stage_component() {
  meta=$croot/releases/.meta/$release
  if release_complete "$croot" "$release"; then
    release_intact "$croot" "$release" || die release-damaged "release $release of $name is damaged: its files do not match their checksums" "component=$name"
    # Perhaps put in place by a try that was killed right after.
    for noted in "$meta" "$meta.sums" "$croot/releases/.meta" "$croot/releases"; do if [ -e "$noted" ]; then fsync_later "$noted"; fi; done
    return 0
  fi
  [ "$sha" != - ] || die release-missing "release $release of $name is not on this host" "component=$name"
  blob=$ROOT/blobs/$sha
  [ -f "$blob" ] || die blob-missing "the artifact of $name is not on this host" "component=$name"
  make_folder "$croot/releases/.meta"
  partial=$croot/releases/.partial.$txn
  if [ -e "$partial" ]; then rm -rf "$partial"; fi
  mkdir "$partial" || die no-rights "cannot write in $croot/releases" "component=$name"
  case $format in
    tar) unpack_error=$(tar -xopf "$blob" -C "$partial" 2>&1 9>&-) ;;
    tar.gz) unpack_error=$(tar -xzopf "$blob" -C "$partial" 2>&1 9>&-) ;;
    tar.zst) unpack_error=$( (zstd -dcq "$blob" | tar -xopf - -C "$partial") 2>&1 9>&-) ;;
    *) die plan-invalid "unknown format $format" ;;
  esac || {
    rm -rf "$partial"
    die unpack-failed "cannot unpack the artifact of $name: $(tail_of "$unpack_error")" "component=$name"
  }
  chmod 755 "$partial"
  if [ "$owner" != - ]; then chown -Rh "$owner" "$partial" 2>/dev/null || { rm -rf "$partial" && die no-rights "cannot give the files of $name to $owner" "component=$name"; }; fi
  # Reading for the checksums and writing to the disk go on side by side. What reads keeps the lock until it ends.
  checksums "$partial" "$meta.sums" &
  sums=$!
  fsync_tree "$partial"
  wait "$sums" || die no-space "cannot record the checksums of $name" "component=$name"
  stamp
  # Nothing of it counts before the state says that it is staged, so it needs no rename, only to be on the disk by then.
  printf '%s\n' "$p_version$TAB$sha$TAB$stamped" 2>/dev/null >"$meta" || die no-space "cannot write $meta" "component=$name"
  mv -T "$partial" "$croot/releases/$release" || die unpack-failed "cannot put release $release of $name in place" "component=$name"
  # What changes from here on is younger than this; see release_untouched. Where it is missing, everything is read.
  seal_of_now
  { printf '%s\n' "$seal" >"$meta.seal"; } 2>/dev/null || :
  fsync_later "$meta.sums" "$meta" "$croot/releases/.meta" "$croot/releases"
  journal staged "$name"
}

verb_switch() { # one component
  member
  arg component
  wanted=$value
  case $state in
    switched) finish state=switched already=yes ;;
    staged | switching) ;;
    halted)
      [ "${a_override:-no}" = yes ] || wrong_state
      load_plan "$ROOT/txn/$txn/plan"
      left_half_way || finish state=halted already=yes
      ;;
    *) wrong_state ;;
  esac
  needs_lease
  load_plan "$ROOT/txn/$txn/plan"
  read_secrets
  found=no
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    if [ "$name" = "$wanted" ]; then
      found=yes
      break
    fi
  done
  # A host without components, for migrations only, is switched by saying so.
  if [ "$components" -eq 0 ]; then
    set_state switched || die write-failed "cannot record the state"
    finish state=switched
  fi
  [ "$found" = yes ] || refuse bad-call "component $wanted is not in the plan"
  if [ ! -f "$ROOT/txn/$txn/done.$name" ]; then
    release_complete "$croot" "$release" || die release-missing "release $release of $name is not complete" "component=$name"
    # shellcheck disable=SC2086 # split on purpose
    have_secrets $uses || refuse secret-missing "the commands of $name need secrets that were not given:$uses" "component=$name"
    # Nobody watches what has halted.
    if [ "$state" = halted ]; then arm_watcher; fi
    # That it is there is all that it says, so it needs no rename; it reaches the disk with the state.
    echo yes 2>/dev/null >"$ROOT/txn/$txn/begun.$name" || die write-failed "cannot write in $ROOT/txn/$txn"
    if [ "$state" = switching ]; then fsync "$ROOT/txn/$txn"; else set_state switching || die write-failed "cannot record the state"; fi
    journal begin "$name"
    previous_of "$name"
    started_how=again
    if [ "$when" = stop-start ]; then
      if [ "$previous" != - ] || [ "$manager" != command ]; then
        service_stop || die stop-failed "$why" "component=$name"
      fi
      started_how=fresh
    elif [ "$previous" = - ]; then
      # What runs here without a release of ours needs more than a reload, and a command that stops it may not know it yet.
      if [ "$manager" = command ]; then started_how=fresh; else started_how=anew; fi
    fi
    point_current "$croot" "releases/$release" || die switch-failed "cannot switch $croot/current to release $release" "component=$name"
    journal linked "$name"
    service_start "$started_how" || die start-failed "$why" "component=$name"
    echo yes 2>/dev/null >"$ROOT/txn/$txn/done.$name" || die write-failed "cannot write in $ROOT/txn/$txn"
    journal end "$name"
  fi
  i=0 missing=no
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    [ -f "$ROOT/txn/$txn/done.$name" ] || missing=yes
    # A power cut before the state says `switched` is reverted, whichever of the two releases the link leads to then.
    fsync_later "$croot"
  done
  if [ "$missing" = yes ]; then fsync "$ROOT/txn/$txn"; else set_state switched || die write-failed "cannot record the state"; fi
  finish "state=$state"
}

# A lease that ended past the point of no return may have cut a switch short, with a service that stands still.
left_half_way() {
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    [ -f "$ROOT/txn/$txn/done.$name" ] || return 0
  done
  return 1
}

previous_of() { # component name -> $previous: link text, or - for none
  previous=''
  while IFS=$TAB read -r previous_name previous_link; do
    if [ "$previous_name" = "$1" ]; then previous=$previous_link; fi
  done <"$ROOT/txn/$active/previous"
  [ -n "$previous" ] || die state-broken "txn/$active/previous does not name component $1"
}

verb_renew() {
  arg txn
  txn=$value
  arg epoch
  want_epoch=$value
  arg seq
  want_seq=$value
  is_number "$want_epoch" && is_number "$want_seq" || refuse bad-call "bad number"
  [ -d "$ROOT" ] || refuse not-open "transaction $txn holds no lease on this host" state=idle
  # A vote is given under the main lock, so that no revert can begin beside it. A heartbeat only lengthens the lease.
  if [ "${a_vote:-no}" = yes ]; then lock "${a_wait:-10}"; fi
  {
    lease_lock
    load
    [ "$want_epoch" -ge "$epoch" ] || refuse fenced "epoch $want_epoch is over: this host is at epoch $epoch" "epoch=$epoch" "owner=$lease_owner" "state=$state"
    [ "$want_epoch" = "$epoch" ] || refuse not-open "epoch $want_epoch was not opened on this host" "epoch=$epoch" "state=$state"
    [ "$lease_txn" = "$txn" ] || refuse not-open "transaction $txn holds no lease on this host" "state=$state"
    if [ "${a_vote:-no}" = yes ] && [ "$state" != switched ]; then
      { [ "${a_override:-no}" = yes ] && [ "$state" = halted ]; } || wrong_state
    fi
    needs_lease
    # Asked again because the answer got lost: it counts from when it was given.
    if [ "$want_seq" = "$lease_seq" ]; then finish "state=$state" already=yes; fi
    # A renewal that was delayed on the way must not lengthen a lease after a later one: the vote counts on its order.
    [ "$want_seq" -gt "$lease_seq" ] || refuse late "renewal $want_seq comes after $lease_seq" "state=$state"
    new_lease "$lease_length" "$want_seq"
    # Not brought to the disk: no lease outlives its boot, and the epoch has a file of its own.
    keep_folder=$ROOT
    printf '%s\n' "$lease_line" 2>/dev/null >"$ROOT/lease.$$.tmp" && mv -f "$ROOT/lease.$$.tmp" "$ROOT/lease" || keep_failed "$ROOT/lease"
  } 8>>"$ROOT/lease.lock"
  finish "state=$state"
}

verb_decide() {
  member
  arg decision
  case $value in
    commit)
      if [ "$decision" = commit ]; then finish state=confirmed decision=commit already=yes; fi
      [ "$decision" != abort ] || refuse decided "the decision of transaction $txn is abort" "state=$state" "decision=abort"
      [ "$state" = switched ] || { [ "${a_override:-no}" = yes ] && [ "$state" = halted ]; } || wrong_state
      needs_lease
      arg seq
      [ "$value" = "$lease_seq" ] || refuse late "the vote $value is not the last renewal $lease_seq" "state=$state"
      # The decision's rename commits. The state shares the way to the disk with it and then only needs its name, which
      # may be lost: `load` takes a switched host with this decision for confirmed.
      prepared=$ROOT/txn/$txn/state.$$.tmp keep_folder=$ROOT/txn/$txn
      printf '%s\n' confirmed 2>/dev/null >"$prepared" || keep_failed "$ROOT/txn/$txn/state"
      fsync_later "$prepared"
      keep "$ROOT/txn/$txn/decision" commit
      journal decided commit
      state_before=$state
      if mv -f "$prepared" "$ROOT/txn/$txn/state"; then
        state=confirmed
        journal state confirmed
      fi
      [ "$state_before" = switched ] || fsync "$ROOT/txn/$txn"
      ;;
    abort)
      if [ "$decision" = commit ] && [ "${a_override:-no}" != yes ]; then refuse decided "the decision of transaction $txn is commit" "state=$state" "decision=commit"; fi
      # A commit that never reached the state file is known by its decision alone, which is about to be replaced.
      if [ "$decision" = commit ]; then set_state "$state" || die write-failed "cannot record the state"; fi
      keep "$ROOT/txn/$txn/decision" abort
      journal decided abort
      ;;
    *) refuse bad-call "the decision is commit or abort" ;;
  esac
  get "$ROOT/txn/$txn/decision"
  finish "state=$state" "decision=$got"
}

verb_confirm() {
  member
  case $state in
    confirmed) finish state=confirmed already=yes ;;
    switched) ;;
    halted) [ "${a_override:-no}" = yes ] || wrong_state ;;
    *) wrong_state ;;
  esac
  set_state confirmed || die write-failed "cannot record the state"
  finish state=confirmed
}

verb_revert() {
  if [ -z "${a_txn-}" ]; then revert_by_hand; fi
  member
  load_plan "$ROOT/txn/$txn/plan"
  read_secrets
  case $state in
    reverted) finish state=reverted already=yes ;;
    confirmed | halted)
      [ "${a_override:-no}" = yes ] || wrong_state
      # Nobody watches here any more; if the caller dies half-way, the lease has to finish this.
      rm -f "$ROOT/reserve"
      arm_watcher
      set_state reverting || :
      ;;
    *) ;;
  esac
  put "$ROOT/txn/$txn/reverted-by" "${a_reason:-the coordinator}" || :
  if [ "${a_hold:-no}" = yes ]; then
    do_revert hold || die revert-failed "$revert_why" "state=$state"
  else
    do_revert full || die revert-failed "$revert_why" "state=$state"
  fi
  # shellcheck disable=SC2086 # split on purpose
  finish "state=$state"
}

revert_by_hand() {
  secret_names=
  lock 60
  load
  [ -n "$active" ] || refuse not-open "no transaction is open on this host: nothing to revert"
  txn=$active
  load_plan "$ROOT/txn/$txn/plan"
  if [ "$state" = reverted ]; then finish state=reverted already=yes; fi
  if [ "$state" = confirmed ]; then refuse decided "transaction $txn is confirmed: use the rollback action, or deploy the older version"; fi
  epoch=$((epoch + 1))
  keep "$ROOT/epoch" "$epoch"
  if [ "$state" = halted ]; then arm_watcher; fi
  put "$ROOT/txn/$txn/reverted-by" "a person on the host" || :
  do_revert full || die revert-failed "$revert_why" "state=$state"
  finish "state=$state"
}

# Needs nothing but the plan and what open recorded. Safe to run again from any point: it compares before it acts, and the
# state stays `reverting` until every component is back.
do_revert() { # full | hold: hold stops before services are started, so that a migration can be undone in between
  revert_why=''
  secret_names=${secret_names-}
  rm -f "$ROOT/reserve"
  if [ "$state" = open ] || [ "$state" = staged ]; then
    set_state reverted
    return
  fi
  set_state reverting || :
  journal begin revert
  i=$components
  while [ "$i" -gt 0 ]; do
    component "$i"
    i=$((i - 1))
    [ -f "$ROOT/txn/$active/begun.$name" ] || continue
    revert_link || revert_why="$revert_why $name: $why"
  done
  if [ "$1" = hold ]; then
    journal held
    [ -z "$revert_why" ]
    return
  fi
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    [ -f "$ROOT/txn/$active/begun.$name" ] || continue
    previous_of "$name"
    if [ "$previous" != - ]; then
      revert_start || revert_why="$revert_why $name: $why"
    fi
  done
  if [ -n "$revert_why" ]; then
    set_state revert-failed || :
    critical "the revert failed:$revert_why"
    journal failed "$revert_why"
    return 1
  fi
  if ! set_state reverted; then
    revert_why="everything is back, but the state could not be recorded (disk full?)"
    return 1
  fi
  journal end revert
}

revert_link() {
  why=''
  previous_of "$name"
  # shellcheck disable=SC2086 # split on purpose
  if [ "$manager" = command ] && ! have_secrets $uses; then
    why="its commands need secrets that only the workflow has; run recover"
    return 1
  fi
  if [ "$boot_time" = no ] && { [ "$when" = stop-start ] || [ "$previous" = - ]; }; then
    service_stop || return 1
  fi
  current_of "$croot"
  if [ "$previous" = - ]; then
    if [ "$link_kind" != none ]; then
      rm -f "$croot/current" && fsync "$croot" || {
        why="cannot remove $croot/current"
        return 1
      }
    fi
  elif [ "$link_text" != "$previous" ]; then
    { point_current "$croot" "$previous" && fsync "$croot"; } || {
      why="cannot point $croot/current back to $previous"
      return 1
    }
  fi
  journal linked-back "$name $previous"
}

revert_start() {
  current_of "$croot"
  release=$link_id
  if [ "$when" = stop-start ]; then service_start fresh; else service_start again; fi
}

verb_resume() { # roll forward: reverted by its own lease although the ledger had decided to commit
  member
  case $state in
    confirmed) finish state=confirmed already=yes ;;
    staged | switching | switched)
      # See verb_open.
      arm_watcher
      finish "state=$state" already=yes
      ;;
    reverted) ;;
    *) wrong_state ;;
  esac
  needs_lease
  load_plan "$ROOT/txn/$txn/plan"
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    release_complete "$croot" "$release" && release_intact "$croot" "$release" || die release-missing "release $release of $name is not intact on this host" "component=$name"
    rm -f "$ROOT/txn/$txn/begun.$name" "$ROOT/txn/$txn/done.$name"
  done
  rm -f "$ROOT/txn/$txn/reverted-by"
  arm_watcher
  set_state staged || die write-failed "cannot record the state"
  finish state=staged
}

verb_fence() { # from here on the old coordinator is powerless
  arg epoch
  want_epoch=$value
  is_number "$want_epoch" || refuse bad-call "bad epoch"
  arg txn
  txn=$value
  is_name "$txn" || refuse bad-call "bad transaction id"
  arg lease
  want_lease=$value
  is_number "$want_lease" || refuse bad-call "bad lease"
  lock "${a_wait:-10}"
  load
  # The same run on the same runner is the same process asking again: two jobs of one run have a runner each.
  again=no
  if [ "$want_epoch" = "$epoch" ] && [ "$lease_txn" = "$txn" ] && [ "$lease_owner" = "${a_owner:--}" ] && [ "$lease_runner" = "${a_runner:--}" ]; then again=yes; fi
  if [ "$lease_alive" = yes ] && [ "${a_evidence:-}" != run-finished ] && [ "$again" = no ]; then
    refuse locked "another deployment holds this host" "transaction=$lease_txn" "owner=$lease_owner" "runner=$lease_runner" "since=$lease_since" "ends=$lease_ends"
  fi
  if [ "$want_epoch" -le "$epoch" ] && [ "$again" = no ]; then
    refuse fenced "epoch $want_epoch is over: this host is at epoch $epoch" "epoch=$epoch"
  fi
  epoch=$want_epoch
  stamp
  lease_txn=$txn lease_since=$stamped lease_owner=${a_owner:--} lease_runner=${a_runner:--}
  {
    lease_lock
    new_lease "$want_lease" 0
    keep_all "$ROOT/epoch" "$epoch" "$ROOT/lease" "$lease_line"
  } 8>>"$ROOT/lease.lock"
  if [ -n "$active" ]; then
    txn=$active
    journal fenced "owner=$lease_owner"
    case $state in
      confirmed | reverted | halted) ;;
      *) arm_watcher ;;
    esac
  fi
  finish "state=$state" "active=$active" "decision=$decision"
}

verb_mark() { # key: facts that recovery needs; `no-return`, `migration.<name>`, `local.<host>`
  member
  arg key
  key=$value
  is_name "$key" || refuse bad-call "bad key"
  case $key in
    no-return | migration.* | local.*) ;;
    *) refuse bad-call "unknown mark $key" ;;
  esac
  arg value
  case $key in
    migration.*)
      # A mark that comes late, after the undo has begun, would say again what is being taken back.
      get "$ROOT/txn/$txn/$key"
      case $got/$value in
        undo*/undo*) ;;
        undo*) refuse late "mark '$value' of $key comes after '$got'" "state=$state" ;;
      esac
      ;;
  esac
  [ -n "$active" ] || wrong_state
  keep "$ROOT/txn/$txn/$key" "$value"
  journal mark "$key=$value"
  finish "state=$state"
}

verb_migrate() { # text on standard input after the secrets
  member
  [ "$state" != idle ] || wrong_state
  # Forward only while the lease lives and nobody has gone back: one that waited for the lock meanwhile would change what
  # has been undone since. The way back has to be open at any time.
  case ${a_step:-} in
    backup | up)
      needs_lease
      [ "$state" = staged ] || wrong_state
      ;;
  esac
  arg timeout
  limit=$value
  is_number "$limit" || refuse bad-call "bad timeout"
  read_secrets
  text=$(cat)
  load_plan "$ROOT/txn/$txn/plan"
  uses=$secret_names name=migration release=$p_transaction croot=$ROOT/txn/$txn
  journal begin "migration ${a_name:-} ${a_step:-}"
  # The lock is held to its end, so that nobody undoes a migration that still runs.
  status=0
  captured "$limit" "$text" || status=$?
  journal end "migration ${a_name:-} ${a_step:-} exit=$status"
  if [ "$status" -ne 0 ]; then
    die migration-failed "${a_step:-} of migration ${a_name:-} failed with exit code $status$([ "$status" != 124 ] || printf ' (no end within %s s)' "$limit"): $(tail_of "$output")"
  fi
  finish "output=$(tail_of "$output")"
}

verb_close() { # history line on standard input
  member
  case $state in
    confirmed) ended=new ;;
    open | staged | reverted) ended=old ;;
    halted) ended=new ;;
    *) wrong_state ;;
  esac
  IFS= read -r history || history=
  load_plan "$ROOT/txn/$txn/plan"
  journal begin close
  doomed=''
  if [ -n "$history" ]; then append_history; fi
  # Both endings were verified by health checks; any other keeps what tells a person to look.
  case $state/${a_outcome:-deployed} in
    confirmed/deployed | reverted/rolled-back) if [ -e "$ROOT/CRITICAL" ]; then rm -f "$ROOT/CRITICAL"; fi ;;
  esac
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    # Also what a transaction left that was killed: nobody else works here while this one holds the lock.
    for leftover in "$croot/releases"/.partial.* "$croot"/.current.*; do
      if [ -e "$leftover" ] || [ -L "$leftover" ]; then rm -rf "$leftover"; fi
    done
    if [ "$ended" = new ]; then
      if [ "$vfile" != - ]; then keep "$croot/$vfile" "$p_version"; fi
    elif [ "$release" = "$txn" ]; then
      current_of "$croot"
      if [ "$link_id" != "$release" ]; then rm -rf "$croot/releases/$release" "$croot/releases/.meta/$release" "$croot/releases/.meta/$release.sums" "$croot/releases/.meta/$release.seal"; fi
    fi
    previous_of "$name"
    prune_releases
  done
  if [ "${a_quarantine:-no}" = yes ]; then
    if ! grep -qxF "$p_version" "$ROOT/quarantine" 2>/dev/null; then printf '%s\n' "$p_version" >>"$ROOT/quarantine" && fsync "$ROOT/quarantine"; fi
  elif [ "$state" = confirmed ] && [ -f "$ROOT/quarantine" ]; then
    rest=$(grep -vxF "$p_version" "$ROOT/quarantine" || :)
    if [ -n "$rest" ]; then keep "$ROOT/quarantine" "$rest"; else rm -f "$ROOT/quarantine"; fi
  fi
  prune_blobs
  prune_transactions
  [ -z "$unsynced" ] || fsync
  remove_doomed
  # The last step: until here the next run finds the transaction and finishes it. Before it go the lease, and what agents
  # were writing when they were killed, as logind does with what a login leaves.
  drop_lease "$ROOT/lease" "$ROOT"/*.tmp "$ROOT"/agent.sh.* "$ROOT/txn/$txn"/*.tmp "$ROOT/active"
  fsync "$ROOT"
  # What is left here goes into the report: nobody has to ask again.
  say host state=idle
  say_components
  finish state=idle
}

doom() { # path...: removed at the end with all others, by one process
  for path in "$@"; do
    case $path in
      *"$NL"*) rm -rf "$path" ;;
      *) doomed="$doomed$path$NL" ;;
    esac
  done
}

remove_doomed() {
  set -f
  IFS=$NL
  # shellcheck disable=SC2086 # split on purpose
  set -- $doomed
  unset IFS
  set +f
  [ "$#" -eq 0 ] || rm -rf "$@"
}

append_history() {
  file=$ROOT/history.jsonl
  fsync_later "$file"
  if [ -f "$file" ]; then
    # Until this transaction is closed no other one writes here, so its line can only be the last.
    last_line=$(tail -n 1 "$file" && echo .)
    case $last_line in
      *"\"$txn\""*) return 0 ;;
    esac
    # A line that a power cut tore must not swallow the next one.
    case $last_line in
      *"$NL." | .) ;;
      *) printf '\n' >>"$file" ;;
    esac
  fi
  printf '%s\n' "$history" >>"$file" || die write-failed "cannot write $file"
}

prune_releases() { # the newest $p_keep stay, and always current and the way back
  current_now "$croot" "$release"
  # Release ids begin with their time, so the order of names, in which the shell expands them, is the order of age.
  too_many=$((-p_keep))
  for meta in "$croot/releases/.meta"/*; do
    if is_release_meta "$meta"; then too_many=$((too_many + 1)); fi
  done
  for meta in "$croot/releases/.meta"/*; do
    [ "$too_many" -gt 0 ] || break
    is_release_meta "$meta" || continue
    too_many=$((too_many - 1))
    id=${meta##*/}
    if [ "$id" = "$link_id" ] || [ "$id" = "${previous##*/}" ]; then continue; fi
    doom "$croot/releases/$id" "$meta" "$meta.sums" "$meta.seal"
  done
}

is_release_meta() {
  case $1 in
    */'*' | *.sums | *.seal | *.tmp) return 1 ;;
  esac
}

prune_blobs() {
  blobs_used=' '
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    for meta in "$croot/releases/.meta"/*; do
      is_release_meta "$meta" || continue
      case $NL$doomed in
        *"$NL$meta$NL"*) continue ;;
      esac
      release_meta "$croot" "${meta##*/}"
      blobs_used="$blobs_used$m_sha "
    done
  done
  for blob in "$ROOT/blobs"/*; do
    [ -f "$blob" ] || continue
    case $blobs_used in
      *" ${blob##*/} "*) ;;
      *) doom "$blob" ;;
    esac
  done
  # A receiver that was killed could not clean up; parts of several of them fill a disk. Its boot and its process number
  # are in the name: after a power cut the number is soon another process's.
  read_boot
  for part in "$ROOT/blobs"/.*.part; do
    [ -f "$part" ] || continue
    receiver=${part%.part}
    part_boot=${receiver%.*}
    if [ "${part_boot##*.}" = "$boot" ] && kill -0 "${receiver##*.}" 2>/dev/null; then
      # The number may have gone to another process since.
      find "$part" -mmin +1440 -exec rm -f {} + 2>/dev/null || :
    else
      rm -f "$part"
    fi
  done
}

prune_transactions() { # the last twenty stay for people and for recovery of a host that was away
  too_many=-20
  for old in "$ROOT/txn"/*; do too_many=$((too_many + 1)); done
  for old in "$ROOT/txn"/*; do
    [ "$too_many" -gt 0 ] || break
    too_many=$((too_many - 1))
    [ "${old##*/}" = "$txn" ] || doom "$old"
  done
}

verb_critical() { # by the coordinator: a rollback that failed as a whole
  member
  arg message
  load_plan "$ROOT/txn/$txn/plan"
  critical "$value"
  finish "state=$state"
}

# ---------------------------------------------------------------- evidence

verb_save() { # the state capture, a JSON text on standard input
  arg folder
  folder=$value
  arg file
  is_name "$value" || refuse bad-call "bad file name"
  make_folder "$folder"
  text=$(cat)
  put "$folder/$value" "$text" || die write-failed "cannot write $folder/$value"
  prune_captures
  finish "path=$folder/$value"
}

prune_captures() { # the newest two hundred stay; their names begin with their time
  too_many=-200
  for old in "$folder"/*.json; do
    if [ -f "$old" ] && [ ! -L "$old" ]; then too_many=$((too_many + 1)); fi
  done
  for old in "$folder"/*.json; do
    [ "$too_many" -gt 0 ] || break
    if [ -f "$old" ] && [ ! -L "$old" ]; then
      too_many=$((too_many - 1))
      rm -f "$old"
    fi
  done
}

verb_forensics() { # logs, states and files of the release that failed
  member
  load_plan "$ROOT/txn/$txn/plan"
  secret_names=
  # A rollback saves what it is about to leave, not what it goes to.
  failed_version=${a_version:-$p_version}
  is_name "$failed_version" || refuse bad-call "bad version"
  now_iso
  captured_at=$iso
  folder=$p_forensics/$failed_version-$(date -u +%Y%m%dT%H%M%SZ)-$p_host
  mkdir -p "$folder" 2>/dev/null || die no-rights "cannot create $folder as user $(id -un)" "path=$folder"
  chmod 700 "$folder"
  cp "$ROOT/txn/$txn/plan" "$ROOT/txn/$txn/previous" "$folder/" 2>/dev/null || :
  cp "$ROOT/txn/$txn/journal" "$folder/journal" 2>/dev/null || :
  {
    printf 'transaction\t%s\nversion\t%s\nenvironment\t%s\nhost\t%s\nstate\t%s\ncaptured\t%s\nreason\t%s\n' \
      "$txn" "$failed_version" "$p_environment" "$p_host" "$state" "$captured_at" "${a_reason:--}"
  } >"$folder/metadata"
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    if [ "${a_subject:-target}" = previous ]; then
      previous_of "$name"
      release=${previous##*/}
    fi
    mkdir -p "$folder/$name"
    component_logs 2000 >"$folder/$name/log" 2>&1 || :
    service_sample >"$folder/$name/service" 2>&1 || :
    if [ -d "$croot/releases/$release" ]; then
      # Links cost no space; another file system needs a copy.
      cp -al "$croot/releases/$release" "$folder/$name/release" 2>/dev/null || {
        rm -rf "$folder/$name/release"
        cp -a "$croot/releases/$release" "$folder/$name/release" 2>/dev/null || printf 'the release did not fit\n' >"$folder/$name/release.missing"
      }
    fi
  done
  find "$p_forensics" -mindepth 1 -maxdepth 1 -type d -name "*-$p_host" | sort -r | tail -n +11 | while IFS= read -r old; do rm -rf "$old"; done
  finish "path=$folder"
}

component_logs() { # lines
  case $manager in
    systemd)
      # shellcheck disable=SC2086 # split on purpose
      for unit in $units; do journalctl --no-pager -q -o short-iso -n "$1" --since=-15min -u "$unit" 2>&1 9>&- || systemctl status --no-pager -n 50 -- "$unit" 2>&1 9>&- || :; done
      ;;
    process | command) tail -n "$1" "$ROOT/log/$name.log" 2>/dev/null || : ;;
    *) : ;;
  esac
}

# ---------------------------------------------------------------- read-only verbs: no lock, nothing changed

verb_status() {
  load
  read_boot
  stamp
  machine=-
  if [ -r /etc/machine-id ]; then IFS= read -r machine </etc/machine-id || :; fi
  init=none
  if [ -d /run/systemd/system ]; then init=systemd; fi
  busy=no
  if [ -e "$ROOT/lock" ] && [ -r "$ROOT/lock" ] && command -v flock >/dev/null 2>&1 && ! { flock -n 8; } 8<"$ROOT/lock" 2>/dev/null; then busy=yes; fi
  user=root
  is_root || user=$(id -un)
  say host "epoch=$epoch" "state=$state" "active=$active" "boot=$boot" "machine=$machine" "init=$init" "user=$user" "busy=$busy" "now=$stamped"
  if [ -n "$lease_txn" ]; then
    say lease "transaction=$lease_txn" "epoch=$lease_epoch" "alive=$lease_alive" "left=$lease_left" "owner=$lease_owner" "runner=$lease_runner" "since=$lease_since" "ends=$lease_ends" "length=$lease_length"
  fi
  for folder in "$ROOT/txn"/*; do
    [ -f "$folder/state" ] || continue
    id=${folder##*/}
    get "$folder/state"
    past_state=$got
    if [ "$id" = "$active" ]; then past_state=$state; fi
    get "$folder/decision"
    past_decision=$got
    get "$folder/reverted-by"
    past_by=$got
    marks=
    for mark in "$folder"/migration.* "$folder"/local.* "$folder/no-return"; do
      [ -f "$mark" ] || continue
      get "$mark"
      marks="$marks${mark##*/}=$got "
    done
    say transaction "id=$id" "state=$past_state" "decision=$past_decision" "reverted-by=$past_by" "marks=$marks"
  done
  if [ -n "$active" ]; then
    while IFS= read -r line; do
      say plan "line=$line"
    done <"$ROOT/txn/$active/plan"
    while IFS=$TAB read -r previous_name previous_link; do
      if [ -n "$previous_name" ]; then
        previous=${previous_link##*/}
        [ "$previous_link" != - ] || previous=-
        say previous "component=$previous_name" "release=$previous"
      fi
    done <"$ROOT/txn/$active/previous"
  fi
  if [ -f "$ROOT/quarantine" ]; then while IFS= read -r line; do say quarantine "version=$line"; done <"$ROOT/quarantine"; fi
  if [ -f "$ROOT/CRITICAL" ]; then get "$ROOT/CRITICAL" && say critical "message=$got"; fi
  for file in "$ROOT"/*.broken "$ROOT/txn"/*/*.broken; do if [ -f "$file" ]; then say broken "file=$file"; fi; done
  if [ -f "$ROOT/history.jsonl" ]; then tail -n 20 "$ROOT/history.jsonl" | while IFS= read -r line; do say history "line=$line"; done; fi
  for blob in "$ROOT/blobs"/*; do if [ -f "$blob" ]; then say blob "sha=${blob##*/}"; fi; done
  # Somebody at the keyboard gives no plan; a coordinator always does.
  if [ "${a_plan:-no}" = yes ]; then
    read_plan "the plan on standard input"
    say_components
  fi
  finish
}

say_components() {
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    # Before a deployment begins, what the link says is looked at, and not only where it leads.
    if [ "$verb" = close ]; then current_now "$croot" "$release"; else current_of "$croot"; fi
    m_version=- m_sha=-
    if [ "$link_kind" = release ]; then release_meta "$croot" "$link_id"; fi
    file_version=-
    if [ "$vfile" != - ]; then
      get "$croot/$vfile"
      file_version=${got:--}
    fi
    say component "name=$name" "kind=$link_kind" "release=${link_id:--}" "version=$m_version" "sha=$m_sha" "file-version=$file_version"
    for meta in "$croot/releases/.meta"/*; do
      id=${meta##*/}
      is_release_meta "$meta" || continue
      if release_complete "$croot" "$id"; then
        release_meta "$croot" "$id"
        say release "component=$name" "id=$id" "version=$m_version" "sha=$m_sha" "created=$m_created"
      fi
    done
    for leftover in "$croot/releases"/.partial.* "$croot"/.current.*; do
      if [ -e "$leftover" ] || [ -L "$leftover" ]; then say leftover "path=$leftover"; fi
    done
  done
}

verb_probe() { # secrets first, then the plan
  read_secrets
  read_plan "the plan on standard input"
  # The plan of a probe names no transaction: what runs is mostly the release of the one that is active.
  get "$ROOT/active"
  if is_name "$got"; then p_transaction=$got; fi
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    service_sample
    current_now "$croot" "$release"
    m_version=-
    if [ "$link_kind" = release ]; then release_meta "$croot" "$link_id"; fi
    say version "component=$name" "version=$m_version"
  done
  finish
}

verb_capture() { # probe and the system's facts
  read_secrets
  read_plan "the plan on standard input"
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    service_sample
  done
  say_components
  read -r load1 load5 load15 _ </proc/loadavg
  boot_time_s=0
  while read -r key value _; do
    if [ "$key" = btime ]; then boot_time_s=$value; fi
  done </proc/stat
  iso_of "$boot_time_s"
  since=$iso
  disk_column -Pk / 5
  disk=$column
  IFS= read -r host_name </proc/sys/kernel/hostname || host_name=-
  stamp
  say system "uptime-since=$since" "load1=$load1" "load5=$load5" "load15=$load15" "disk=$disk" "timestamp=$stamped" "hostname=$host_name"
  if [ -f "$ROOT/history.jsonl" ]; then tail -n 3 "$ROOT/history.jsonl" | while IFS= read -r line; do say history "line=$line"; done; fi
  finish
}

verb_logs() { # plan on standard input
  arg component
  wanted=$value
  read_plan "the plan on standard input"
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    if [ "$name" = "$wanted" ]; then say log "text=$(component_logs "${a_lines:-20}" | tail -c 8000)"; fi
  done
  finish
}

verb_run() { # a check's command: secrets, then its text
  arg timeout
  limit=$value
  is_number "$limit" || refuse bad-call "bad timeout"
  read_secrets
  rest_of_input
  temporary -d || die no-space "cannot create a temporary folder"
  out=$temporary
  status=0
  (
    for secret in $secret_names; do eval "$secret=\$secret__$secret; export $secret"; done
    exec timeout -k 5 "$limit" /bin/sh -c "$rest"
  ) </dev/null >"$out/stdout" 2>"$out/stderr" || status=$?
  say ran "code=$status" "stdout=$(head -c 65536 "$out/stdout")" "stderr=$(head -c 65536 "$out/stderr")"
  finish
}

problem() { say problem "code=$1" "component=${name:--}" "message=$2" "remedy=$3"; }

verb_preflight() { # can this plan work here? Every problem, not the first
  read_plan "the plan on standard input"
  name=-
  for tool in flock tar sha256sum readlink timeout setsid awk df find mktemp tail head tee; do
    command -v "$tool" >/dev/null 2>&1 || problem tool-missing "the command '$tool' is missing" "Install it on the host (coreutils, util-linux, tar, findutils)."
  done
  writable "$ROOT" || problem no-rights "user $(id -un) cannot write in $ROOT" "Set 'sudo: true' for the host, give the user that folder, or set 'paths.state' in the manifest."
  if [ "$p_captures" != - ]; then writable "$p_captures" || problem no-rights "user $(id -un) cannot write in $p_captures" "Set 'sudo: true' for the host, give the user that folder, or set 'paths.captures' in the manifest."; fi
  if [ "$p_forensics" != - ]; then writable "$p_forensics" || problem no-rights "user $(id -un) cannot write in $p_forensics" "Set 'sudo: true' for the host, give the user that folder, or set 'paths.forensics' in the manifest."; fi
  measure_rooms
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    preflight_component
  done
  finish
}

writable() { # folder, or the nearest one that exists above it
  where=$1
  while [ ! -e "$where" ] && [ "$where" != / ]; do
    where=${where%/*}
    [ -n "$where" ] || where=/
  done
  [ -d "$where" ] && [ -w "$where" ] && [ -x "$where" ]
}

preflight_component() {
  reading=
  if [ "$sha" = - ] && release_complete "$croot" "$release"; then
    # Both releases are read side by side: it is what a rollback spends most of its time with.
    release_intact "$croot" "$release" &
    reading=$!
  fi
  current_of "$croot"
  case $link_kind in
    directory) problem current-not-ours "$croot/current is a real directory or file, not a link" "Make it the first release: cd $croot && mkdir -p releases && mv -T current releases/first && ln -s releases/first current." ;;
    foreign) problem current-not-ours "$croot/current points to $link_text, which is not below $croot/releases" "Point it to a folder below $croot/releases, or remove it." ;;
    release)
      if [ ! -d "$croot/releases/$link_id" ]; then
        problem way-back-missing "the release that $croot/current points to ($link_id) is missing: there would be no way back" "Restore that release, or remove $croot/current to start afresh."
      elif ! release_untouched "$croot" "$link_id" && ! release_intact "$croot" "$link_id"; then
        problem way-back-damaged "files of the release in use ($link_id) no longer match their checksums: the way back is damaged" "Find out who changed files below $croot/releases/$link_id, and restore them."
      fi
      ;;
    none) ;;
  esac
  if [ -e "$croot" ] && [ ! -d "$croot" ]; then problem not-a-folder "$croot is not a folder" "Remove it, or set another root."; fi
  writable "$croot" || problem no-rights "user $(id -un) cannot write in $croot" "Set 'sudo: true' for the host, or give the folder to that user."
  if [ "$sha" = - ]; then
    if [ "$reading" = "" ]; then
      problem release-missing "release $release of $name is not on this host" "Deploy that version instead of rolling back to it."
    elif ! wait "$reading"; then
      problem release-damaged "release $release of $name is damaged: its files do not match their checksums" "Deploy that version again instead of rolling back to it."
    fi
  else
    is_number "$bytes" || bytes=0
    is_number "$entries" || entries=0
    room "$croot" $((bytes / 1024 + entries * 4 + 1024)) $((entries + 100))
    room "$ROOT" $((bytes / 1024 + 1024)) 100
    if [ "$format" = tar.zst ] && ! command -v zstd >/dev/null 2>&1; then problem tool-missing "the command 'zstd' is missing" "Install zstd on the host, or ship a .tar.gz."; fi
    if [ "$format" = tar.gz ] && ! command -v gzip >/dev/null 2>&1; then problem tool-missing "the command 'gzip' is missing" "Install gzip on the host."; fi
  fi
  if [ "$owner" != - ]; then
    id -u -- "${owner%%:*}" >/dev/null 2>&1 || problem owner-unknown "user ${owner%%:*} does not exist" "Create the user, or correct 'owner'."
    is_root || [ "${owner%%:*}" = "$(id -un)" ] || problem no-rights "only root can give files to ${owner%%:*}" "Set 'sudo: true' for the host."
  fi
  if [ "$manager" = systemd ]; then
    if [ ! -d /run/systemd/system ]; then
      problem no-systemd "systemd does not run on this host" "Use another service manager for $name."
    else
      is_root || problem no-rights "user $(id -un) may not start and stop units" "Set 'sudo: true' for the host."
      for unit in $units; do
        unit_load=$(systemctl show -p LoadState --value -- "$unit" 2>/dev/null) || unit_load=unknown
        case $unit_load in
          loaded) ;;
          masked) problem unit-missing "unit $unit is 'masked': nothing can start it" "Run systemctl unmask $unit on the host, or correct 'units'." ;;
          *) problem unit-missing "unit $unit is '$unit_load', not loaded" "Install the unit file and run systemctl daemon-reload, or correct 'units'." ;;
        esac
      done
    fi
  fi
}

disk_column() { # option folder number -> $column of what df says, empty when it says nothing
  column='' wanted_column=$3
  # shellcheck disable=SC2046 # split on purpose
  set -- $(df "$1" "$2" 2>/dev/null)
  # The header has seven words ("Mounted on"); nobody needs what comes after a name with a space in it.
  shift $((7 < $# ? 7 : $#))
  shift $((wanted_column - 1 < $# ? wanted_column - 1 : $#))
  column=${1:-}
}

# All file systems at once; what stat does not know, df is asked, which is two processes for every folder.
measure_rooms() { # -> $rooms: lines FOLDER, free blocks, their size, inodes, free inodes
  nearest_folder "$ROOT"
  set -- "$where"
  i=0
  while [ "$i" -lt "$components" ]; do
    i=$((i + 1))
    component "$i"
    nearest_folder "$croot"
    set -- "$@" "$where"
  done
  rooms=$NL$(stat -f -c "%n$TAB%a$TAB%S$TAB%c$TAB%d" "$@" 2>/dev/null || :)$NL
}

nearest_folder() { # path -> $where: it, or the first one above it that exists
  where=$1
  while [ ! -d "$where" ]; do
    where=${where%/*}
    [ -n "$where" ] || where=/
  done
}

room() { # folder kilobytes inodes
  nearest_folder "$1"
  room_of=$1 room_kilobytes=$2 room_inodes=$3
  case $rooms in
    *"$NL$where$TAB"*)
      room_line=${rooms#*"$NL$where$TAB"}
      IFS=$TAB
      # shellcheck disable=SC2086 # split on purpose
      set -- ${room_line%%"$NL"*}
      unset IFS
      if is_number "${1:-}" && is_number "${2:-}" && is_number "${3:-}" && is_number "${4:-}"; then
        enough $(($1 * $2 / 1024)) "$3" "$4"
        return 0
      fi
      ;;
  esac
  disk_column -Pk "$where" 4
  free=$column
  disk_column -Pi "$where" 2
  inodes=$column
  disk_column -Pi "$where" 4
  enough "$free" "$inodes" "$column"
}

enough() { # free kilobytes, inodes, free inodes, as far as they are numbers, for $room_of
  if is_number "$1" && [ "$1" -lt "$room_kilobytes" ]; then problem no-space "no space: $room_kilobytes kB needed in $room_of, $1 kB free" "Free space on the host, or lower 'keep-releases'."; fi
  # Some file systems count no inodes and have 0 or - of them.
  if is_number "$2" && [ "$2" -gt 0 ] && is_number "$3" && [ "$3" -lt "$room_inodes" ]; then problem no-inodes "no inodes: $room_inodes needed in $room_of, $3 free" "Remove small files on the host."; fi
}

# ---------------------------------------------------------------- many verbs over one standard input

served=no

# A request is a line `ds1<TAB>call<TAB>ID<TAB>VERB<TAB>key=value...`, its input with a space in front of every line, and
# a line `ds1<TAB>run`. What follows the answer is a line `ds1<TAB>done<TAB>ID<TAB>EXIT-CODE`. It saves every verb a
# session of sshd, sudo and three shells. The bytes of a `receive` follow its last line.
verb_serve() {
  is_root || : # asked here, so that not every request asks
  while IFS= read -r call_line; do
    case $call_line in
      "ds1${TAB}call$TAB"*) ;;
      *) refuse bad-call "not a request" ;;
    esac
    call_input='' call_whole=no
    while IFS= read -r input_line; do
      case $input_line in
        ' '*) call_input="$call_input${input_line# }$NL" ;;
        "ds1${TAB}run")
          call_whole=yes
          break
          ;;
        *) refuse bad-call "not the input of a request" ;;
      esac
    done
    # A request that was cut off is none.
    [ "$call_whole" = yes ] || exit 1
    call_line=${call_line#ds1"$TAB"call"$TAB"}
    call_id=${call_line%%"$TAB"*}
    call_verb=${call_line#*"$TAB"}
    call_verb=${call_verb%%"$TAB"*}
    # For the lines of the journal; asked for once in a second instead of by every verb.
    stamp
    # `|| code=$?` would switch off `set -e` in everything that the verb does.
    set +e
    if [ "$call_verb" = receive ]; then
      (serve_one)
      call_code=$?
    elif [ -z "$call_input" ]; then
      (serve_one) </dev/null
      call_code=$?
    else
      # Through a pipe: some shells keep a here-document in a file, and secrets come this way.
      printf '%s' "$call_input" | (serve_one)
      call_code=$?
    fi
    set -e
    call_input='' # may hold secrets
    printf 'ds1\tdone\t%s\t%s\n' "$call_id" "$call_code"
    # Not all of it may have been read.
    [ "$call_verb" != receive ] || [ "$call_code" -eq 0 ] || break
  done
}

serve_one() {
  set -e
  served=yes
  served_root=$ROOT
  set -f
  IFS=$TAB
  # shellcheck disable=SC2086 # split on purpose
  set -- $call_line
  unset IFS
  set +f
  shift
  for word in "$@"; do
    unescape "$word"
    shift
    set -- "$@" "$unescaped"
  done
  case ${1:-} in
    serve | watch) refuse bad-call "'$1' is no verb of a request" ;;
  esac
  main --root "$served_root" "$@"
}

# ---------------------------------------------------------------- main

main() {
  ROOT='' verb='' txn='' boot_time=no secret_names='' p_app=- p_environment=-
  # The reader of the answer may be gone; dash would end on the signal without its EXIT trap, and leave temporary files.
  trap 'exit 1' PIPE
  case $0 in
    /*) SELF=$0 ;;
    *) SELF=$(pwd)/$0 ;;
  esac
  if [ "${1:-}" = --root ] && [ -n "${2:-}" ]; then
    ROOT=$2
    shift 2
  elif [ -f "${SELF%/*}/lock" ]; then
    ROOT=${SELF%/*}
  fi
  case $ROOT in
    /*) ;;
    *) refuse bad-call "usage: sh agent.sh --root /var/lib/deploy-safeguard/APP status|revert" ;;
  esac
  verb=${1:-}
  [ "$#" -eq 0 ] || shift
  for pair in "$@"; do
    case $pair in
      [a-z]*=*) ;;
      *) refuse bad-call "arguments are key=value" ;;
    esac
    key=${pair%%=*}
    case $key in
      *[!a-z_]*) refuse bad-call "bad key" ;;
    esac
    eval "a_$key=\${pair#*=}"
  done
  case $verb in
    status | open | receive | stage | switch | renew | decide | confirm | revert | resume | fence | mark | migrate | close | critical | save | forensics | probe | capture | logs | run | preflight | boot | serve)
      "verb_$verb"
      ;;
    watch)
      arg txn
      txn=$value
      verb_watch
      ;;
    *) refuse bad-call "unknown verb '$verb'; by hand: status, revert" ;;
  esac
}

# Everything is read before anything runs: a script that is cut off does nothing.
main "$@"
