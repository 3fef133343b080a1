# A pid file created with `set -C`; the file of a dead process is removed.
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
try() {
  if (set -C; echo $$ >"$lock") 2>/dev/null; then return 0; fi
  pid=$(cat "$lock" 2>/dev/null)
  if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then rm -f "$lock"; fi
  return 1
}
acquire() { until try; do sleep 0.002; done; }
release() { rm -f "$lock"; }
. "$ZOO_HELPERS/lockutils_worker.sh"
