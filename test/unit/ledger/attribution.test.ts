// Follows steps in a small real tree: whoever changed a path last has it, and what nobody noticed is nobody's.

import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Attribution, HookWatch } from '../../../src/ledger/attribution.ts';
import { buildLedger } from '../../../src/ledger/build-ledger.ts';
import { pathTextOf } from '../../../src/ledger/path-name.ts';
import type { StepResult } from '../../../src/stages/result.ts';

const ORIGIN = { uuid: 'u', source: 's', action: 'upgrade', command: 'c', at: '2026-11-20T10:00:00Z' };
let tree: string;
let attribution: Attribution;
let warnings: string[];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'attribution-'));
  attribution = new Attribution();
  warnings = [];
  mkdirSync(join(tree, 'etc'));
  mkdirSync(join(tree, 'opt/app'), { recursive: true });
  for (const path of ['etc/a', 'etc/b', 'etc/c', 'opt/app/x']) writeFileSync(join(tree, path), `${path}\n`);
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function step(line: number, outcome: StepResult['outcome'] = 'ok'): StepResult {
  return {
    subStage: 'after-upgrade-chroot',
    file: '/oem/x.yaml',
    line,
    column: 1,
    definition: 'sha256:0',
    outcome,
    keys: [{ key: 'commands', outcome: 'ok' }],
    changedFiles: [],
    durationMs: 1,
  };
}

function watch(): HookWatch {
  const warn = (text: string) => warnings.push(text);
  return new HookWatch(tree, { hook: 'after-upgrade-chroot', attribution, warn });
}

/** File systems tick a few times in a millisecond at best, and two changes within one tick have the same time. */
async function tick(): Promise<void> {
  const probe = join(tree, '..', `tick-${process.pid}`);
  const timeOf = () => {
    writeFileSync(probe, '');
    return statSync(probe).ctimeMs;
  };
  const before = timeOf();
  while (timeOf() === before) await new Promise((done) => setTimeout(done, 1));
  rmSync(probe);
}

async function ledger() {
  const { entries, basis } = await buildLedger({
    origin: ORIGIN,
    slot: tree,
    attribution,
    warn: (text) => warnings.push(text),
  });
  expect(basis).toBe('before-hooks');
  return entries.map(({ path, kind, fields, cause, earlier }) => {
    const by = cause.by === 'step' ? `step ${cause.step.line}` : cause.by;
    return [pathTextOf(path), kind, ...fields, by, ...earlier.map(({ line }) => `after ${line}`)].join(' ');
  });
}

test('what a step changed, made, removed and moved is that step’s, and of two the later one’s', async () => {
  const hook = watch();
  await hook.start();
  await tick();
  writeFileSync(join(tree, 'etc/a'), 'one\n');
  writeFileSync(join(tree, 'etc/new'), '');
  await hook.afterStep(step(1));
  await tick();
  writeFileSync(join(tree, 'etc/a'), 'two!\n');
  rmSync(join(tree, 'etc/b'));
  renameSync(join(tree, 'opt/app'), join(tree, 'opt/other'));
  await hook.afterStep(step(2));
  await tick();
  chmodSync(join(tree, 'etc/c'), 0o600);
  await hook.afterStep(step(3, 'failed'));
  await hook.ended();
  expect(await ledger()).toEqual([
    '/etc/a changed content time step 2 after 1',
    '/etc/b removed step 2',
    '/etc/c changed mode step 3',
    '/etc/new added step 1',
    '/opt/app removed step 2',
    '/opt/app/x removed step 2',
    '/opt/other added step 2',
    '/opt/other/x added step 2',
  ]);
  expect(warnings).toEqual([]);
});

test('what came after the last step is the hook’s, and a resolver that came back Holdfast’s', async () => {
  symlinkSync('own', join(tree, 'etc/resolv.conf'));
  const hook = watch();
  await hook.start();
  await tick();
  rmSync(join(tree, 'etc/resolv.conf'));
  writeFileSync(join(tree, 'etc/resolv.conf'), 'nameserver 192.0.2.1');
  await hook.afterStep(step(1, 'skipped'));
  await hook.afterStep(step(2));
  await tick();
  rmSync(join(tree, 'etc/resolv.conf'));
  symlinkSync('back', join(tree, 'etc/resolv.conf'));
  writeFileSync(join(tree, 'etc/late'), '');
  await hook.ended();
  expect(await ledger()).toEqual(['/etc/late added hook', '/etc/resolv.conf changed content time holdfast after 2']);
});

test('what lies behind a link by now is gone, wherever the link leads', async () => {
  mkdirSync(join(tree, 'outside'));
  writeFileSync(join(tree, 'outside/x'), 'not ours');
  const hook = watch();
  await hook.start();
  await tick();
  rmSync(join(tree, 'opt/app'), { recursive: true });
  symlinkSync(join(tree, 'outside'), join(tree, 'opt/app'));
  await hook.afterStep(step(1));
  await hook.ended();
  expect(await ledger()).toEqual(['/opt/app changed type step 1', '/opt/app/x removed step 1']);
});

test('with a pristine only what was seen to change is compared, and without sight everything', async () => {
  const pristine = mkdtempSync(join(tmpdir(), 'pristine-'));
  try {
    cpSync(tree, pristine, { recursive: true, preserveTimestamps: true });
    const hook = watch();
    await hook.start();
    await tick();
    writeFileSync(join(tree, 'etc/a'), 'other');
    await hook.afterStep(step(1));
    await hook.ended();
    writeFileSync(join(tree, 'etc/b'), 'behind its back');
    const build = async () => {
      const request = { origin: ORIGIN, slot: tree, pristine, attribution, warn: () => {} };
      const { entries } = await buildLedger(request);
      return entries.map(({ path, kind, cause, before, after }) => {
        return [path, kind, cause.by, before?.digest?.slice(0, 6), after?.digest?.slice(0, 6)].join(' ');
      });
    };
    expect(await build()).toEqual(['etc/a changed step sha256 sha256']);
    attribution.loseSight();
    expect(await build()).toContain('etc/b changed unknown sha256 sha256');
  } finally {
    rmSync(pristine, { recursive: true, force: true });
  }
});

test('a change that nothing was told of is not explained by anybody', () => {
  expect(attribution.of('etc/a')).toEqual({ cause: { by: 'unknown' }, earlier: [] });
});

test('a tree that can’t be looked at is a warning, once, and the hook goes on', async () => {
  symlinkSync('loop', join(tree, 'loop'));
  const warn = (text: string) => warnings.push(text);
  const hook = new HookWatch(join(tree, 'loop'), { hook: 'after-upgrade-chroot', attribution, warn });
  await hook.start();
  await hook.afterStep(step(1));
  await hook.ended();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/who changes what .* is not noted any more: .*ELOOP/);
});

test('an interruption is no warning', async () => {
  const interrupted = new AbortController();
  const options = { hook: 'h', attribution, warn: () => {}, signal: interrupted.signal };
  const hook = new HookWatch(tree, options);
  await hook.start();
  interrupted.abort();
  await expect(hook.afterStep(step(1))).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
});
