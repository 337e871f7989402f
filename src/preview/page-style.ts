// The look of a plan's page: one style sheet inside the page, for light and dark, from phones to wide screens, and for paper.
// No fonts, images or scripts are loaded, so the page is the same wherever it is opened.

export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f5f1; --card: #ffffff; --ink: #1d2326; --soft: #5a6468; --line: #dcdad2;
  --accent: #0b6460; --accent-soft: #e0efec; --code: #f1f0ea;
  --up: #17683a; --up-soft: #e2f2e6; --down: #9a3412; --down-soft: #fbe9e0; --gone: #a4262c; --gone-soft: #fae4e4;
  --warn: #7a4d00; --warn-soft: #fdf0d2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14191b; --card: #1c2325; --ink: #e6ebea; --soft: #9fadad; --line: #313b3d;
    --accent: #6fd0c4; --accent-soft: #193633; --code: #161c1e;
    --up: #7fd79b; --up-soft: #17301f; --down: #f2a983; --down-soft: #3a2216; --gone: #f39a9d; --gone-soft: #3b1d1f;
    --warn: #f0c46c; --warn-soft: #35290f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; }
h1 { font-size: clamp(1.5rem, 1.1rem + 2.2vw, 2.35rem); line-height: 1.2; margin: .2rem 0 .6rem; letter-spacing: -.01em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0; }
.eyebrow { margin: 0; color: var(--soft); font-size: .85rem; letter-spacing: .02em; }
.lede { margin: 0 0 1rem; color: var(--soft); max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.4rem, 1fr)); gap: .75rem; margin: 1.25rem 0; padding: 0; list-style: none; }
.figures li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem .85rem; }
.figures b { display: block; font-size: 1.4rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .85rem; }
.figures a { color: inherit; text-decoration: none; display: block; }
.figures li:has(a:hover) { border-color: var(--accent); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 0 0 1rem; padding: 1rem 1.15rem 1.15rem; }
section > p:first-of-type { margin: .15rem 0 .8rem; color: var(--soft); }
section > :last-child { margin-bottom: 0; }
.notice { border-radius: 10px; padding: .7rem 1rem; margin: 0 0 1rem; background: var(--warn-soft); color: var(--warn); overflow-wrap: anywhere; }
.notice ul { margin: .3rem 0 0; padding-left: 1.2rem; }
.apply { background: var(--accent-soft); border-radius: 10px; padding: .85rem 1rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
.apply p { margin: 0 0 .35rem; }
.apply pre { margin: 0; background: none; padding: 0; border: 0; white-space: pre-wrap; font-size: 1rem; }
.rows { list-style: none; margin: 0; padding: 0; }
.rows > li { display: grid; grid-template-columns: 1.5rem minmax(35%, 1fr) minmax(0, auto); gap: .1rem .6rem; padding: .34rem 0; border-top: 1px solid var(--line); align-items: baseline; }
.rows > li:first-child { border-top: 0; }
.rows .name { overflow-wrap: anywhere; }
.rows .detail { color: var(--soft); text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.rows .why { grid-column: 2 / -1; color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
.sign { display: inline-block; width: 1.5rem; height: 1.5rem; line-height: 1.5rem; text-align: center; border-radius: 6px; font-weight: 600; background: var(--code); color: var(--soft); }
.sign.up, .sign.added, .sign.ran { background: var(--up-soft); color: var(--up); }
.sign.down { background: var(--down-soft); color: var(--down); }
.sign.removed { background: var(--gone-soft); color: var(--gone); }
.badge { display: inline-block; border-radius: 999px; padding: .05rem .6rem; font-size: .8rem; background: var(--code); color: var(--soft); white-space: nowrap; }
.badge.owner, .badge.stage-file, .badge.overlay { background: var(--accent-soft); color: var(--accent); }
.badge.unknown, .badge.failed { background: var(--warn-soft); color: var(--warn); }
details { border-top: 1px solid var(--line); }
details:first-of-type { border-top: 0; }
summary { cursor: pointer; padding: .45rem 0; display: grid; grid-template-columns: 1.5rem minmax(0, 1fr) auto; gap: .6rem; align-items: baseline; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary .name { overflow-wrap: anywhere; }
summary .name::after { content: " ▸"; color: var(--soft); }
details[open] > summary .name::after { content: " ▾"; }
details > div { padding: 0 0 .8rem 2.1rem; }
details > div p { margin: 0 0 .5rem; color: var(--soft); overflow-wrap: anywhere; }
summary.group { grid-template-columns: minmax(0, 1fr) auto; }
summary.more { display: block; color: var(--accent); }
summary.more .name::after { color: inherit; }
details.rest > div { padding-left: 0; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .75rem; margin: 0; overflow-x: auto; line-height: 1.45; tab-size: 4; }
pre.diff code { display: inline-block; min-width: 100%; font-size: 1em; }
pre.diff span { display: block; padding: 0 .25rem; }
pre.diff .plus { background: var(--up-soft); color: var(--up); }
pre.diff .minus { background: var(--gone-soft); color: var(--gone); }
pre.diff .hunk { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.2rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.room { height: .6rem; border-radius: 999px; background: var(--code); border: 1px solid var(--line); overflow: hidden; margin: .4rem 0 .2rem; display: flex; }
.room i { display: block; height: 100%; }
.room .used { background: var(--soft); opacity: .45; }
.room .held { background: var(--accent); }
ol.steps { margin: 0; padding-left: 1.4rem; }
ol.steps li { padding: .15rem 0; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }
.sub { color: var(--soft); font-weight: 400; }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 2.5rem; overflow-wrap: anywhere; }
@media (max-width: 34rem) {
  main, header, footer { padding-left: .9rem; padding-right: .9rem; }
  header { padding-top: 1.25rem; }
  section { padding: .85rem .9rem 1rem; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .55rem; }
  .figures b { font-size: 1.15rem; }
  .rows > li { grid-template-columns: 1.5rem minmax(0, 1fr); }
  .rows .detail { grid-column: 2; text-align: left; }
  summary { grid-template-columns: 1.5rem minmax(0, 1fr); }
  summary.group .badge { grid-column: auto; }
  summary .badge { grid-column: 2; justify-self: start; }
  details > div { padding-left: 0; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print {
  body { background: none; }
  section, .figures li { break-inside: avoid; border-color: #bbb; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;
