// The worker of the lock `@NAME@`: take it in the very way in which your program does.
const fs = require('fs');
const { serve, directory, name } = require('./lockutils_worker.js');

const path = `${directory}/${name}`;

// Here a directory that exists while somebody holds the lock; put your library in its place.
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
