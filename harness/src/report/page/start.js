// The worst outcome first. Without scripts, the plain list stays.
show([...report.outcomes].sort((a, b) => b.counts - a.counts || verdicts[b.verdict].badness - verdicts[a.verdict].badness)[0]);
let wide = innerWidth;
// Drawings are as wide as the page.
onresize = () => { if (innerWidth !== wide && !shown.counterexample) { wide = innerWidth; show(shown); } };
byId('plain').remove();
