// `authorized_keys` with keys as they are written, and from servers on this machine. The user is the one who runs the
// tests; what needs other owners is in the system tests.

import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runStage, type StageResult } from '../../../../src/stages/run.ts';
import { handlers } from '../../../../src/stages/steps/all.ts';
import { silent } from '../../../../src/system/events.ts';
import { type HttpClient, httpRequest } from '../../../../src/system/http.ts';
import type { Root } from '../../../../src/system/root.ts';
import { warningsOf } from '../accounts/debian-root.ts';
import { keyLine } from '../accounts/keys.ts';
import { failuresOf, self, temporaryRoot } from '../temporary-root.ts';

const FILE = '/home/me/.ssh/authorized_keys';

function rootWithMe(files: Readonly<Record<string, string>> = {}): Root {
  return temporaryRoot({
    'etc/passwd': `me:x:${self.uid}:${self.gid}::/home/me:/bin/sh\nhomeless:x:${self.uid}:${self.gid}::/nowhere:/bin/sh\n`,
    'home/me/.profile': '',
    ...files,
  });
}

/** Answers for the hosts that keys come from; every request goes to a server on this machine. */
async function serve(answer: RequestListener): Promise<{ http: HttpClient; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const http: HttpClient = (url, options) => {
    requests.push(url);
    const { pathname, search } = new URL(url);
    return httpRequest(`http://127.0.0.1:${port}${pathname}${search}`, { ...options, delayMs: 1 });
  };
  return { http, requests };
}

const nobody: HttpClient = () => Promise.reject(new Error('there is no network in this test'));

async function add(root: Root, keys: Record<string, string[]>, http: HttpClient = nobody): Promise<StageResult> {
  const text = JSON.stringify({ stages: { s: [{ authorized_keys: keys }] } });
  return runStage({ stage: 's', root, sources: [], documents: [{ name: 'test.yaml', text }], events: silent, http });
}

it('the directory and the file are made for the user alone, and a second time nothing is done', async () => {
  const root = rootWithMe();
  const result = await add(root, { me: [keyLine(1), keyLine(2)] });
  expect(failuresOf(result)).toEqual([]);
  expect(warningsOf(result)).toEqual([]);
  expect(result.steps[0]?.changedFiles).toEqual(['/home/me/.ssh', FILE]);
  expect(root.readText(FILE)).toBe(`${keyLine(1)}\n${keyLine(2)}\n`);
  expect((root.stat('/home/me/.ssh')?.mode ?? 0) & 0o777).toBe(0o700);
  expect((root.stat(FILE)?.mode ?? 0) & 0o777).toBe(0o600);
  const inode = root.stat(FILE)?.ino;
  const again = await add(root, { me: [keyLine(1), keyLine(2)] });
  expect(again.steps[0]?.changedFiles).toEqual([]);
  expect(root.stat(FILE)?.ino).toBe(inode);
  expect(root.list('/home/me/.ssh')).toEqual(['authorized_keys']);
});

it('a file without a last line break gets one before the new key; options and bytes that are there stay', async () => {
  const root = rootWithMe();
  mkdirSync(root.resolve('/home/me/.ssh'));
  const before = Buffer.from(`# J\xfcrgen\nno-pty ${keyLine(1, 'other')}`, 'latin1');
  writeFileSync(root.resolve(FILE), before, { mode: 0o640 });
  chmodSync(root.resolve(FILE), 0o640);
  await add(root, { me: [keyLine(1), keyLine(2)] });
  expect(readFileSync(root.resolve(FILE)).equals(Buffer.concat([before, Buffer.from(`\n${keyLine(2)}\n`)]))).toBe(true);
  expect((root.stat(FILE)?.mode ?? 0) & 0o777).toBe(0o640);
});

it('what others may write, sshd would not read: that permission is taken away', async () => {
  const root = rootWithMe({ 'home/me/.ssh/authorized_keys': `${keyLine(1)}\n` });
  chmodSync(root.resolve('/home/me/.ssh'), 0o777);
  chmodSync(root.resolve(FILE), 0o666);
  const result = await add(root, { me: [keyLine(1)] });
  expect(result.steps[0]?.changedFiles).toEqual(['/home/me/.ssh', FILE]);
  expect((root.stat('/home/me/.ssh')?.mode ?? 0) & 0o777).toBe(0o755);
  expect((root.stat(FILE)?.mode ?? 0) & 0o777).toBe(0o644);
});

it('a text that is no key is written with a warning that does not tell it', async () => {
  const root = rootWithMe();
  const result = await add(root, { me: ['ssh-rsa AAAA... me', `# mine\n${keyLine(1)}\n`] });
  expect(root.readText(FILE)).toBe(`ssh-rsa AAAA... me\n# mine\n${keyLine(1)}\n`);
  expect(warningsOf(result)).toEqual(['an entry of me is no key that sshd accepts; it is written as it is']);
});

it('GitHub, GitLab and other servers are asked once each, and one new key of theirs brings one line', async () => {
  const bodies: Record<string, string> = {
    '/me.keys': `${keyLine(1)}\n${keyLine(2)}\n`,
    '/my%2Fgroup.keys': `${keyLine(2, 'again')}\r\n${keyLine(3)}`,
    '/k?t=1': `# mine\n\ncommand="a b" ${keyLine(4)}\n`,
  };
  const { http, requests } = await serve((request, response) => response.end(bodies[request.url ?? ''] ?? 'no'));
  const root = rootWithMe();
  const keys = { me: ['github:me', 'gitlab:my/group', 'https://keys.example.org/k?t=1', 'GITHUB:me'] };
  expect(failuresOf(await add(root, keys, http))).toEqual([]);
  expect(root.readText(FILE)).toBe(`${keyLine(1)}\n${keyLine(2)}\n${keyLine(3)}\ncommand="a b" ${keyLine(4)}\n`);
  expect(requests).toEqual([
    'https://github.com/me.keys',
    'https://gitlab.com/my%2Fgroup.keys',
    'https://keys.example.org/k?t=1',
  ]);
  bodies['/me.keys'] += `${keyLine(5)}\n`;
  await add(root, keys, http);
  expect(root.readText(FILE).split('\n')).toHaveLength(6);
});

it.each([
  [404, 'Not Found', 'https://github.com/me.keys answered with status 404'],
  [200, '<!DOCTYPE html><title>Sign in</title>', 'line 1 of https://github.com/me.keys is no public key'],
  [200, `${keyLine(1)}\n<p>`, 'line 2 of https://github.com/me.keys is no public key'],
  [200, 'x'.repeat((1 << 20) + 1), 'is larger than 1048576 bytes'],
])(
  'an answer with status %i and another body is refused, and the other keys are added',
  async (status, body, error) => {
    const { http } = await serve((_, response) => response.writeHead(status).end(body));
    const root = rootWithMe();
    const result = await add(root, { me: ['github:me', keyLine(9)] }, http);
    expect(failuresOf(result)[0]).toContain(error);
    expect(root.readText(FILE)).toBe(`${keyLine(9)}\n`);
  },
);

it('a body without keys is warned about and makes no file', async () => {
  const { http } = await serve((_, response) => response.end('\n'));
  const root = rootWithMe();
  expect(warningsOf(await add(root, { me: ['github:me'] }, http))).toEqual(['github:me has no keys for me']);
  expect(root.exists('/home/me/.ssh')).toBe(false);
});

it('a user who is missing or has no home, and a scheme that is not known, are failures of their own', async () => {
  const root = rootWithMe();
  const result = await add(root, {
    nobody: [keyLine(1)],
    homeless: [keyLine(1)],
    me: ['ftp://example.org/keys', keyLine(1)],
  });
  expect(failuresOf(result)).toEqual([
    "authorized_keys: there is no user nobody for these keys; the home /nowhere of homeless isn't there; " +
      'keys can\'t be fetched from "ftp:" (write github:NAME, gitlab:NAME, https://…, or the key itself)',
  ]);
  expect(root.readText(FILE)).toBe(`${keyLine(1)}\n`);
});

it('links inside of the home are followed inside of the root', async () => {
  const root = rootWithMe();
  mkdirSync(root.resolve('/home/me/keys'));
  symlinkSync('/home/me/keys', join(root.directory, 'home/me/.ssh'));
  symlinkSync('main', join(root.directory, 'home/me/keys/authorized_keys'));
  await add(root, { me: [keyLine(1)] });
  expect(root.readText('/home/me/keys/main')).toBe(`${keyLine(1)}\n`);
  expect(lstatSync(join(root.directory, 'home/me/.ssh')).isSymbolicLink()).toBe(true);
});

it('a link that climbs out of the root ends at the root', async () => {
  const outside = temporaryRoot({ 'ssh/keep': '' });
  const root = rootWithMe();
  symlinkSync(join('../../../../../../../..', outside.directory, 'ssh'), join(root.directory, 'home/me/.ssh'));
  const result = await add(root, { me: [keyLine(1)] });
  expect(failuresOf(result)[0]).toMatch(/^authorized_keys: .*isn't me's own and is left as it is/);
  expect(outside.list('/ssh')).toEqual(['keep']);
});

it('a pipe or a directory in place of the file is refused without waiting', async () => {
  const root = rootWithMe();
  mkdirSync(root.resolve(FILE), { recursive: true });
  const result = await add(root, { me: [keyLine(1)] });
  expect(failuresOf(result)[0]).toContain(`${FILE} isn't me's own and is left as it is`);
});

it("a second name of the user's own file is replaced, the first one stays", async () => {
  const root = rootWithMe({ 'home/me/original': 'text\n' });
  mkdirSync(root.resolve('/home/me/.ssh'));
  linkSync(root.resolve('/home/me/original'), root.resolve(FILE));
  await add(root, { me: [keyLine(1)] });
  expect(root.readText('/home/me/original')).toBe('text\n');
  expect(root.readText(FILE)).toBe(`text\n${keyLine(1)}\n`);
});

it('a plan says where keys come from and nothing that is secret', () => {
  const value = new Map([['me', ['github:me', 'https://u:p@h/k?token=1', keyLine(1)]]]);
  expect(handlers.authorized_keys.describe({ authorized_keys: value })).toEqual([
    'add github:me, https://h/k?…, a key to the authorized_keys of me',
  ]);
});
