"""The report's page: layout, style and the script that draws the charts, as templates."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${banner}
<main>
<header><h1>${heading}</h1><p class="lead">${subtitle}</p></header>
${body}
</main>
<script type="text/plain" id="plotly">${plotly}</script>
<script type="application/json" id="figures">${figures}</script>
<script>${script}</script>
</body>
</html>
""")

BANNER = Template('<div class="banner" role="alert"><strong>${word}</strong> ${sentence}</div>')

NAVIGATION = Template('<nav aria-label="Parts of the report">${links}</nav>')

PART = Template('<section id="${key}"><h2>${heading}</h2>\n${content}</section>\n')

SECTION = Template("<section><h2>${heading}</h2>\n${content}</section>\n")

FIGURE = Template("""<figure>
<h3>${heading}</h3>
<div class="chart" data-figure="${key}" style="min-height:${height}px" role="img"
 aria-label="${heading}"></div>
<figcaption>${caption}</figcaption>
</figure>
""")

STYLE = """
:root { --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --rule: #d9dee4; --grid: #e8ebef;
  --shade: #f5f7f9; --warn: #b42318; --hover: #ffffff; --blue: #2f6fe0; --orange: #b35f00;
  --purple: #8a2be2; --good: #00805f; --bad: #c0310f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e4e7eb; --soft: #9aa4af;
  --rule: #343b44; --grid: #2a3038; --shade: #1c2026; --warn: #b42318; --hover: #22272e; --blue: #5b9bff;
  --orange: #f0a04b; --purple: #b98cff; --good: #2bc79b; --bad: #ff7a5c; } }
* { box-sizing: border-box; }
html { color-scheme: light dark; }
body { margin: 0; background: var(--paper); color: var(--ink); -webkit-font-smoothing: antialiased;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 64px; }
h1, h3, h4, p, li { overflow-wrap: anywhere; }
h1 { font-size: clamp(1.3rem, 5vw, 1.7rem); line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em;
  text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 44px 0 10px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 26px 0 0; }
p { max-width: 78ch; margin: 8px 0; }
.lead, figcaption, small { color: var(--soft); }
.verdict p { font-size: 1.08rem; }
.verdict p:first-child { font-weight: 600; }
figure { margin: 0 0 8px; }
figcaption { font-size: 0.85rem; max-width: 100ch; }
.chart { width: 100%; }
.scroll { overflow-x: auto; margin: 12px 0 16px; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px 6px 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 500; vertical-align: bottom; }
td.figure { white-space: nowrap; }
th.words, td.words { text-align: left; }
td.words { min-width: 7em; }
td small { display: block; font-size: 0.8rem; }
tbody tr:hover { background: var(--shade); }
ul { max-width: 86ch; padding-left: 1.2em; }
details { margin: 6px 0; } summary { cursor: pointer; padding: 4px 0; }
nav { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 14px 0 0; font-size: 0.9rem; }
nav a { color: var(--soft); text-underline-offset: 3px; }
nav a:hover { color: var(--ink); }
h4 { font-size: 0.95rem; margin: 0; }
.cascades { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr));
  gap: 26px 24px; margin: 18px 0 10px; }
.cascade { break-inside: avoid; }
.cascade p { font-size: 0.85rem; line-height: 1.4; margin: 0 0 4px; font-variant-numeric: tabular-nums; }
.cascade svg { display: block; width: 100%; height: auto; font-size: 9.5px; }
.cascade text { fill: var(--soft); }
.cascade text.name { fill: var(--ink); }
.cascade .line { fill: none; stroke: var(--ink); stroke-width: 1.3; stroke-linejoin: round; }
.cascade .line.OI { stroke: var(--purple); }
.cascade .line.forecast { stroke: var(--orange); }
.cascade .line.hedge { stroke: var(--blue); stroke-width: 1.8; }
.cascade .base { stroke: var(--rule); }
.cascade .onset { stroke: var(--bad); stroke-dasharray: 2 2; }
.cascade .move { fill: var(--bad); opacity: 0.1; }
.cascade .alert { fill: var(--orange); opacity: 0.2; }
.caught::before { content: "\\25CF\\00A0"; color: var(--good); }
.missed::before { content: "\\2715\\00A0"; color: var(--bad); }
.unjudged::before { content: "\\25CB\\00A0"; }
.failed { color: var(--bad); padding: 12px 0; }
.columns { display: flex; flex-wrap: wrap; gap: 8px 56px; align-items: flex-start; }
.banner { position: sticky; top: 0; z-index: 10; background: var(--warn); color: #ffffff; text-align: center;
  padding: 8px 16px; font-size: 0.95rem; }
.banner strong { letter-spacing: 0.08em; margin-right: 8px; }
@media print { .banner { position: static; } figure, tr { break-inside: avoid; } }
"""

SCRIPT = """
(function () {
  const store = JSON.parse(document.getElementById('figures').textContent);
  const charts = Array.from(document.querySelectorAll('.chart'));
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const settings = { displaylogo: false, responsive: true, plotlyServerURL: '', showTips: false,
    modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d'] };
  let range = null;
  let following = false;

  function revive(value) {
    if (Array.isArray(value)) { return value.map(revive); }
    if (value === null || typeof value !== 'object') { return value; }
    if ('array$' in value) { return store.arrays[value['array$']]; }
    const pairs = Object.entries(value).map(function (pair) { return [pair[0], revive(pair[1])]; });
    return Object.fromEntries(pairs);
  }
  function theme(layout) {
    const css = getComputedStyle(document.documentElement);
    const read = function (name) { return css.getPropertyValue(name).trim(); };
    const change = { 'font.color': read('--ink'), 'hoverlabel.bgcolor': read('--hover'),
      'hoverlabel.font.color': read('--ink'), 'hoverlabel.bordercolor': read('--rule'),
      'modebar.bgcolor': 'rgba(0,0,0,0)', 'modebar.color': read('--soft'),
      'modebar.activecolor': read('--ink') };
    const axes = Object.keys(layout).filter(function (key) { return /^[xy]axis[0-9]*$/.test(key); });
    axes.forEach(function (key) {
      change[key + '.gridcolor'] = read('--grid');
      change[key + '.linecolor'] = read('--rule');
    });
    return change;
  }
  function dress(chart) {
    const ink = getComputedStyle(document.documentElement).getPropertyValue('--ink').trim();
    const inked = chart.data.map(function (trace, at) { return trace.meta && trace.meta.ink ? at : -1; })
      .filter(function (at) { return at >= 0; });
    const change = theme(chart.layout);
    if (!inked.length) { return Plotly.relayout(chart, change); }
    return Plotly.update(chart, { 'line.color': ink, 'marker.color': ink }, change, inked);
  }
  function linked(chart) { return chart.drawn && chart.layout.meta && chart.layout.meta.linked; }
  function zoom(chart, to) {
    return Plotly.relayout(chart, { 'xaxis.range': (to || chart.whole).slice() });
  }
  function follow(source, event) {
    if (following) { return; }
    const ofTime = function (key) { return /^xaxis2?[.](range|autorange)/.test(key); };
    if (!Object.keys(event).some(ofTime)) { return; }
    range = event['xaxis.autorange'] ? null : source.layout.xaxis.range.slice();
    following = true;
    Promise.all(charts.filter(function (chart) { return chart !== source && linked(chart); })
      .map(function (chart) { return zoom(chart, range); })).finally(function () { following = false; });
  }
  function draw(chart) {
    if (chart.started) { return; }
    chart.started = true;
    const figure = revive(store.figures[chart.dataset.figure]);
    Plotly.newPlot(chart, figure.data, figure.layout, settings).then(function () {
      chart.drawn = true;
      chart.whole = chart.layout.xaxis.range.slice();
      if (linked(chart)) {
        if (range) { zoom(chart, range); }
        chart.on('plotly_relayout', function (event) { follow(chart, event); });
      }
      return dress(chart);
    }).then(function () { chart.dataset.state = 'drawn'; }).catch(function (error) {
      chart.dataset.state = 'failed';
      chart.classList.add('failed');
      chart.textContent = 'This chart could not be drawn: ' + error;
      console.error(error);
    });
  }
  const watcher = new IntersectionObserver(function (entries) {
    entries.filter(function (entry) { return entry.isIntersecting; }).forEach(function (entry) {
      watcher.unobserve(entry.target);
      draw(entry.target);
    });
  }, { rootMargin: '500px' });
  function begin() {
    const library = document.createElement('script');
    library.textContent = document.getElementById('plotly').textContent;
    document.head.append(library);
    charts.forEach(function (chart) { watcher.observe(chart); });
    window.addEventListener('beforeprint', function () { charts.forEach(draw); });
  }
  requestAnimationFrame(function () { setTimeout(begin, 0); });
  dark.addEventListener('change', function () {
    charts.filter(function (chart) { return chart.drawn; })
      .forEach(dress);
  });
})();
"""
