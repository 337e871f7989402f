// A plan as one page that needs nothing else: no script, no address, readable on a phone, in the dark and on paper. It says
// what the document says, no more. Pure.

import { formatBytes } from '../lifecycle/sizes.ts';
import type { EtcFile, PackageChange, PlanDocument, StagePart } from './document.ts';
import { badge, definitions, escapeText, fold, type Row, rows, type Sign, section, steps } from './page-parts.ts';
import { PAGE_STYLE } from './page-style.ts';
import {
  argumentsSentence,
  count,
  durationText,
  etcSentence,
  filesSentence,
  kernelSentence,
  movedSentence,
  overlaySentence,
  packagesSentence,
  roomSentence,
  STEP_WORDS,
  stageSentence,
  stepText,
  titleOf,
  trustSentence,
  unitsSentence,
  WINNER_WORDS,
  weightyFirst,
  writesSentence,
} from './summary.ts';

/** More paths than that are for `--json`. */
const MOST_PATHS = 3000;
const SHOWN = 15;

/** The page as a file. */
export function planPage(document: PlanDocument): string {
  const { id, created, next, warnings, trust } = document;
  const title = titleOf(document);
  const told = [...(trust.verified ? [] : [trustSentence(trust)]), ...warnings];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="holdfast-plan" content="${escapeText(id)}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeText(`Plan ${id}: ${title}`)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<p class="eyebrow">Upgrade plan <span class="mono">${escapeText(id)}</span> · ${escapeText(dateText(created))}</p>
<h1>${escapeText(title)}</h1>
<p class="lede">The new system is built and kept; nothing was switched. It came from <span class="mono">${escapeText(next.source ?? 'an image')}</span>.</p>
${figures(document)}
</header>
<main>
${told.length === 0 ? '' : `<div class="notice" role="note"><strong>${count(told.length, 'warning')}</strong><ul>${told.map((text) => `<li>${escapeText(text)}</li>`).join('')}</ul></div>`}
<div class="apply"><p>To switch to exactly this system, ${escapeText(durationText(document.cost.applying))}:</p><pre>holdfast upgrade --apply ${escapeText(id)}</pre></div>
${sections(document).join('\n')}
</main>
<footer><p>Made by <span class="mono">${escapeText(document.command)}</span>. The plan no longer holds when a slot, a stage file or the policy changes; applying it says so then.</p></footer>
</body>
</html>
`;
}

/** As the machine wrote it, shorter: `2026-11-20 10:00 UTC`. */
function dateText(date: string): string {
  return date.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z$/, '$1 $2 UTC');
}

function figures({ packages, etc, files, cost, units }: PlanDocument): string {
  const paths = files.added + files.removed + files.changed;
  const list: [value: string, label: string, target: string][] = [
    [
      String(packages.changes.length),
      packages.changes.length === 1 ? 'package changes' : 'packages change',
      'packages',
    ],
    [String(etc.files.length + etc.omitted), 'files of /etc', 'etc'],
    [String(units.length), units.length === 1 ? 'change of units' : 'changes of units', 'units'],
    [String(paths), paths === 1 ? 'path differs' : 'paths differ', 'files'],
    [formatBytes(cost.toFetchBytes), 'left to fetch', 'cost'],
    [
      `${cost.applying.seconds < 10 ? cost.applying.seconds.toFixed(1) : Math.round(cost.applying.seconds)} s`,
      'to apply, about',
      'cost',
    ],
  ];
  const items = list.map(
    ([value, label, target]) =>
      `<li><a href="#${target}"><b>${escapeText(value)}</b><span>${escapeText(label)}</span></a></li>`,
  );
  return `<ul class="figures">${items.join('')}</ul>`;
}

function sections(document: PlanDocument): string[] {
  const { packages, kernel, units, etc, stages, files, overlay, writes, cost, running, next, trust, passive, apply } =
    document;
  const hasArguments = kernel.arguments.added.length + kernel.arguments.removed.length > 0;
  const version = (name: string, version: string | null) =>
    version === null || name.includes(version) ? name : `${name} (${version})`;
  return [
    section(
      'systems',
      'Systems',
      trustSentence(trust),
      definitions([
        [
          'Now',
          running === null
            ? 'no system'
            : `${version(running.name, running.version)}, ${running.digest ?? running.source ?? 'unknown image'}`,
        ],
        ['Then active', `${version(next.name, next.version)}, ${next.digest ?? next.source ?? 'unknown image'}`],
        ['Then passive', passive],
      ]),
    ),
    section(
      'packages',
      'Packages',
      packagesSentence(packages),
      rows(weightyFirst(packages.changes).map(packageRow), SHOWN, 'packages'),
    ),
    section(
      'kernel',
      'Kernel',
      kernelSentence(kernel),
      hasArguments
        ? rows(
            [
              ...kernel.arguments.added.map((name): Row => ({ sign: 'added', name, isMono: true })),
              ...kernel.arguments.removed.map((name): Row => ({ sign: 'removed', name, isMono: true })),
            ],
            SHOWN,
            'arguments',
          )
        : `<p>${escapeText(argumentsSentence(kernel))}</p>`,
    ),
    section(
      'units',
      'Units',
      unitsSentence(units),
      rows(
        units.map(
          ({ name, change, wantedBy }): Row => ({
            sign: UNIT_SIGNS[change],
            name,
            detail: wantedBy === undefined ? change : `${change} (${wantedBy})`,
          }),
        ),
        SHOWN,
        'units',
      ),
    ),
    section('etc', '/etc', etcSentence(etc), etc.files.map(etcFold).join('')),
    section(
      'stages',
      'Stages',
      stages.every((stage) => stage.steps.length === 0)
        ? 'no step of a stage file has to do with upgrades'
        : 'what ran in the new system, and what runs on this machine when the plan is applied',
      stages
        .filter((stage) => stage.steps.length > 0)
        .map(stagePart)
        .join(''),
    ),
    ...(overlay === null
      ? []
      : [
          section(
            'overlay',
            'Root overlay',
            overlaySentence(overlay),
            overlay.report.length === 0 ? '' : `<pre>${escapeText(overlay.report.join('\n'))}</pre>`,
          ),
        ]),
    ...(writes.length === 0
      ? []
      : [
          section(
            'writes',
            'Written by hooks',
            writesSentence(writes),
            rows(
              writes.map(
                ({ path, what, own }): Row => ({
                  sign: what === 'removed' ? 'removed' : 'changed',
                  name: path,
                  isMono: true,
                  ...(own && { detail: 'Holdfast’s own' }),
                }),
              ),
              SHOWN,
              'paths',
            ),
          ),
        ]),
    section(
      'cost',
      'Cost',
      movedSentence(cost),
      ...cost.filesystems.map(
        (filesystem) => `${roomBar(filesystem)}<p class="sub">${escapeText(roomSentence(filesystem))}</p>`,
      ),
      definitions([
        ['Making the plan took', durationText(cost.planning)],
        ['Applying takes', durationText(cost.applying)],
      ]),
    ),
    section(
      'applying',
      'When it is applied',
      `${apply.length} actions, in this order`,
      steps(apply.map(({ summary }) => summary)),
    ),
    section('files', 'Files', filesSentence(files), ...fileParts(files)),
  ];
}

const PACKAGE_SIGNS: Readonly<Record<PackageChange['change'], Sign>> = {
  upgraded: 'up',
  downgraded: 'down',
  changed: 'changed',
  added: 'added',
  removed: 'removed',
};
const UNIT_SIGNS = {
  enabled: 'added',
  disabled: 'removed',
  masked: 'removed',
  unmasked: 'added',
  added: 'added',
  removed: 'removed',
  changed: 'changed',
} as const;

function packageRow({ name, architecture, from, to, change }: PackageChange): Row {
  const shown =
    architecture === undefined || architecture === 'all' || architecture === 'noarch'
      ? name
      : `${name}:${architecture}`;
  const versions = [from, to].filter((text) => text !== undefined);
  return { sign: PACKAGE_SIGNS[change], name: shown, detail: versions.join(' → ') };
}

function etcFold({ path, change, winner, because, step, hunks, hidden, what }: EtcFile): string {
  const attributes = what.filter((field) => field !== 'content' && field !== 'time');
  return fold({
    sign: change,
    name: path,
    badge: { text: WINNER_WORDS[winner], kind: winner },
    paragraphs: [
      step === undefined ? because : `${because}: ${stepText(step)}`,
      ...(attributes.length > 0 ? [`also different: ${attributes.join(', ')}`] : []),
      ...(hidden === undefined ? [] : [`The content is not shown: ${hidden}.`]),
    ],
    diff: hunks,
  });
}

const STEP_SIGNS = {
  ran: 'ran',
  skipped: 'skipped',
  failed: 'removed',
  'will-run': 'ran',
  depends: 'changed',
} as const;

function stagePart(stage: StagePart): string {
  const items = stage.steps.map(
    ({ file, line, name, outcome, reason }): Row => ({
      sign: STEP_SIGNS[outcome],
      name: name ?? `${file}:${line}`,
      badge: { text: STEP_WORDS[outcome], kind: outcome },
      why:
        [...(name === undefined ? [] : [`${file}:${line}`]), ...(reason === undefined ? [] : [reason])].join(' · ') ||
        undefined,
    }),
  );
  return `<h3>${escapeText(stage.hook)} <span class="sub">${escapeText(`${stage.where}, ${stage.when}: ${stageSentence(stage)}`)}</span></h3>${rows(items, SHOWN, 'steps')}`;
}

/** What the partition holds, what the plan takes of that, and what is free. */
function roomBar({ sizeBytes, freeBytes, heldBytes }: PlanDocument['cost']['filesystems'][number]): string {
  const share = (bytes: number) => (sizeBytes === 0 ? 0 : Math.round((bytes / sizeBytes) * 1000) / 10);
  const [held, used] = [share(heldBytes), share(Math.max(0, sizeBytes - freeBytes - heldBytes))];
  return `<div class="room" role="img" aria-label="${used} % used, ${held} % by the plan"><i class="used" style="width:${used}%"></i><i class="held" style="width:${held}%"></i></div>`;
}

/** By the first two parts of their paths. */
function fileParts({ paths, omitted }: PlanDocument['files']): string[] {
  const shown = paths.slice(0, MOST_PATHS);
  const groups = new Map<string, Row[]>();
  for (const { path, change, what } of shown) {
    const parts = path.split('/');
    const group = parts.length > 3 ? parts.slice(0, 3).join('/') : parts.slice(0, 2).join('/') || '/';
    const own = groups.get(group) ?? [];
    own.push({ sign: change, name: path, detail: what.join(', '), isMono: true });
    groups.set(group, own);
  }
  const more = omitted + paths.length - shown.length;
  return [
    ...[...groups].map(
      ([group, items]) =>
        `<details><summary class="group"><span class="name mono">${escapeText(group)}</span>${badge({ text: count(items.length, 'path'), kind: 'paths' })}</summary><div>${rows(items, items.length, 'paths')}</div></details>`,
    ),
    ...(more > 0
      ? [`<p>${escapeText(`${more} more are in the plan’s JSON: holdfast upgrade --plan --json`)}</p>`]
      : []),
  ];
}
