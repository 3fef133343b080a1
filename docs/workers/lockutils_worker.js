// The lockutils line protocol, version 1, for workers in JavaScript. Copy this file beside your
// worker. Needs Node 18 or newer, and nothing else.
//
//     const { serve, directory, name } = require('./lockutils_worker');
//
//     serve({
//       async acquire() { … },
//       async tryAcquire() { … },         // true: it has the lock now
//       async release() { … },
//     });
//
// Either acquire or tryAcquire is enough: without acquire, tryAcquire is repeated every two
// milliseconds. Optional members add capabilities: acquireTimeout(milliseconds) -> boolean, read(),
// tryRead() -> boolean, remove(), and `path`, the lock's file, for `reopen`, and `fencingToken`, the
// number that the lock gave with the last acquisition. Call `lost(reason)` if the library reports
// that a held lock was lost.
//
// `serve(() => ({ … }))`, with a function, also offers `threads`: each slot is a task of this
// process with its own object. Output of console.log goes to standard error.
'use strict';

const fs = require('fs');
const readline = require('readline');
const { setTimeout: sleep } = require('timers/promises');

const say = (text) => fs.writeSync(1, text.replace(/\n/g, ' ') + '\n');

async function acquire(lock) {
  if (lock.acquire) await lock.acquire();
  else while (!(await lock.tryAcquire())) await sleep(2);
}

const acquired = (lock) =>
  lock.fencingToken == null ? 'acquired' : `acquired token=${lock.fencingToken}`;

async function obey(lock, verb, argument) {
  switch (verb) {
    case 'acquire':
      await acquire(lock);
      return acquired(lock);
    case 'try':
      if (lock.tryAcquire) return (await lock.tryAcquire()) ? acquired(lock) : 'busy';
      break;
    case 'release':
      await lock.release();
      return 'released';
    case 'acquire-timeout':
      if (lock.acquireTimeout) {
        return (await lock.acquireTimeout(Number(argument))) ? acquired(lock) : 'timeout';
      }
      break;
    case 'read':
      if (lock.read) return await lock.read(), acquired(lock);
      break;
    case 'try-read':
      if (lock.tryRead) return (await lock.tryRead()) ? acquired(lock) : 'busy';
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
  console.log = console.info = console.debug = console.error;
  const make = typeof lock === 'function' ? lock : () => lock;
  const locks = [await make(0)];
  const offers = { timeout: 'acquireTimeout', shared: 'read', remove: 'remove', reopen: 'path' };
  const words = Object.keys(offers).filter((word) => locks[0][offers[word]]);
  if (typeof lock === 'function') words.unshift('threads');
  if (!locks[0].tryAcquire) words.push('no-try');
  say(['ready', ...words].join(' '));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [slot, verb, argument] = line.split(' ');
    // Not awaited: a waiting slot must not block the others.
    Promise.resolve(locks[slot] ?? make(Number(slot)))
      .then((own) => obey((locks[slot] = own), verb, argument))
      .catch((error) => {
        const kind = (error && (error.code || error.name)) || 'Error';
        return `error ${kind}: ${(error && error.message) || error}`;
      })
      .then((answer) => say(`${slot} ${answer}`));
  }
  process.exit(0);
}

module.exports = {
  serve,
  lost: (reason) => say(`0 lost ${reason}`),
  directory: process.env.LOCKUTILS_DIR,
  name: process.env.LOCKUTILS_NAME,
};
