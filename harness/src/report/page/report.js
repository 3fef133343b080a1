const report = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const make = (name, attributes = {}, ...children) => {
  const svg = ['svg', 'rect', 'line', 'text', 'g', 'path'].includes(name);
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const count = (n) => n.toLocaleString('en');
const time = (us) => {
  const [value, unit] = us < 1e3 ? [us, 'µs'] : us < 1e6 ? [us / 1e3, 'ms'] : [us / 1e6, 's'];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
};
const singular = { 'forks that exit': 'fork that exits', 'forks that release': 'fork that releases', 'wrappers killed': 'wrapper killed', switches: 'switch' };
const counted = (n, what) => `${count(n)} ${n === 1 ? singular[what] ?? what.replace(/s$/, '') : what}`;
const explored = report.command === 'explore';
const word = ({ verdict, counts = true }) => {
  const text = verdict === 'held' && explored ? 'no violation found' : verdicts[verdict].text;
  return counts ? text : text.toLowerCase();
};
const kind = ({ verdict, counts = true }) => {
  const { class: usual } = verdicts[verdict];
  return usual === 'bad' && !counts ? 'doubt' : usual;
};

byId('title').textContent = report.lock.title;
byId('how').textContent =
  `${report.workers} workers` + (report.hold_ms ? `, sections of up to ${time(report.hold_ms * 1e3)}` : '') +
  (report.lease_ms ? `, lease ${time(report.lease_ms * 1e3)}` : '') +
  `, seed ${report.seed}, ${new Date(report.began_unix * 1e3).toISOString().slice(0, 16).replace('T', ' ')} UTC, ${Math.round(report.seconds)} s` +
  (report.interrupted ? ', interrupted' : '');
byId('verdict').textContent = word(report);
byId('verdict').classList.add(kind(report));
const tried = explored ? 'schedules' : 'sections';
const all = report.outcomes.reduce((sum, outcome) => sum + outcome[tried], 0);
byId('rules').replaceChildren('A worker holds the lock from when its ', make('code', {}, 'acquired'), ' is read until its ', make('code', {}, 'release'), ' is written' +
  (explored ? '. Results of system calls are real, except that sleeps are over at once.' : ", on the driver's clock."));
const worst = report.outcomes.filter((o) => o.counts && o.verdict === report.verdict).map((o) => o.scenario);
byId('sum').textContent = (report.verdict === 'held' ? `${explored ? '' : 'no violation found in '}${count(all)} ${tried}` : report.verdict === 'not-known' ? 'the lock could not be tested' : `under ${worst.join(', ')}; ${count(all)} ${tried} in all`) +
  report.outcomes.filter((o) => !o.counts && !['held', 'not-known'].includes(o.verdict)).map((o, i) => `${i ? ', ' : ['held', 'not-known'].includes(report.verdict) ? '; but ' : '; also '}${word(o)} under ${o.scenario}`).join('');

const table = byId('report');
const columns = explored ? ['scenario', 'verdict', 'schedules', 'a second', 'evidence'] : ['scenario', 'verdict', 'sections', 'overlaps', 'wait, median', 'p99', 'evidence'];
table.append(make('tr', {}, ...columns.map((head, i) => make('th', i > 1 && i < columns.length - 1 ? { class: 'number' } : {}, head))));
const number = (text, unit) => make('td', { class: unit ? 'number' : 'number wait', ...(unit && { 'data-unit': unit }) }, text);
// The figures of a scenario, and its evidence in a phrase each.
const figures = (outcome) => explored
  ? [number(count(outcome.schedules), 'schedules'), number(count(Math.round(outcome.schedules / (outcome.seconds || 1))), 'a second')]
  : [number(outcome.sections ? count(outcome.sections) : '', 'sections'), number(outcome.overlaps + outcome.expiries ? count(outcome.overlaps + outcome.expiries) : '', 'overlaps'),
    number(outcome.waits ? time(outcome.waits.p50_us) : ''), number(outcome.waits ? time(outcome.waits.p99_us) : '')];
const evidenceOf = (outcome) => [
  outcome.reason,
  ...(explored ? [
    outcome.counterexample && `${counted(outcome.counterexample.switches, 'switches')}, ${counted(outcome.counterexample.steps.length, 'steps')}; ${outcome.counterexample.same} of ${outcome.counterexample.runs} replays gave the same result`,
    !outcome.counterexample && outcome.complete, outcome.known && `${count(outcome.known)} cut short as known`, outcome.expiries && `${count(outcome.expiries)} leases expired`,
    outcome.rest_ms && `${(outcome.rest_ms / 1000).toFixed(1)} s of real time before each`,
    outcome.polls && `${count(outcome.polls)} ended with all waiters polling`,
  ] : outcome.faults.map((fault) => counted(fault.count, fault.name))),
  outcome.errors.length && counted(outcome.errors.reduce((sum, e) => sum + e.count, 0), 'errors'),
].filter(Boolean).join(' · ');
let hazards = false;
const rows = report.outcomes.map((outcome) => {
  if (!outcome.promise && !hazards && !explored) {
    hazards = true;
    table.append(make('tr', { class: 'hazards' }, make('td', { colspan: 7 }, 'Hazards: many good locks do not claim to survive them; they count only if named')));
  }
  const row = make('tr', { class: 'open', tabindex: 0 },
    make('td', { title: outcome.meaning }, outcome.scenario),
    make('td', { class: kind(outcome) }, make('b', {}, word(outcome))),
    ...figures(outcome), make('td', { class: 'evidence' }, evidenceOf(outcome)));
  row.onclick = () => show(outcome);
  row.onkeydown = (event) => { if ([' ', 'Enter'].includes(event.key)) { event.preventDefault(); show(outcome); } };
  table.append(row);
  return [outcome, row];
});

function list(title, quotes) {
  if (!quotes.length) return [];
  return [make('h3', {}, title), make('ul', {}, ...quotes.map((quote) =>
    make('li', { class: 'code' }, (quote.count > 1 ? `${count(quote.count)} times: ` : '') + quote.text)))];
}

// As wide as there is room, so that text stays as large as it is.
const room = () => Math.max(280, byId('details').clientWidth - (innerWidth > 760 ? 38 : 26));

let shown = null;
function show(outcome) {
  shown = outcome;
  stepper?.pause();
  stepper = null;
  for (const [other, row] of rows) row.classList.toggle('chosen', other === outcome);
  const details = byId('details');
  details.replaceChildren(
    make('h2', {}, `${outcome.scenario}: `, make('span', { class: kind(outcome) }, word(outcome))),
    make('div', { class: 'faint' }, outcome.meaning +
      (outcome[tried] ? `; ${count(outcome[tried])} ${tried} in ${outcome.seconds.toFixed(1)} s` : '') +
      (outcome.hand_overs ? `, hand-over ${time(outcome.hand_overs.p50_us)} in the median` : '') +
      (outcome.fairness ? `, fairness ${outcome.fairness.toFixed(2)} (1 is even)` : '')));
  if (outcome.reason) details.append(make('div', {}, outcome.reason));
  if (outcome.counterexample) steps(details, outcome.counterexample);
  const first = outcome.first_overlap;
  if (first) {
    const name = (holder) => outcome.scenario === 'threads' ? `thread ${holder.slot}` : `worker ${holder.worker}`;
    details.append(make('div', {}, make('b', {}, `After ${time(first.at_ns / 1e3)}: `), `${name(first.second)}${first.second.shared ? ' (sharing)' : ''} entered while ${name(first.first)}${first.first.shared ? ' (sharing)' : ''} held the lock` +
      (first.first.paused ? ' (it had been paused)' : '') +
      (first.both_ns === null ? '.' : `; overlap: ${time(first.both_ns / 1e3)}.`) +
      (first.lease ? ' The first may have outlived its lease: not a race.' : '')));
  }
  if (outcome.timeline?.length) timeline(details, outcome);
  details.append(...list('Errors', outcome.errors), ...list('Notes', outcome.notes));
  if (outcome.wait_histogram?.length) histogram(details, outcome.wait_histogram);
  if (outcome.again) details.append(make('h3', {}, 'To run it again'), make('code', { class: 'again' }, outcome.again));
}
