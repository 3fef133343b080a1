// Events become spans: waiting from asked to acquired, holding from acquired to releasing or death.
function spans(outcome) {
  const lanes = new Map(), open = new Map(), last = outcome.timeline.at(-1).at_ns;
  const lane = (event) => event.worker + '.' + event.slot;
  const close = (key, at) => {
    const span = open.get(key);
    if (span) lanes.get(key).push({ ...span, to: at });
    open.delete(key);
  };
  for (const event of outcome.timeline) {
    const key = lane(event);
    if (!lanes.has(key)) lanes.set(key, []);
    if (event.what === 'asked') open.set(key, { what: 'waiting', from: event.at_ns });
    else if (event.what === 'acquired') { close(key, event.at_ns); open.set(key, { what: 'holding', from: event.at_ns }); }
    else if (['busy', 'timed-out', 'releasing', 'killed', 'died', 'left'].includes(event.what)) close(key, event.at_ns);
    if (!['asked', 'acquired', 'releasing', 'released'].includes(event.what)) lanes.get(key).push({ what: event.what, from: event.at_ns, to: event.at_ns, mark: true });
  }
  for (const key of [...open.keys()]) close(key, last);
  return [...lanes].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
}

function timeline(details, outcome) {
  const lanes = spans(outcome), start = outcome.timeline[0].at_ns, end = Math.max(outcome.timeline.at(-1).at_ns, start + 1);
  const first = outcome.first_overlap;
  const holds = lanes.flatMap(([key, spans]) => spans.filter((span) => span.what === 'holding').map((span) => ({ ...span, key })));
  // Each overlap of two holds.
  const overlaps = [];
  for (const a of holds) for (const b of holds) if (a.key < b.key && a.from < b.to && b.from < a.to && outcome.overlaps + outcome.expiries > 0)
    overlaps.push({ from: Math.max(a.from, b.from), to: Math.min(a.to, b.to), keys: [a.key, b.key] });
  let view = [start, end];
  const left = 76, width = room(), height = 26, top = 8, bottom = top + lanes.length * height;
  const svg = make('svg', { viewBox: `0 0 ${width} ${bottom + 26}` });
  const ticks = Math.max(1, Math.min(5, Math.floor((width - left) / 110)));
  const markColour = (what) =>
    ['killed', 'died', 'error'].includes(what) ? 'var(--bad)' : ['busy', 'timed-out', 'left', 'resumed'].includes(what) ? 'var(--faint)' : 'var(--doubt)';
  const clamp = (from, to) => {
    const span = Math.min(Math.max(to - from, 200), end - start);
    from = Math.min(Math.max(from, start), end - span);
    view = [from, from + span];
    draw();
  };
  const x = (at) => left + (at - view[0]) / (view[1] - view[0]) * (width - left - 4);
  const tip = (element, text) => {
    element.onpointermove = (event) => { const t = byId('tip'); t.textContent = text; t.style.display = 'block'; t.style.left = event.clientX + 12 + 'px'; t.style.top = event.clientY + 12 + 'px'; };
    element.onpointerleave = () => { byId('tip').style.display = 'none'; };
    return element;
  };
  function draw() {
    svg.replaceChildren();
    const colours = { waiting: 'var(--wait)', holding: 'var(--hold)' };
    lanes.forEach(([key, spans], row) => {
      const [worker, slot] = key.split('.'), y = top + row * height;
      svg.append(make('text', { x: 0, y: y + 15, class: 'lane' }, outcome.scenario === 'threads' ? `thread ${slot}` : `worker ${worker}`));
      svg.append(make('line', { x1: left, x2: width - 4, y1: y + 11, y2: y + 11, stroke: 'var(--line)' }));
      for (const span of spans) {
        if (span.to < view[0] || span.from > view[1]) continue;
        const a = Math.max(x(span.from), left), b = Math.min(x(span.to), width - 4);
        if (span.mark) {
          svg.append(tip(make('path', { d: `M${a - 4} ${y + 3} h8 l-4 7 z`, fill: markColour(span.what) }), `${span.what} at ${time(span.from / 1e3)}`));
        } else {
          const thin = span.what === 'waiting';
          svg.append(tip(make('rect', { x: a, y: y + (thin ? 9 : 4), width: Math.max(b - a, 1), height: thin ? 4 : 14, rx: 1, fill: colours[span.what] }),
            `${span.what} for ${time((span.to - span.from) / 1e3)}, from ${time(span.from / 1e3)}`));
        }
      }
      for (const overlap of overlaps.filter((o) => o.keys.includes(key) && o.to >= view[0] && o.from <= view[1])) {
        const a = Math.max(x(overlap.from), left), b = Math.min(x(overlap.to), width - 4);
        svg.append(tip(make('rect', { x: a, y: y + 4, width: Math.max(b - a, 1.5), height: 14, fill: 'var(--bad)' }), `overlap: ${time((overlap.to - overlap.from) / 1e3)}`));
      }
    });
    for (let i = 0; i <= ticks; i++) {
      const at = view[0] + (view[1] - view[0]) * i / ticks;
      svg.append(make('line', { x1: x(at), x2: x(at), y1: top, y2: bottom, stroke: 'var(--line)', 'stroke-dasharray': '2 4' }));
      // Relative to the left edge, since what matters is how far apart things are.
      const text = i ? '+' + time((at - view[0]) / 1e3) : time(at / 1e3);
      svg.append(make('text', { x: x(at), y: bottom + 18, 'text-anchor': i === ticks ? 'end' : i ? 'middle' : 'start' }, text));
    }
  }
  const zoom = (factor, middle = (view[0] + view[1]) / 2) => clamp(middle - (middle - view[0]) * factor, middle + (view[1] - middle) * factor);
  const atEvent = (event) => view[0] + ((event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width * width - left) / (width - left - 4) * (view[1] - view[0]);
  svg.addEventListener('wheel', (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, atEvent(event)); }, { passive: false });
  let grip = null;
  svg.onpointerdown = (event) => { grip = { at: event.clientX, view: [...view] }; svg.setPointerCapture(event.pointerId); };
  svg.onpointerup = () => { grip = null; };
  svg.addEventListener('pointermove', (event) => {
    if (!grip) return;
    const by = (grip.at - event.clientX) / svg.getBoundingClientRect().width * width / (width - left) * (grip.view[1] - grip.view[0]);
    clamp(grip.view[0] + by, grip.view[1] + by);
  });
  const button = (text, act) => { const b = make('button', {}, text); b.onclick = act; return b; };
  const toFirst = () => {
    const from = Math.min(first.first.from_ns, first.second.from_ns);
    const to = Math.max(...[first.first, first.second].map((holder) => holder.until_ns ?? first.at_ns));
    clamp(from - (to - from) * 0.4, to + (to - from) * 0.4);
  };
  details.append(make('h3', {}, first ? 'Around the first overlap' : ['stuck', 'starved'].includes(outcome.verdict) ? 'The end' : 'The beginning'),
    make('div', { class: 'buttons' }, ...(first ? [button('to the violation', toFirst)] : []), button('all', () => clamp(start, end)), button('+', () => zoom(0.5)), button('−', () => zoom(2))),
    svg,
    make('div', { class: 'key' }, ...[['var(--wait)', 'waiting'], ['var(--hold)', 'holding'], ['var(--bad)', 'overlap']].map(([colour, text]) =>
      make('span', {}, make('i', { style: `background:${colour}` }), text)), 
      make('span', {}, '▾ refused, killed, …: point at it'), make('span', {}, 'wheel: zoom, drag: move')));
  if (first && first.first.from_ns >= start) toFirst(); else draw();
}

function histogram(details, buckets) {
  const filled = buckets.filter((bucket, i) => bucket.count || buckets.slice(0, i).some((b) => b.count));
  const most = Math.max(...filled.map((bucket) => bucket.count), 1), width = room(), height = 120, step = width / Math.max(filled.length, 8);
  const every = Math.ceil(62 / step);
  const svg = make('svg', { viewBox: `0 0 ${width} ${height + 40}` });
  filled.forEach((bucket, i) => {
    const h = bucket.count / most * height;
    svg.append(make('rect', { x: i * step + 3, y: height + 16 - h, width: step - 6, height: h, fill: 'var(--hold)' }));
    if (bucket.count && step > 28) svg.append(make('text', { x: (i + 0.5) * step, y: height + 11 - h, 'text-anchor': 'middle' }, count(bucket.count)));
    if (i % every === 0) svg.append(make('text', { x: Math.min(Math.max((i + 0.5) * step, 26), width - 30), y: height + 34, 'text-anchor': 'middle' }, '< ' + time(bucket.below_us)));
  });
  details.append(make('h3', {}, 'How long it took to get the lock'), svg);
}

