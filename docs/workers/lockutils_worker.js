// The worker's side of the lockutils line protocol, version 1, to be copied beside a worker. Node 18, nothing else.
//
//     const { serve, directory, name } = require('./lockutils_worker');
//
//     serve({
//       async acquire() { … },
//       async tryAcquire() { … },         // true if it has the lock now
//       async release() { … },
//     });
//
// More is offered if it is there: acquireTimeout(milliseconds) -> boolean, read(), tryRead() -> boolean, remove(), and `path`, the lock's file,
// for `reopen`. Call `lost(reason)` if the library says that a lock that is held was lost.
'use strict';

const fs = require('fs');
const readline = require('readline');

const say = (text) => process.stdout.write(text.replace(/\n/g, ' ') + '\n');

async function obey(lock, verb, argument) {
  switch (verb) {
    case 'acquire':
      await lock.acquire();
      return 'acquired';
    case 'try':
      return (await lock.tryAcquire()) ? 'acquired' : 'busy';
    case 'release':
      await lock.release();
      return 'released';
    case 'acquire-timeout':
      if (lock.acquireTimeout) return (await lock.acquireTimeout(Number(argument))) ? 'acquired' : 'timeout';
      break;
    case 'read':
      if (lock.read) return await lock.read(), 'acquired';
      break;
    case 'try-read':
      if (lock.tryRead) return (await lock.tryRead()) ? 'acquired' : 'busy';
      break;
    case 'remove':
      if (lock.remove) return await lock.remove(), 'removed';
      break;
    case 'reopen':
      if (lock.path) return fs.closeSync(fs.openSync(lock.path)), 'done';
      break;
  }
  return 'unsupported';
}

async function serve(lock) {
  const offers = { timeout: 'acquireTimeout', shared: 'read', remove: 'remove', reopen: 'path' };
  say(['ready', ...Object.keys(offers).filter((word) => lock[offers[word]])].join(' '));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [slot, verb, argument] = line.split(' ');
    say(`${slot} ` + (await obey(lock, verb, argument).catch((error) => `error ${error.code || error.name}: ${error.message}`)));
  }
  process.exit(0);
}

module.exports = {
  serve,
  lost: (reason) => say(`0 lost ${reason}`),
  directory: process.env.LOCKUTILS_DIR,
  name: process.env.LOCKUTILS_NAME,
};
