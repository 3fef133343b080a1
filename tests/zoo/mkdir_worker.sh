# mkdir as a lock, as in many scripts.
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME
try() { mkdir "$lock" 2>/dev/null; }
acquire() { until try; do sleep 0.002; done; }
release() { rmdir "$lock"; }
. "$ZOO_HELPERS/lockutils_worker.sh"
