# The lockutils line protocol, version 1, for workers in a POSIX shell. Copy this file beside your
# worker.
#
#     lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
#     try() { mkdir "$lock" 2>/dev/null; }       # status 0: acquired, 1: busy
#     release() { rmdir "$lock"; }
#     . ./lockutils_worker.sh
#
# Either `acquire` or `try` is enough: without `acquire`, `try` is repeated every five milliseconds.
# Any other failure has a status above 1. The functions `read_lock` and `try_read` (together),
# `remove` and `reopen` add capabilities. Their output goes to standard error. `acquire` and `try` may
# set `fencing_token` to the number that the lock gave with the acquisition.

exec 3>&1 1>&2

_has() { case $(command -v "$1") in */* | '') return 1 ;; esac; }

_answer() { # the word for status 0, the word for status 1, the status
  case $3 in
    0) [ "$1" = acquired ] && set -- "$1${fencing_token:+ token=$fencing_token}"
      echo "0 $1" >&3 ;;
    1) echo "0 $2" >&3 ;;
    *) echo "0 error status $3" >&3 ;;
  esac
}

_acquire() {
  if _has acquire; then acquire; return; fi
  while :; do
    try && return
    _status=$?
    [ "$_status" -gt 1 ] && return "$_status"
    sleep 0.005
  done
}

_offers=
if _has read_lock; then _offers="$_offers shared"; fi
for _verb in remove reopen; do
  if _has "$_verb"; then _offers="$_offers $_verb"; fi
done
_has try || _offers="$_offers no-try"
echo "ready$_offers" >&3

while read -r _slot _verb _rest; do
  fencing_token=
  case $_verb in
    acquire) _acquire 3>&-; _answer acquired 'error acquire gave up' $? ;;
    try) try 3>&-; _answer acquired busy $? ;;
    release) release 3>&-; _answer released 'error release failed' $? ;;
    read) read_lock 3>&-; _answer acquired 'error read gave up' $? ;;
    try-read) try_read 3>&-; _answer acquired busy $? ;;
    remove) remove 3>&-; _answer removed 'error remove failed' $? ;;
    reopen) reopen 3>&-; _answer 'done' 'error reopen failed' $? ;;
    *) echo "$_slot unsupported" >&3 ;;
  esac
done
