# The worker's side of the lockutils line protocol, version 1, to be copied beside a worker. Any POSIX shell.
#
#     lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
#     acquire() { until try; do sleep 0.01; done; }
#     try() { mkdir "$lock" 2>/dev/null; }       # status 0: it has the lock, 1: it is busy
#     release() { rmdir "$lock"; }
#     . ./lockutils_worker.sh
#
# A function that fails otherwise, or writes to standard error, says so with a status above 1. `remove` and `reopen` are offered if they are
# functions.

_answer() { # the word for status 0, the word for status 1, the status
  case $3 in
    0) echo "0 $1" ;;
    1) echo "0 $2" ;;
    *) echo "0 error status $3" ;;
  esac
}

_offers=
for _verb in remove reopen; do
  if command -v "$_verb" >/dev/null && case $(command -v "$_verb") in /*) false ;; esac; then
    _offers="$_offers $_verb"
  fi
done
echo "ready$_offers"

while read -r _slot _verb _rest; do
  case $_verb in
    acquire) acquire; _answer acquired 'error acquire gave up' $? ;;
    try) try; _answer acquired busy $? ;;
    release) release; _answer released 'error release failed' $? ;;
    remove) remove; _answer removed 'error remove failed' $? ;;
    reopen) reopen; _answer 'done' 'error reopen failed' $? ;;
    *) echo "$_slot unsupported" ;;
  esac
done
