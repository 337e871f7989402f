// What a policy and the command line ask of media without a digest: an ISO and the file of a recovery system can't be signed,
// so they are refused where a signature is wanted, before anything is fetched or opened.

import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import type { Reporter } from '../../../src/cli/reporter.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

afterEach(() => vi.restoreAllMocks());

const SIGNED = 'media:\n  cosign: { keys: [/etc/os.pub] }\n';
const MINIMUM = 'media: { minimum-version: "2" }\n';

async function install(args: readonly string[], { policy = '', settings = '' }) {
  const { directory } = temporaryRoot({
    '/policy.yaml': policy,
    '/config/config.yaml': settings,
    '/medium.iso': 'no ISO',
    '/recovery.squashfs': 'no squashfs',
  });
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  const ran = { said: [] as string[], error: undefined as unknown };
  const reporter: Reporter = {
    events: (event) => {
      if (event.type === 'notice') ran.said.push(`${event.level}: ${event.text}`);
    },
    result: () => {},
    error: (error) => {
      ran.error = error;
      return 1;
    },
    paint: PLAIN,
  };
  const options = ['--policy', join(directory, 'policy.yaml'), '--config-dir', join(directory, 'config')];
  const named = args.map((arg) => arg.replace('AT', directory));
  await runCli(['install', '/nowhere/disk', ...options, ...named], () => reporter);
  return ran;
}

const recovery = ['--system', 'dir:/', '--recovery-system'];
test.each<[string, string[], Parameters<typeof install>[1], RegExp]>([
  [
    'an ISO',
    ['--iso', 'AT/medium.iso'],
    { policy: SIGNED },
    /medium\.iso is a file without a digest.*policy\.yaml:1 \(media\) wants/,
  ],
  [
    'an ISO of the settings',
    [],
    { policy: SIGNED, settings: 'install: { iso: /no/such.iso }\n' },
    /^\/no\/such\.iso is a file/,
  ],
  [
    'an ISO from the web, its password kept out',
    ['--iso', 'https://me:secret@nowhere.invalid/os.iso'],
    { policy: SIGNED },
    /^https:\/\/(?!me:secret).*nowhere\.invalid\/os\.iso is a file/,
  ],
  [
    'an ISO, by --cosign-key',
    ['--iso', 'AT/medium.iso', '--cosign-key', '/os.pub'],
    {},
    /--cosign-key wants a signature/,
  ],
  [
    'a recovery system’s file',
    [...recovery, 'file:AT/recovery.squashfs'],
    { policy: SIGNED },
    /recovery\.squashfs is a file/,
  ],
  ['one named by its path', [...recovery, 'AT/recovery.squashfs'], { policy: SIGNED }, /recovery\.squashfs is a file/],
  [
    'a recovery system’s file, where a minimum is asked for',
    [...recovery, 'AT/recovery.squashfs'],
    { policy: MINIMUM },
    /wants version 2 at least, and the version of the recovery system in .*recovery\.squashfs is not read/,
  ],
])('%s is refused where it can’t be what is wanted', async (_name, args, files, message) => {
  const { error } = await install(args, files);
  expect(error).toMatchObject({ code: 'HF-TRUST', message: expect.stringMatching(message) });
});

test('without a demand an ISO is opened', async () => {
  const { error, said } = await install(['--iso', 'AT/medium.iso'], { policy: MINIMUM });
  expect(error).toMatchObject({ code: 'HF-NO-SOURCE', message: expect.stringContaining('it is no ISO 9660 image') });
  expect(said).toEqual([]);
});

test('an ISO that comes without TLS from another machine is warned of', async () => {
  const urls = ['http://nowhere.invalid/os.iso', 'https://nowhere.invalid/os.iso', 'http://127.0.0.1:1/os.iso'];
  const warned = await Promise.all(
    urls.map(async (url) => {
      const { said, error } = await install(['--iso', url], {});
      expect(error).toMatchObject({ code: 'HF-NETWORK' });
      const warning = `warning: ${url} is NOT VERIFIED and comes without TLS: anybody on the way to nowhere.invalid can`;
      return said.some((text) => text.startsWith(warning));
    }),
  );
  expect(warned).toEqual([true, false, false]);
});
