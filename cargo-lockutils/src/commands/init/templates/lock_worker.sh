# The worker of the lock `@NAME@`: take it in the very way in which your scripts do.
lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME

# Here a directory that exists while somebody holds the lock; put your commands in its place.
try() { mkdir "$lock" 2>/dev/null; } # status 0: it has the lock, 1: it is busy
acquire() { until try; do sleep 0.001; done; }
release() { rmdir "$lock"; }

. ./lockutils_worker.sh
