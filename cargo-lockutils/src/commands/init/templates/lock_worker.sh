# The worker of the lock `@NAME@`. Acquire the lock here exactly as your scripts do.
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME

# This lock is a directory that exists while the lock is held. Use your commands instead.
try() { mkdir "$lock" 2>/dev/null; } # status 0: acquired, 1: busy
acquire() { until try; do sleep 0.001; done; }
release() { rmdir "$lock"; }

. ./lockutils_worker.sh
