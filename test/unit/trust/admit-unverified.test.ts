// What stages may unpack although nobody verifies it, and that whoever runs stages asks: on the command line and in hooks.

import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { runHook } from '../../../src/lifecycle/hooks.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { Root } from '../../../src/system/root.ts';
import { admitUnverified } from '../../../src/trust/admit-unverified.ts';
import { writeLayers } from '../image/fixture.ts';
import { serveLayout } from '../image/registry/local-registry.ts';
import { file } from '../image/tarball.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

afterEach(() => vi.restoreAllMocks());

const POLICY = `images:
  registry.example/os/*: { no-verify: refuse }
  registry.example/key/*: { notary: false, cosign: { keys: [/os.pub] } }
  registry.example/open/*: { notary: false }
`;
const DIGEST = `@sha256:${'0'.repeat(64)}`;
const FILE = '/etc/holdfast/policy.yaml';

describe('an image that nobody verifies', () => {
  test.each<[string, string | undefined]>([
    ['registry.example/os/app:v1', 'wants a signature of Notary for registry.example/os/app, and stages verify none'],
    ['Registry.Example:443/os/app', 'wants a signature of Notary for Registry.Example:443/os/app'],
    ['registry.example/key/app:v1', 'wants a signature of cosign for registry.example/key/app'],
    [`registry.example/key/app${DIGEST}`, 'wants a signature of cosign for registry.example/key/app'],
    [`registry.example/os/app${DIGEST}`, undefined],
    [`registry.example/os/app:v1${DIGEST}`, undefined],
    ['registry.example/open/app:v1', undefined],
    ['alpine', undefined],
  ])('%s: %s', async (reference, message) => {
    const here = temporaryRoot({ [FILE]: POLICY });
    const other = temporaryRoot({});
    // The policy of the root that it is unpacked into, and that of the machine that does it.
    for (const asked of [
      admitUnverified(reference, here, '/nowhere/policy.yaml'),
      admitUnverified(reference, other, join(here.directory, FILE)),
    ]) {
      if (message === undefined) await asked;
      else await expect(asked).rejects.toMatchObject({ code: 'HF-TRUST', message: expect.stringContaining(message) });
    }
    await admitUnverified(reference, other, '/nowhere/policy.yaml');
  });

  test('is refused by a policy that is broken or a link that leads nowhere', async () => {
    const broken = temporaryRoot({ [FILE]: 'defualt: {}\n' });
    await expect(admitUnverified('alpine', broken, '/nowhere')).rejects.toMatchObject({ code: 'HF-CONFIG' });
    const dangling = temporaryRoot({});
    dangling.link(FILE, '/oem/policy.yaml');
    await expect(admitUnverified('alpine', dangling, '/nowhere')).rejects.toThrow("policy.yaml can't be read");
    const unmounted = temporaryRoot({});
    unmounted.link('/etc/holdfast', '/oem/holdfast');
    await expect(admitUnverified('alpine', unmounted, '/nowhere')).rejects.toThrow("policy.yaml can't be read");
  });
});

describe('a stage that unpacks one', () => {
  /** A root whose stage unpacks an image that its policy wants signed. */
  async function withStage(stage: string) {
    const layout = `${temporaryRoot().directory}/layout`;
    await writeLayers(layout, 'v1', [[file('a')]]);
    const { host, requests } = await serveLayout(layout);
    const root = temporaryRoot({
      [FILE]: `images: { '${host}/*': { no-verify: refuse } }\n`,
      '/system/oem/x.yaml': `stages: { ${stage}: [{ unpack_images: [{ source: "${host}/os/app:v1", target: /opt/app }] }] }\n`,
    });
    return { root, requests };
  }

  test('fails on the command line, and nothing is fetched', async () => {
    const { root, requests } = await withStage('boot');
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    let text = '';
    const take = (chunk: unknown) => {
      text += String(chunk);
      return true;
    };
    vi.spyOn(process.stderr, 'write').mockImplementation(take);
    vi.spyOn(process.stdout, 'write').mockImplementation(take);
    expect(await runCli(['run-stage', 'boot', '--strict', '--root', root.directory])).not.toBe(0);
    expect(text).toContain('wants a signature of Notary');
    expect(requests).toEqual([]);
    expect(root.exists('/opt/app')).toBe(false);
  });

  test('fails in a hook, and nothing is fetched', async () => {
    const { root, requests } = await withStage('after-install-chroot');
    const context = {
      events: () => {},
      warn: () => {},
      progress: () => {},
      signal: new AbortController().signal,
      undo: new UndoStack(),
    };
    const hook = runHook(context, 'after-install-chroot', new Root(root.directory), { strictness: 'chroot' });
    await expect(hook).rejects.toMatchObject({
      code: 'HF-HOOK',
      message: expect.stringContaining('wants a signature of Notary'),
    });
    expect(requests).toEqual([]);
  });
});
