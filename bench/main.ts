// `npm run bench [-- NAME…]`: every measurement, or those that are named, one after the other, against the executable built
// from the sources as they are. `--runs N` is for the boots, the lifecycle, the images, the overlays and the media, `--wall-clock` for
// the boots; with `--json` their figures come as JSON. `--write` puts the tables of the fleets into docs/fleet.md.

import { parseArgs } from 'node:util';
import { ensureExecutable } from '../lab/executable.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    'wall-clock': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1)
  throw new RangeError(`--runs ${values.runs}: a whole number from 1 on is needed`);

const say = (line: string) => console.log(line);
// What leads to the figures must not get into the JSON.
const log = (line: string) => console.error(`    ${line}`);

const BENCHES: Readonly<Record<string, { title: string; run: () => Promise<unknown> }>> = {
  startup: { title: 'Start-up', run: () => import('./startup.ts') },
  stages: { title: 'Stages', run: () => import('./run-stage.ts') },
  boot: {
    title: 'Boot',
    run: async () => {
      const { benchBoot } = await import('./boot.ts');
      const { showBootReport } = await import('./boot/report.ts');
      const report = await benchBoot({ runs, wallClock: values['wall-clock'], log });
      if (values.json) say(JSON.stringify(report, null, 2));
      else for (const line of showBootReport(report)) say(line);
    },
  },
  lifecycle: {
    title: 'Install, upgrade, rollback',
    run: async () => {
      const { benchLifecycle, showLifecycleReport } = await import('./lifecycle.ts');
      const report = await benchLifecycle({ runs, log });
      if (values.json) say(JSON.stringify(report, null, 2));
      else for (const line of showLifecycleReport(report)) say(line);
    },
  },
  images: {
    title: 'Images',
    run: async () => {
      const { benchImages, showImagesReport } = await import('./images.ts');
      const report = await benchImages({ runs, log });
      if (values.json) say(JSON.stringify(report, null, 2));
      else for (const line of showImagesReport(report)) say(line);
    },
  },
  overlay: {
    title: 'Root overlays',
    run: async () => {
      const { benchOverlay } = await import('./overlay.ts');
      const { showOverlayReport } = await import('./overlay/report.ts');
      const report = await benchOverlay({ runs, log });
      if (values.json) say(JSON.stringify(report, null, 2));
      else for (const line of showOverlayReport(report)) say(line);
    },
  },
  media: {
    title: 'Media',
    run: async () => {
      const { benchMedia, showMediaReport } = await import('./media.ts');
      const { benchDisks, showDiskReport } = await import('./media/disk.ts');
      const isos = await benchMedia({ runs, log });
      const disks = await benchDisks({ runs, log });
      if (values.json) say(JSON.stringify({ isos, disks }, null, 2));
      else for (const line of [...showMediaReport(isos), '', ...showDiskReport(disks)]) say(line);
    },
  },
  fleet: {
    title: 'Rollouts to fleets, simulated',
    run: async () => {
      const { benchFleet } = await import('./fleet.ts');
      const { tables, results } = benchFleet({ write: values.write });
      if (values.json) say(JSON.stringify(results, null, 2));
      else for (const lines of Object.values(tables)) say(`\n${lines.join('\n')}`);
    },
  },
};

const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
for (const name of names) {
  if (!Object.hasOwn(BENCHES, name))
    throw new RangeError(`there is no bench ${name}: ${Object.keys(BENCHES).join(', ')}`);
}
// The fleets are arithmetic.
if (names.some((name) => name !== 'fleet')) await ensureExecutable(log);
for (const name of names) {
  if (!values.json) say(`\n# ${BENCHES[name]?.title}`);
  await BENCHES[name]?.run();
}
