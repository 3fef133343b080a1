// A counterexample, step by step, beside the nearest schedule that does not break the lock.

const phases = {
  idle: 'idle', acquiring: 'acquires', waiting: 'waits', inside: 'in the section', releasing: 'releases',
  removing: 'removes files', leaving: 'exits', finished: 'has finished', dead: 'dead',
};

// The state before the first step, and after each: `snapshot` is undefined if it was not recorded.
function statesOf(schedule) {
  const states = [{ inside: [], snapshot: schedule.before }];
  for (const step of schedule.steps) {
    const last = states.at(-1);
    const inside = last.inside.filter((worker) => worker !== step.worker);
    if (step.inside) inside.push(step.worker);
    states.push({ step, inside: inside.sort((a, b) => a - b), snapshot: step.after ?? last.snapshot });
  }
  return states;
}

// Inodes as small numbers, in the order in which they appear, for each state. One that was gone and
// appears again is another file: file systems use inodes again.
function shortInodes(states) {
  const known = new Map(), numbers = [];
  let next = 1;
  const meet = (inode) => known.has(inode) || known.set(inode, next++);
  for (const { step, snapshot } of states) {
    for (const [, inode] of `${step?.what} ${step?.means}`.matchAll(INODE)) meet(Number(inode));
    snapshot?.files.forEach((file) => meet(file.inode));
    numbers.push(new Map(known));
    const left = new Set(snapshot?.files.map((file) => file.inode) ?? known.keys());
    for (const inode of known.keys()) if (!left.has(inode)) known.delete(inode);
  }
  const short = (inode, at) => numbers[at].get(inode);
  const inText = (text, at) => text.replace(INODE, (_, inode) => `inode #${short(Number(inode), at)}`);
  return { short, inText };
}

const INODE = /\binode (\d+)/g;
const workerName = (number) => `worker ${number}`;

// One schedule: workers, files and keys as they are after the current step, and all steps.
function side(title, about, schedule, same, go) {
  const states = statesOf(schedule), { short, inText } = shortInodes(states);
  const workers = [...new Set(schedule.steps.map((step) => step.worker))].filter((worker) => worker !== null).sort((a, b) => a - b);
  const now = make('div', { class: 'now' }), list = make('ol', { class: 'walk' });
  const rows = states.slice(1).map(({ step, inside }, at) => {
    const lanes = workers.map((worker) => make('i', {
      class: `${inside.includes(worker) ? 'in' : ''} ${worker === step.worker ? 'acts' : ''}`,
    }));
    const row = make('li', {},
      make('span', { class: 'number' }, String(at + 1)), make('span', { class: 'lanes', 'aria-hidden': 'true' }, ...lanes),
      make('span', { class: 'text' }, make('b', {}, step.who), ' ', make('code', {}, inText(step.what, at + 1)), ...(step.means ? [make('small', {}, inText(step.means, at + 1))] : [])));
    row.classList.toggle('switch', at > 0 && states[at].step.who !== step.who);
    row.classList.toggle('two', inside.length > 1);
    row.classList.toggle('differs', at === same);
    row.onclick = () => go(at + 1);
    list.append(row);
    return row;
  });
  const element = make('section', { class: 'side' }, make('h3', {}, title), make('p', { class: 'about' }, about), now, list);
  const show = (at) => {
    at = Math.min(at, states.length - 1);
    const { snapshot, inside } = states[at], before = states[at - 1]?.snapshot;
    const numbered = (snapshot, at) => snapshot?.files.map((file) => ({ ...file, number: short(file.inode, at) }));
    now.replaceChildren(workersNow(workers, snapshot, inside), ...filesNow(snapshot, numbered(snapshot, at), numbered(before, at - 1)), ...keysNow(snapshot, before));
    rows.forEach((row, number) => {
      row.classList.toggle('later', number >= at);
      number === at - 1 ? row.setAttribute('aria-current', 'step') : row.removeAttribute('aria-current');
    });
    // Only the list scrolls, not the page.
    const row = rows[at - 1];
    list.scrollTop = row ? row.offsetTop - list.offsetTop - list.clientHeight / 2 : 0;
  };
  return { element, show, states, inText };
}

function workersNow(workers, snapshot, inside) {
  const of = (worker) => snapshot?.workers[worker];
  const all = snapshot ? snapshot.workers.map((_, worker) => worker) : workers;
  return make('div', { class: 'workers' }, ...all.map((worker) => {
    const isInside = inside.includes(worker);
    const notes = [
      of(worker) ? phases[of(worker).phase] : isInside ? phases.inside : '',
      of(worker)?.lease_over && 'lease over', of(worker)?.wrapper_killed && 'wrapper dead',
    ].filter(Boolean).join(', ');
    const kind = of(worker)?.phase === 'dead' ? 'dead' : isInside ? (inside.length > 1 ? 'both' : 'inside') : of(worker)?.phase ?? '';
    return make('div', { class: `worker ${kind}` }, make('b', {}, workerName(worker)), ' ', notes);
  }));
}

// Without the time that goes on by itself.
const timeless = (thing) => JSON.stringify({ ...thing, left_s: thing.left_s !== undefined, age_s: thing.age_s && age(thing.age_s) });

// A list with what is new or different marked, and what has just gone struck out.
function compared(title, things, before, nameOf, row, none) {
  const old = new Map((before ?? []).map((thing) => [nameOf(thing), timeless(thing)]));
  const names = new Set(things.map(nameOf));
  const gone = (before ?? []).filter((thing) => !names.has(nameOf(thing)));
  const item = (thing, kind) => make('li', { class: kind }, ...row(thing), ...(kind ? [make('em', {}, ` ${kind}`)] : []));
  const items = things.map((thing) => {
    const was = old.get(nameOf(thing));
    return item(thing, !before || was === timeless(thing) ? '' : was ? 'changed' : 'new');
  });
  return [make('h4', {}, title), make('ul', { class: 'things' }, ...items, ...gone.map((thing) => item(thing, 'gone')),
    ...(items.length + gone.length ? [] : [make('li', { class: 'faint' }, none)]))];
}

const age = (seconds) => seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;

function filesNow(snapshot, files, before) {
  if (!snapshot) return [make('p', { class: 'faint' }, 'The states were not recorded: no replay took the same steps.')];
  if (snapshot.keys && !files.length && !before?.length) return [];
  const row = (file) => {
    const users = [...new Set([...file.open ?? [], ...(file.locks ?? []).map((lock) => lock.worker)])].sort((a, b) => a - b);
    const use = users.map((worker) => {
      const locks = (file.locks ?? []).filter((lock) => lock.worker === worker).map((lock) => lock.lock);
      return make('span', { class: locks.length ? 'use held' : 'use' }, ' ', locks.length ? `${locks.join(', ')}: ${workerName(worker)}` : `open: ${workerName(worker)}`);
    });
    return [
      make('b', {}, file.name), file.nameless ? ' (has no name any more)' : '', ' ',
      make('span', { class: 'faint', title: `inode ${file.inode}` }, [
        file.kind === 'file' ? '' : file.kind, `#${file.number}`, file.kind === 'file' ? counted(file.size, 'bytes') : '', file.mode,
        file.age_s ? `${age(file.age_s)} old` : '',
      ].filter(Boolean).join(', ')),
      ...(file.content ? [' ', make('code', {}, `${file.kind === 'symlink' ? '→ ' : ''}${file.content}`)] : []), ...use,
    ];
  };
  // A file that loses its name is the same one, unless it has several.
  const times = (all, number) => (all ?? []).filter((file) => file.number === number).length;
  const isOnce = (number) => times(files, number) < 2 && times(before, number) < 2;
  const nameOf = (file) => isOnce(file.number) ? String(file.number) : `${file.number} ${file.name}`;
  return compared('Files', files, before, nameOf, row, 'none');
}

function keysNow(snapshot, before) {
  if (!snapshot?.keys) return [];
  const row = (key) => [
    make('b', {}, key.name), ' ', make('code', {}, key.value || '(empty)'), ' ',
    make('span', { class: 'faint' }, key.left_s === undefined ? 'no time limit' : `${key.left_s} s left`),
    ...(key.owner === undefined ? [] : [make('span', { class: 'use held' }, `lease: ${workerName(key.owner)}`)]),
  ];
  return compared('On the server', snapshot.keys, before?.keys, (key) => key.name, row, 'nothing');
}

const faults = { crash: 'to the crash', 'wrapper-kill': 'to the crash', expiry: 'to the expiry' };
let stepper = null;

function steps(details, counterexample) {
  stepper?.pause();
  const nearest = counterexample.comparison?.nearest, tried = counterexample.comparison?.tried;
  const ending = (schedule) => schedule.ending.replace('=> ', '');
  const go = (to) => stepper.go(to);
  const sides = [side('This schedule', ending(counterexample), counterexample, nearest?.same, go)];
  if (nearest) sides.push(side('The nearest schedule that does not break the lock', `${nearest.difference}. In the end: ${ending(nearest)}.`, nearest, nearest.same, go));
  const last = Math.max(...sides.map(({ states }) => states.length - 1));
  const overlap = counterexample.overlap === undefined ? undefined : counterexample.overlap + 1;
  const fault = counterexample.steps.findLastIndex((step) => step.fault) + 1;
  const slider = make('input', { type: 'range', min: 0, max: last, step: 1, 'aria-label': 'Step' });
  const number = make('output', { class: 'faint' }), live = make('p', { class: 'live', 'aria-live': 'polite' });
  const button = (text, label, act) => { const b = make('button', { type: 'button', 'aria-label': label }, text); b.onclick = act; return b; };
  const play = button('', 'Play', () => stepper.toggle());
  let at = 0, timer = null;

  const sentence = () => {
    const { step, inside } = sides[0].states[Math.min(at, sides[0].states.length - 1)];
    if (!step) return 'Before the first step.';
    if (at >= sides[0].states.length) return `Only the other schedule goes on. This one has ended: ${ending(counterexample)}.`;
    const two = inside.length > 1 ? ` Now ${inside.map(workerName).join(' and ')} are in the section.` : '';
    return `${step.who}: ${sides[0].inText(step.what, at)}${step.means ? ` (${sides[0].inText(step.means, at)})` : ''}.${two}`;
  };
  stepper = {
    go(to) {
      at = Math.max(0, Math.min(last, to));
      sides.forEach(({ show }) => show(at));
      slider.value = at;
      number.textContent = `step ${at} of ${last}`;
      slider.setAttribute('aria-valuetext', `step ${at} of ${last}`);
      live.textContent = sentence();
      live.classList.toggle('bad', overlap !== undefined && at >= overlap);
    },
    by(steps) { stepper.pause(); stepper.go(at + steps); },
    to(step) { stepper.pause(); stepper.go(step); },
    toggle() {
      if (timer !== null) return stepper.pause();
      if (at === last) stepper.go(0);
      // While it plays, a reader of the screen would never finish a sentence.
      live.setAttribute('aria-live', 'off');
      timer = setInterval(() => { stepper.go(at + 1); if (at === last) stepper.pause(); }, 900);
      shows();
    },
    pause() { clearInterval(timer); timer = null; live.setAttribute('aria-live', 'polite'); shows(); },
  };
  const shows = () => {
    play.textContent = timer === null ? '▶ play' : '❚❚ pause';
    play.setAttribute('aria-label', timer === null ? 'Play' : 'Pause');
  };
  slider.oninput = () => stepper.to(Number(slider.value));
  const element = make('div', { class: 'stepper', role: 'group', 'aria-label': 'Counterexample, step by step' },
    make('div', { class: 'controls' },
      make('div', { class: 'buttons' },
        button('|◀', 'First step', () => stepper.to(0)), button('◀', 'Back', () => stepper.by(-1)), play, button('▶', 'Forward', () => stepper.by(1)),
        button('▶|', 'Last step', () => stepper.to(last)), ...(fault ? [button(faults[counterexample.steps[fault - 1].fault], 'To the fault', () => stepper.to(fault))] : []),
        ...(overlap === undefined ? [] : [button('to the overlap', 'To the overlap', () => stepper.to(overlap))]), number),
      slider, live),
    make('div', { class: 'sides' }, ...sides.map((one) => one.element),
      ...(nearest ? [] : [make('section', { class: 'side' }, make('h3', {}, 'The nearest schedule that does not break the lock'), make('p', { class: 'about' },
        tried ? `None was found: ${counted(tried, 'schedules')} with one change to this one ended no better.` : 'None was looked for.'))])),
    make('p', { class: 'faint keys' }, 'Keys: ← and → step, Home and End go to the ends, space plays.'));
  details.append(element);
  shows();
  // The moment that matters.
  stepper.go(overlap ?? (fault || counterexample.steps.length));
}

// Keys work unless another part of the page has the focus.
document.addEventListener('keydown', (event) => {
  const focus = document.activeElement;
  const elsewhere = focus && focus !== document.body && !focus.closest('.stepper');
  if (!stepper || elsewhere || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key === ' ' && focus?.tagName === 'BUTTON') return;
  if (event.key !== ' ' && focus?.type === 'range') return;
  const act = {
    ArrowLeft: () => stepper.by(-1), ArrowRight: () => stepper.by(1),
    Home: () => stepper.to(0), End: () => stepper.to(Infinity), ' ': () => stepper.toggle(),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
