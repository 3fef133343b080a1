// The worst outcome first. Without scripts, the plain list stays.
const badness = ['not-known', 'held', 'lease-expired', 'errors', 'wrong-answer', 'starved', 'stuck-after-crash', 'stuck', 'fence-broken', 'broken'];
show([...report.outcomes].sort((a, b) => b.counts - a.counts || badness.indexOf(b.verdict) - badness.indexOf(a.verdict))[0]);
let wide = innerWidth;
// Drawings are as wide as the page.
onresize = () => { if (innerWidth !== wide && !shown.counterexample) { wide = innerWidth; show(shown); } };
byId('plain').remove();
