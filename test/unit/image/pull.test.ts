// What a pull plans, from what is found: nothing is overwritten, nothing is begun that can't fit, and what can't be
// continued isn't promised.

import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Image } from '../../../src/image/image.ts';
import { openImage } from '../../../src/image/image.ts';
import { inspectPullTarget, type PullRequest, planPull } from '../../../src/image/pull.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { file } from './tarball.ts';

async function request(origin: 'layout' | 'registry', change: Partial<PullRequest> = {}): Promise<PullRequest> {
  const directory = temporaryDirectory();
  await writeLayers(`${directory}/layout`, 'v1', [[file('a', 'a')]]);
  const image: Image = await openImage(parseImageSource(`oci-layout:${directory}/layout`));
  if (image.kind === 'oci') image.origin = origin;
  return {
    image,
    target: { directory: '/srv/os', state: 'absent', availableBytes: 10_000, hasRemains: false },
    estimate: {
      contentBytes: 6000,
      entries: 10,
      compressedBytes: 2000,
      exact: true,
      basis: 'its files',
    },
    resume: false,
    ...change,
  };
}
const mounted = { directory: '/mnt', state: 'mounted', availableBytes: 10_000, hasRemains: false } as const;

describe('the plan', () => {
  test('builds beside the directory and puts it there in the end', async () => {
    expect(planPull(await request('registry')).actions).toEqual([
      { kind: 'prepare', summary: 'Make /srv/.os.holdfast-pull', working: '/srv/.os.holdfast-pull' },
      {
        kind: 'unpack',
        summary: 'Unpack the image',
        into: '/srv/.os.holdfast-pull/tree',
        spool: undefined,
        cost: { bytes: 2000 },
      },
      {
        kind: 'place',
        summary: 'Put it at /srv/os',
        from: '/srv/.os.holdfast-pull/tree',
        to: '/srv/os',
        working: '/srv/.os.holdfast-pull',
      },
    ]);
  });

  test.each([
    ['registry', true, '/srv/.os.holdfast-pull/fetched'],
    ['registry', false, undefined],
    // What is on this machine is there already.
    ['layout', true, undefined],
  ] as const)('from a %s with --resume %s keeps what comes in %s', async (origin, resume, spool) => {
    const [, unpack] = planPull(await request(origin, { resume })).actions;
    expect(unpack).toMatchObject({ kind: 'unpack', spool });
  });

  test('says that it clears away what was left', async () => {
    const { target, ...rest } = await request('registry');
    const [first] = planPull({ ...rest, target: { ...target, hasRemains: true } }).actions;
    expect(first?.summary).toBe('Clear away what an earlier pull left in /srv/.os.holdfast-pull');
  });

  test('unpacks into a mounted file system in place, and does not promise to go on', async () => {
    expect(planPull(await request('registry', { target: mounted })).actions).toMatchObject([
      { kind: 'unpack', into: '/mnt' },
    ]);
    const wanting = await request('registry', { target: mounted, resume: true });
    expect(() => planPull(wanting)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
  });

  test.each([
    ['what is unpacked', 'registry', 5999, false, true],
    ['what is unpacked and just fits', 'registry', 6000, false, false],
    ['what is kept as well', 'registry', 7999, true, true],
    ['what is not kept, since it is here', 'layout', 6000, true, false],
  ] as const)('is refused when there is no room for %s', async (_, origin, availableBytes, resume, refused) => {
    const { target, ...rest } = await request(origin, { resume });
    const plan = () => planPull({ ...rest, target: { ...target, availableBytes } });
    if (refused)
      expect(plan).toThrow(
        expect.objectContaining({
          code: 'HF-NO-SPACE',
          message: expect.stringContaining(`${availableBytes} are free`),
        }),
      );
    else expect(plan().actions).toHaveLength(3);
  });

  test('is not refused for a guess', async () => {
    const { target, estimate, ...rest } = await request('registry');
    const guess = { ...estimate, exact: false };
    expect(planPull({ ...rest, target: { ...target, availableBytes: 1 }, estimate: guess }).actions).toHaveLength(3);
  });
});

describe('the target', () => {
  test('is absent, empty or refused', () => {
    const directory = temporaryDirectory();
    mkdirSync(`${directory}/empty`);
    mkdirSync(`${directory}/full`);
    writeFileSync(`${directory}/full/file`, '');
    expect(inspectPullTarget(`${directory}/new`)).toMatchObject({
      directory: `${directory}/new`,
      state: 'absent',
      hasRemains: false,
    });
    expect(inspectPullTarget(`${directory}/empty/`)).toMatchObject({ directory: `${directory}/empty`, state: 'empty' });
    mkdirSync(`${directory}/.new.holdfast-pull`);
    expect(inspectPullTarget(`${directory}/new`)).toMatchObject({ hasRemains: true });
    for (const [path, message] of [
      ['full', 'full is not empty'],
      ['full/file', 'file is there already and is not a directory'],
      ['full/file/x', 'file is not a directory'],
      ['gone/x', 'gone is not a directory'],
    ] as const) {
      expect(() => inspectPullTarget(`${directory}/${path}`)).toThrow(
        expect.objectContaining({ code: 'HF-TARGET', message: expect.stringContaining(message) }),
      );
    }
  });
});
