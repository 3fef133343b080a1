// The worker of the lock `@NAME@`. Acquire the lock here exactly as your program does.
const fs = require('fs');
const { serve, directory, name } = require('./lockutils_worker.js');

const path = `${directory}/${name}`;

// This lock is a directory that exists while the lock is held. Use your library instead.
function attempt() {
  try {
    fs.mkdirSync(path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

serve({
  async acquire() {
    while (!attempt()) await new Promise((resolve) => setTimeout(resolve, 1));
  },
  async tryAcquire() {
    return attempt();
  },
  async release() {
    fs.rmdirSync(path);
  },
});
