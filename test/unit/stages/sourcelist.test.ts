// Where a stage is read from: directories, addresses, texts and the kernel command line, each in its place in the order.

import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { setupSources } from '../../../src/stages/commandline.ts';
import { planStage } from '../../../src/stages/plan.ts';
import { runStage, type StageRequest } from '../../../src/stages/run.ts';
import { environmentSources } from '../../../src/stages/sources.ts';
import { type Event, silent } from '../../../src/system/events.ts';
import { type HttpClient, httpRequest } from '../../../src/system/http.ts';
import { Root } from '../../../src/system/root.ts';
import { self, temporaryRoot } from './temporary-root.ts';

/** A step whose name is its mark, and that runs without any program. */
const mark = (name: string) =>
  `{name: ${name}, directories: [{path: /d, permissions: 0755, owner: ${self.uid}, group: ${self.gid}}]}`;

/** Retries without waiting. */
const http: HttpClient = (url, options) => httpRequest(url, { ...options, delayMs: 0 });

async function serve(answer: RequestListener): Promise<{ url: string; asked: string[]; close: () => void }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(close);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, asked, close };
}

async function run(request: Partial<StageRequest> & Pick<StageRequest, 'root' | 'sources'>) {
  const result = await runStage({ stage: 'network', events: silent, http, ...request });
  return {
    steps: result.steps.map(({ name, subStage }) => `${subStage} ${name}`),
    problems: result.problems.map(({ severity, message }) => `${severity}: ${message}`),
    outcome: result.outcome,
  };
}

describe('web addresses', () => {
  it('are read once for the three sub-stages, with their whole query, and keep their place', async () => {
    const server = await serve((_, response) =>
      response.end(`stages: {network: [${mark('b')}], network.before: [${mark('a')}], network.after: [${mark('c')}]}`),
    );
    const root = temporaryRoot({
      'x/1.yaml': `stages: {network: [${mark('one')}]}`,
      'y/2.yaml': `stages: {network: [${mark('two')}]}`,
    });
    const result = await run({ root, sources: ['/x', `${server.url}/c?x=1&y=2`, '/y'] });
    expect(result).toEqual({
      steps: ['network.before a', 'network one', 'network b', 'network two', 'network.after c'],
      problems: [],
      outcome: 'ok',
    });
    expect(server.asked).toEqual(['/c?x=1&y=2']);
  });

  it.each([404, 403, 410])(
    'an answer with status %i is an error, whatever its text, and no copy is used',
    async (status) => {
      let current = 200;
      const server = await serve((_, response) => {
        response.statusCode = current;
        response.end(current === 200 ? `stages: {network: [${mark('a')}]}` : '404: Not Found');
      });
      const root = temporaryRoot();
      mkdirSync(join(root.directory, 'oem'));
      await run({ root, sources: [server.url] });
      current = status;
      const result = await run({ root, sources: [server.url] });
      expect(result).toEqual({
        steps: [],
        problems: [`error: ${server.url}/ answered with status ${status}`],
        outcome: 'failed',
      });
    },
  );

  it('a server that stumbles is asked again', async () => {
    let asked = 0;
    const server = await serve((_, response) => {
      asked += 1;
      response.statusCode = asked < 3 ? 503 : 200;
      response.end(`stages: {network: [${mark('a')}]}`);
    });
    expect(await run({ root: temporaryRoot(), sources: [server.url] })).toMatchObject({ outcome: 'ok', problems: [] });
    expect(asked).toBe(3);
  });

  it('an answer that is too large or no text is an error', async () => {
    const large = await serve((_, response) => response.end(Buffer.alloc((8 << 20) + 1, 0x20)));
    const binary = await serve((_, response) => response.end(Buffer.from([0x61, 0xff])));
    expect((await run({ root: temporaryRoot(), sources: [large.url, binary.url] })).problems).toEqual([
      `error: ${large.url}/ can't be read: the answer of ${large.url}/ is larger than 8388608 bytes`,
      `error: ${binary.url}/ can't be used: it is no UTF-8 text`,
    ]);
  });

  describe('that can not be reached', () => {
    it.each(['pre-rootfs', 'rootfs', 'initramfs', 'fs', 'boot', 'boot.before'])(
      'are only warned about in the stage %s',
      async (stage) => {
        const result = await run({ root: temporaryRoot(), sources: ['http://127.0.0.1:1/secret?token=s3cret'], stage });
        expect(result.outcome).toBe('skipped');
        expect(result.problems).toEqual([
          expect.stringMatching(/^warning: http:\/\/127\.0\.0\.1:1\/secret\?… can't be read: .*nothing of it is run/),
        ]);
      },
    );
    it.each(['network', 'reconcile', 'after-install'])('are an error in the stage %s', async (stage) => {
      const result = await run({ root: temporaryRoot(), sources: ['http://127.0.0.1:1/'], stage });
      expect(result.outcome).toBe('failed');
    });

    it('come from the last good copy, which only root can read, and it says so', async () => {
      let text = `stages: {boot: [${mark('good')}]}`;
      const server = await serve((_, response) => response.end(text));
      const root = temporaryRoot();
      mkdirSync(join(root.directory, 'oem'));
      const url = `${server.url}/c?token=s3cret`;
      await run({ root, sources: [url], stage: 'boot' });
      // Broken YAML replaces nothing.
      text = '<html>: [';
      expect((await run({ root, sources: [url], stage: 'boot' })).outcome).toBe('failed');
      server.close();
      const result = await run({ root, sources: [url], stage: 'boot' });
      expect(result.steps).toEqual(['boot good']);
      expect(result.outcome).toBe('ok');
      expect(result.problems).toEqual([
        expect.stringMatching(
          /^warning: http:.*\?… can't be read: .*; the copy of \d{4}-.*Z is used \(\/oem\/\.holdfast/,
        ),
      ]);
      const copies = join(root.directory, 'oem/.holdfast/sources');
      const [copy = '', ...others] = readdirSync(copies);
      expect(others).toEqual([]);
      expect([statSync(copies).mode & 0o777, statSync(join(copies, copy)).mode & 0o777]).toEqual([0o700, 0o600]);
      // A walk over /oem takes no copy for a stage file.
      expect((await run({ root, sources: ['/oem'], stage: 'boot' })).steps).toEqual([]);
    });

    it('no copy is kept by a plan, or where there is no OEM partition', async () => {
      const server = await serve((_, response) => response.end(`stages: {boot: [${mark('a')}]}`));
      const root = temporaryRoot();
      await run({ root, sources: [server.url], stage: 'boot' });
      expect(root.list('/')).toEqual(['d']);
      mkdirSync(join(root.directory, 'oem'));
      const plan = await planStage({ root, sources: [server.url], stage: 'boot', http });
      expect([plan.steps.length, root.list('/oem')]).toEqual([1, []]);
    });
  });

  it('an interruption ends the fetching', async () => {
    const abort = new AbortController();
    const server = await serve(() => abort.abort());
    const running = runStage({
      stage: 'network',
      root: temporaryRoot(),
      sources: [server.url],
      events: silent,
      signal: abort.signal,
    });
    await expect(running).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  });

  it('only http and https are addresses', async () => {
    expect((await run({ root: temporaryRoot(), sources: ['ftp://h/x', 'stages:{}'] })).problems).toEqual([
      'error: there is no file or directory ftp://h/x, and it is no web address',
      'error: there is no file or directory stages:{}, and it is no web address',
    ]);
  });
});

describe('paths', () => {
  it('that are missing are passed over, and only debugging tells, once', async () => {
    const events: Event[] = [];
    const result = await run({
      root: temporaryRoot(),
      sources: ['/nowhere', './neither/', '/nowhere'],
      events: (event) => events.push(event),
    });
    expect(result).toEqual({ steps: [], problems: [], outcome: 'skipped' });
    expect(events).toEqual([
      { type: 'notice', level: 'debug', text: '/nowhere is not there, it is passed over' },
      { type: 'notice', level: 'debug', text: './neither/ is not there, it is passed over' },
    ]);
  });
  it('that can not be looked at are an error of their own', async () => {
    const root = temporaryRoot({ 'good/a.yaml': `stages: {network: [${mark('a')}]}` });
    symlinkSync('loop', join(root.directory, 'loop'));
    expect(await run({ root, sources: ['/loop', '/good'] })).toEqual({
      steps: ['network a'],
      problems: ["error: it can't be read: too many symbolic links in /loop"],
      outcome: 'failed',
    });
  });
  it('may be looked up in another root than the steps act on', async () => {
    const elsewhere = temporaryRoot({ 'a.yaml': `stages: {network: [${mark('a')}]}` });
    const root = temporaryRoot();
    expect((await run({ root, sources: ['/a.yaml'], sourceRoot: elsewhere })).steps).toEqual(['network a']);
    expect([root.exists('/d'), elsewhere.exists('/d')]).toEqual([true, false]);
  });
  it('a pipe, and a file that is too large, are refused without waiting', async () => {
    const root = temporaryRoot();
    writeFileSync(join(root.directory, 'large.yaml'), Buffer.alloc((8 << 20) + 1, 0x20));
    symlinkSync('/dev/zero', join(root.directory, 'zero.yaml'));
    const result = await run({ root: new Root('/'), sources: [join(root.directory, 'large.yaml'), '/dev/zero'] });
    expect(result.problems).toEqual([
      "error: the file can't be read: it is larger than 8 MiB",
      "error: the file can't be read: it is no regular file",
    ]);
  });
});

describe('the kernel command line', () => {
  const commandLine = (root: Root, text: string) => {
    const file = join(root.directory, 'cmdline');
    writeFileSync(file, text);
    return file;
  };
  // elemental-cli v0.0.15: all three moments of the directories, then those of cos.setup, then those of the line.
  it('adds sources whose steps come after all others, and its own steps come last', async () => {
    const step = (path: string) =>
      `stages: {boot.before: [${mark(`${path}1`)}], boot: [${mark(`${path}2`)}], boot.after: [${mark(`${path}3`)}]}`;
    const root = temporaryRoot({
      'system/oem/a.yaml': step('system'),
      'oem/a.yaml': step('oem'),
      'setup/s.yaml': step('setup'),
      'more.txt': step('more'),
    });
    const line = commandLine(
      root,
      'ro cos.setup=/setup stages.boot[0].modules= stages.boot[0].name=line2 stages.boot.after[0].name=line3 stages.boot.before[0].name=line1 elemental.setup="/more.txt"\n',
    );
    const request = { root, sources: ['/system/oem', '/oem'], commandLine: line, stage: 'boot' };
    const inTurn = (names: string[]) =>
      ['boot.before 1', 'boot 2', 'boot.after 3'].flatMap((part) => {
        const [moment = '', number = ''] = part.split(' ');
        return names.map((name) => `${moment} ${name}${number}`);
      });
    expect((await run(request)).steps).toEqual([
      ...inTurn(['system', 'oem']),
      ...inTurn(['setup', 'more']),
      ...inTurn(['line']),
    ]);
    expect((await run({ ...request, alone: true })).steps).toEqual(
      ['system', 'oem', 'setup', 'more', 'line'].map((name) => `boot ${name}2`),
    );
  });
  it('never fails a stage by a word that can not be used', async () => {
    const root = temporaryRoot();
    const line = commandLine(root, 'stages.boot[0].git.branch_only=maybe stages.boot[0].name=x');
    expect(await run({ root, sources: [], commandLine: line, stage: 'boot' })).toEqual({
      steps: ['boot x'],
      problems: ['warning: the word stages.boot[0].git.branch_only is not used: "maybe" is not true or false'],
      outcome: 'ok',
    });
  });
  it('that can not be read is an error', async () => {
    expect(await run({ root: temporaryRoot(), sources: [], commandLine: '/nowhere/cmdline' })).toEqual({
      steps: [],
      problems: [expect.stringMatching(/^error: the kernel command line can't be read: ENOENT/)],
      outcome: 'failed',
    });
  });
  it.each<[string, string[]]>([
    ['cos.setup=/a quiet elemental.setup=/b', ['/a', '/b']],
    ['ro cos.setup=http://h/c?x=1&y=2\n', ['http://h/c?x=1&y=2']],
    [`cos.setup="/a b" cos.setup='/c' "elemental.setup=/d e"`, ['/a b', '/c', '/d e']],
    ['cos.setup= cos.setup my.cos.setup=/x rd.cos.setup=/y', []],
    ["it's cos.setup=/a # cos.setup=/b", ['/a', '/b']],
    ['', []],
  ])('%j names the sources %j', (text, sources) => {
    expect(setupSources(text)).toEqual(sources);
  });
});

it('texts in dot notation are sources as well when that is asked for', async () => {
  const root = temporaryRoot({ 'words.txt': 'stages.network[0].name=file\n# stages.network[1].name=no\n' });
  const text = { name: '<stdin>', text: 'stages.network[0].name=text' };
  expect((await run({ root, sources: ['/words.txt', text], dotNotation: true })).steps).toEqual([
    'network file',
    'network text',
  ]);
});

it('the environment names sources separated by spaces', () => {
  expect(environmentSources({ CLOUD_INIT_PATHS: ' /a  /b\n' })).toEqual(['/a', '/b']);
  expect(environmentSources({})).toEqual([]);
});
