# dotlockfile(1) with process ids: it writes that of its caller, this shell.
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
try() {
  dotlockfile -l -p -r 0 -q "$lock"
  case $? in
    0) return 0 ;;
    4) return 1 ;; # L_MAXTRYS
    *) return 2 ;;
  esac
}
acquire() { until try; do sleep 0.002; done; }
release() { dotlockfile -u "$lock"; }
. "$ZOO_HELPERS/lockutils_worker.sh"
