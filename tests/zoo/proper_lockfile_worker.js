// npm's proper-lockfile: mkdir, and a heartbeat on its time; stale after 2 s.
const lockfile = require('proper-lockfile');
const { serve, lost, directory, name } = require('lockutils_worker');

const options = {
  stale: 2000,
  realpath: false,
  onCompromised: (error) => lost(error.message),
};
let unlock;
const take = async (retries) => {
  unlock = await lockfile.lock(`${directory}/${name}`, { ...options, retries });
};

serve({
  acquire: () => take({ forever: true, factor: 1, minTimeout: 2, maxTimeout: 2 }),
  tryAcquire: () =>
    take(0).then(
      () => true,
      (error) => {
        if (error.code === 'ELOCKED') return false;
        throw error;
      },
    ),
  release: () => unlock(),
});
