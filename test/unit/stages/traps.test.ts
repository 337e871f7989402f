// What users' files of the originals are known to trip over, one test per trap: what the file says, and what comes of it
// here. Each row runs the real engine on a temporary root, or the pure part that decides: 61 to 64 plan a disk, what
// comes of it on real ones is in test/system/stages.

import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { runStage, type StageRequest, type StageResult } from '../../../src/stages/run.ts';
import { layout } from '../../../src/stages/steps/layout.ts';
import { overridePath } from '../../../src/stages/steps/systemctl.ts';
import { firstbootArguments } from '../../../src/stages/steps/systemdfirstboot.ts';
import { silent } from '../../../src/system/events.ts';
import { type HttpClient, httpRequest } from '../../../src/system/http.ts';
import { Root } from '../../../src/system/root.ts';
import { debianRoot, lineOf, newLines } from './accounts/debian-root.ts';
import { applied, modelDisk, planOf, tableText } from './layout/model-disk.ts';
import { standInRoot } from './steps/standin-root.ts';
import { failuresOf, self, temporaryRoot } from './temporary-root.ts';

const me = `owner: ${self.uid}, group: ${self.gid}`;
const mine = `owner: "${self.uid}:${self.gid}"`;
/** Runs without any program, so that only its name and place count. */
const mark = (name: string) => `{name: ${name}, directories: [{path: /d, permissions: 0755, ${me}}]}`;
const http: HttpClient = (url, options) => httpRequest(url, { ...options, delayMs: 0 });

/** Runs the stage `s`, or another, of a text. */
function run(root: Root, text: string, request: Partial<StageRequest> = {}): Promise<StageResult> {
  const sources = [{ name: 'f', text }];
  return runStage({ stage: 's', root, sources, events: silent, http, ...request });
}

const step = (root: Root, keys: string) => run(root, `stages: {s: [{${keys}}]}`);
const steps = (root: Root, list: string) => run(root, `stages:\n  s:\n${list.replace(/^/gm, '    ')}\n`);
const modeOf = (root: Root, path: string) => ((root.stat(path)?.mode ?? 0) & 0o7777).toString(8).padStart(4, '0');
const namesOf = (result: StageResult) => result.steps.map(({ name }) => name).join(' ');
const said = (result: StageResult) =>
  result.problems.map(({ severity, message }) => `${severity}: ${message}`).join('\n');

async function writtenMode(fields: string): Promise<{ mode: string; result: StageResult }> {
  const root = temporaryRoot();
  const result = await step(root, `files: [{path: /f, ${me}, ${fields}}]`);
  return { mode: root.exists('/f') ? modeOf(root, '/f') : 'none', result };
}

async function cloudInitMode(permissions: string): Promise<{ mode: string; result: StageResult }> {
  const root = temporaryRoot();
  const text = `#cloud-config\nwrite_files: [{path: /f, ${mine}, permissions: ${permissions}}]\n`;
  const result = await run(root, text, { stage: 'boot' });
  return { mode: root.exists('/f') ? modeOf(root, '/f') : 'none', result };
}

async function contentOf(fields: string, files: Record<string, string> = {}) {
  const root = temporaryRoot(files);
  const result = await step(root, `files: [{path: /f, permissions: 0600, ${me}, ${fields}}]`);
  return { text: root.readTextIfThere('/f'), result };
}

async function serve(status: number, body: string): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked };
}

const oem = { startMib: 1, sizeMib: 64, name: 'oem', type: 'ext4', label: 'COS_OEM' };

const TRAPS: Readonly<Record<string, () => Promise<void> | void>> = {
  '1 permissions: "0644" in a native file is 0644': async () => {
    expect((await writtenMode('permissions: "0644"')).mode).toBe('0644');
  },
  '2 permissions: 0644 is the same in write_files and natively': async () => {
    expect([(await cloudInitMode('0644')).mode, (await writtenMode('permissions: 0644')).mode]).toEqual([
      '0644',
      '0644',
    ]);
  },
  '3 permissions: 420 is 0420 in write_files, with a warning, and 0644 natively': async () => {
    const cloudInit = await cloudInitMode('420');
    const native = await writtenMode('permissions: 420');
    expect([cloudInit.mode, native.mode, said(native.result)]).toEqual(['0420', '0644', '']);
    expect(said(cloudInit.result)).toContain('warning: write_files[0].permissions: 420 is read as octal');
  },
  '4 permissions: 644 natively is 0204, with a warning': async () => {
    const { mode, result } = await writtenMode('permissions: 644');
    expect(mode).toBe('0204');
    expect(said(result)).toContain('warning: files[0].permissions: 644 is a decimal number and means mode 0204');
  },
  '5 permissions: 0888 is an error of its key': async () => {
    const { mode, result } = await writtenMode('permissions: 0888');
    expect(mode).toBe('none');
    expect(said(result)).toContain('error: files[0].permissions: "0888" is not a file mode');
  },
  '6 without permissions a file is 0644 and its new directory 0755, with a warning': async () => {
    const root = temporaryRoot();
    const result = await step(root, `files: [{path: /new/f, ${me}}]`);
    expect([modeOf(root, '/new'), modeOf(root, '/new/f')]).toEqual(['0755', '0644']);
    expect(said(result)).toBe('warning: files[0]: no permissions are given, 0644 is used');
  },
  '7 a directory with 01777 has it after the first run': async () => {
    const root = temporaryRoot();
    await step(root, `directories: [{path: /d, permissions: 01777, ${me}}]`);
    expect(modeOf(root, '/d')).toBe('1777');
  },
  '8 permsisions is permissions, with a warning': async () => {
    const { mode, result } = await writtenMode('permsisions: 0600');
    expect([mode, said(result)]).toEqual(['0600', 'warning: files[0]: the key "permsisions" is read as "permissions"']);
  },
  '9 owner: NAME in a native file is the user of that name, with a warning': async () => {
    const root = temporaryRoot({ 'etc/passwd': `me:x:${self.uid}:${self.gid}::/:/bin/sh\n` });
    const result = await step(root, 'files: [{path: /f, permissions: 0600, owner: me}]');
    expect(failuresOf(result)).toEqual([]);
    expect(root.stat('/f')?.uid).toBe(self.uid);
    expect(said(result)).toBe('warning: files[0].owner: "me" is read as a name');
  },
  '10 ownerstring may be numbers': async () => {
    const [uid, gid] = self.uid === 0 ? [1000, 1001] : [self.uid, self.gid];
    const root = temporaryRoot();
    await step(root, `files: [{path: /f, permissions: 0600, ownerstring: "${uid}:${gid}"}]`);
    expect([root.stat('/f')?.uid, root.stat('/f')?.gid]).toEqual([uid, gid]);
  },
  '11 owner_string is ownerstring, with a warning': async () => {
    const uid = self.uid === 0 ? 1000 : self.uid;
    const root = temporaryRoot({ 'etc/passwd': `me:x:${uid}:${self.gid}::/:/bin/sh\n` });
    const result = await step(root, 'files: [{path: /f, permissions: 0600, owner_string: me}]');
    expect(root.stat('/f')?.uid).toBe(uid);
    expect(said(result)).toBe('warning: files[0]: the key "owner_string" is read as "ownerstring"');
  },
  '12 encoding: base-64 is told, with the words that are known': async () => {
    const { text, result } = await contentOf('encoding: base-64, content: aGk=');
    expect(text).toBe('aGk=');
    expect(said(result)).toMatch(/warning: .*"base-64" is not known.*b64, base64, gz/);
  },
  '13 base64 may hold spaces, and what is no base64 leaves the file as it was': async () => {
    expect((await contentOf('encoding: b64, content: "aGVs bG8="')).text).toBe('hello');
    const broken = await contentOf('encoding: b64, content: "a*"', { f: 'old' });
    expect([broken.text, failuresOf(broken.result)]).toEqual(['old', ['files: /f: the content is not valid base64']]);
  },
  '14 a file with {{ nofunc }} is written literally': async () => {
    const { text, result } = await contentOf('content: "a {{ nofunc }} b"');
    expect([text, failuresOf(result)]).toEqual(['a {{ nofunc }} b', []]);
    expect(said(result)).toMatch(/^warning: /);
  },
  '15 a file with {{.Names}} gets <no value>, with a warning': async () => {
    const { text, result } = await contentOf(`content: "docker ps --format '{{.Names}}'"`);
    expect(text).toBe("docker ps --format '<no value>'");
    expect(said(result)).toMatch(/^warning: .*<no value>/);
  },
  '16 two stages: are put together, with a warning': async () => {
    const result = await run(temporaryRoot(), `stages:\nname: n\nstages: {s: [${mark('a')}]}\n`);
    expect(namesOf(result)).toBe('a');
    expect(said(result)).toContain('warning: the key "stages" is given twice');
    const both = await run(temporaryRoot(), `stages: {s.before: [${mark('a')}]}\nstages: {s: [${mark('b')}]}\n`);
    expect(namesOf(both)).toBe('a b');
  },
  '17 stage: is stages:, with a warning': async () => {
    const result = await run(temporaryRoot(), `stage: {s: [${mark('a')}]}`);
    expect([namesOf(result), said(result)]).toEqual(['a', 'warning: the key "stage" is read as "stages"']);
  },
  '18 stages that are a list, or a stage that is a mapping, are an error that names it': async () => {
    expect(said(await run(temporaryRoot(), 'stages: [s]'))).toMatch(/^error: stages: this must be a mapping/);
    expect(said(await run(temporaryRoot(), 'stages: {s: {commands: [x]}}'))).toMatch(
      /^error: the stage "s": this must be a list of steps, not a mapping/,
    );
  },
  '19 commands: foo is one command, with a warning': async () => {
    const result = await step(new Root('/'), 'commands: "exit 3"');
    expect(failuresOf(result)).toEqual(['commands: exit 3 failed with status 3']);
    expect(said(result)).toBe('warning: commands: a single value is read as a list of one');
  },
  '20 a command that fails does not stop the next, and the step has failed': async () => {
    const lines: string[] = [];
    const events: StageRequest['events'] = (event) => event.type === 'output' && lines.push(event.text);
    const result = await run(new Root('/'), 'stages: {s: [{commands: [exit 3, echo b]}]}', { events });
    expect([lines, failuresOf(result)]).toEqual([['b'], ['commands: exit 3 failed with status 3']]);
  },
  '21 of one block of commands the last decides': async () => {
    const result = await steps(new Root('/'), '- commands:\n  - |\n    false\n    echo c');
    expect([result.outcome, failuresOf(result)]).toEqual(['ok', []]);
  },
  '22 a bad file between good ones is an error, the others run': async () => {
    const file = (name: string) => `stages: {s: [${mark(name)}]}`;
    const root = temporaryRoot({
      'oem/01.yaml': file('one'),
      'oem/02.yaml': 'stages: {s: [',
      'oem/03.yaml': file('three'),
    });
    const result = await run(root, '', { sources: ['/oem'] });
    expect([namesOf(result), result.outcome]).toEqual(['one three', 'failed']);
    expect(result.problems.map(({ location }) => location.file)).toEqual(['/oem/02.yaml']);
  },
  '23 01 runs before 03 although 02 lacks the stage': async () => {
    const write = (commands: string) => `stages: {s: [{commands: ["{ ${commands}; } >> $LOG"]}]}`;
    const directory = temporaryRoot({
      'oem/01.yaml': write('echo 01 begins; sleep 0.05; echo 01 ends'),
      'oem/02.yaml': 'stages: {other: [{commands: ["true"]}]}',
      'oem/03.yaml': write('echo 03'),
    });
    const sources = [join(directory.directory, 'oem')];
    await run(new Root('/'), '', { sources, env: { LOG: join(directory.directory, 'log') } });
    expect(directory.readText('/log')).toBe('01 begins\n01 ends\n03\n');
  },
  '24 after: [{name: typo}] is a warning and the step runs': async () => {
    const result = await steps(temporaryRoot(), `- {name: a, after: [{name: typo}], ${mark('a').slice(10)}`);
    expect([result.steps.map(({ outcome }) => outcome), said(result)]).toEqual([
      ['ok'],
      'warning: "after: typo" names no step that is known here; it is ignored',
    ]);
  },
  '25 after: [NAME] is understood': async () => {
    const result = await run(temporaryRoot(), `name: n\nstages: {s: [{name: a, after: [n.b]}, ${mark('b')}]}`);
    expect([namesOf(result), said(result)]).toEqual(['b a', '']);
  },
  '26 /oem/a.yaml.0 is the first unnamed step of that file': async () => {
    const root = temporaryRoot({
      'oem/0.yaml': `stages: {s: [{name: waits, after: [{name: /oem/a.yaml.0}]}]}`,
      'oem/a.yaml': `stages: {s: [{hostname: ""}, {sysctl: {}}]}`,
    });
    const result = await run(root, '', { sources: ['/oem'] });
    expect(result.steps.map(({ name, line, file }) => name ?? `${file}:${line}`)).toEqual([
      '/oem/a.yaml:1',
      'waits',
      '/oem/a.yaml:1',
    ]);
    expect(said(result)).toBe('');
  },
  '27 three files with the same names all run, in order': async () => {
    const file = (path: string) =>
      `name: n\nstages: {s: [{name: x, directories: [{path: ${path}, permissions: 0755, ${me}}]}]}`;
    const root = temporaryRoot({ 'oem/1.yaml': file('/a'), 'oem/2.yaml': file('/b'), 'oem/3.yaml': file('/c') });
    const result = await run(root, '', { sources: ['/oem'] });
    expect(result.steps.map(({ changedFiles }) => changedFiles)).toEqual([['/a'], ['/b'], ['/c']]);
  },
  '28 a source that is a link to a directory has its files': async () => {
    const root = temporaryRoot({ 'data/a.yaml': `stages: {s: [${mark('a')}]}` });
    symlinkSync('/data', join(root.directory, 'oem'));
    expect(namesOf(await run(root, '', { sources: ['/oem'] }))).toBe('a');
  },
  '29 a source that is not there is passed over': async () => {
    const result = await run(temporaryRoot(), '', { sources: ['/oem/'] });
    expect([result.outcome, result.problems]).toEqual(['skipped', []]);
  },
  '30 one line of YAML without a line end is YAML, no address': async () => {
    expect(namesOf(await run(temporaryRoot(), `stages: {s: [${mark('a')}]}`))).toBe('a');
  },
  '31 a page that says 404 is an error': async () => {
    const { url } = await serve(404, '404: Not Found');
    const result = await run(temporaryRoot(), '', { sources: [url] });
    expect([result.outcome, said(result)]).toEqual(['failed', `error: ${url}/ answered with status 404`]);
  },
  '32 cos.setup= keeps the whole address': async () => {
    const { url, asked } = await serve(200, `stages: {s: [${mark('a')}]}`);
    const root = temporaryRoot({ cmdline: `quiet cos.setup=${url}/c?x=1&y=2\n` });
    const result = await run(root, '', { sources: [], commandLine: join(root.directory, 'cmdline') });
    expect([namesOf(result), asked]).toEqual(['a', ['/c?x=1&y=2']]);
  },
  '33 authorized_keys.user=github:user on the command line is one key': async () => {
    const root = debianRoot({ cmdline: 'stages.network[0].authorized_keys.user=github:user' });
    const result = await run(root, '', {
      stage: 'network',
      sources: [],
      commandLine: join(root.directory, 'cmdline'),
    });
    // There is no such user here; that it is asked for shows that the word was understood.
    expect([said(result), failuresOf(result).join()]).toEqual(['', expect.stringContaining('user')]);
  },
  '34 on the command line # begins a comment': async () => {
    const root = temporaryRoot({ cmdline: 'stages.s[0].name=a # stages.s[0].hostname=b' });
    const result = await run(root, '', { sources: [], commandLine: join(root.directory, 'cmdline') });
    expect(result.steps.map(({ name, keys }) => [name, keys])).toEqual([['a', []]]);
  },
  '35 only_os: "ubuntu" runs on Ubuntu, with a note': async () => {
    const root = temporaryRoot({ 'etc/os-release': 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\n' });
    const result = await step(root, 'name: a, only_os: "ubuntu"');
    expect([result.steps[0]?.outcome, said(result)]).toEqual([
      'ok',
      expect.stringMatching(/^warning: only_os: ubuntu/),
    ]);
  },
  '36 only_os with look-ahead is evaluated, with a warning': async () => {
    const outcomeOn = async (id: string) => {
      const root = temporaryRoot({ 'etc/os-release': `PRETTY_NAME=${id}\nID=${id}\n` });
      const result = await step(root, 'name: a, only_os: "^(?!ubuntu).*"');
      expect(said(result)).toMatch(/^warning: only_os: /);
      return result.steps[0]?.outcome;
    };
    expect([await outcomeOn('fedora'), await outcomeOn('ubuntu')]).toEqual(['ok', 'skipped']);
  },
  '37 only_os keeps a step from other systems': async () => {
    const root = temporaryRoot({ 'etc/os-release': 'PRETTY_NAME="Fedora Linux 41"\nID=fedora\n' });
    expect((await step(root, 'only_os: "Ubuntu.*"')).steps[0]?.outcome).toBe('skipped');
  },
  '38 the shell of the system decides on [[, and what it said is told': async () => {
    const sh = (text: string) => {
      try {
        execFileSync('sh', ['-c', text], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    };
    const result = await step(new Root('/'), 'if: "[[ -d / ]]"');
    expect(result.steps[0]?.outcome).toBe(sh('[[ -d / ]]') ? 'ok' : 'skipped');
    if (result.steps[0]?.outcome === 'skipped') expect(result.steps[0].reason).toMatch(/\[\[.*sh: .*\[\[/);
  },
  '39 an empty list in if_files decides nothing': async () => {
    const result = await step(temporaryRoot(), 'if_files: {none: [], all: [/missing]}');
    expect(result.steps[0]?.outcome).toBe('skipped');
  },
  '40 a user without a password is locked, with a warning': async () => {
    const root = debianRoot();
    const result = await step(root, 'users: {bob: {no_create_home: true}}');
    expect(lineOf(root, 'shadow', 'bob')).toMatch(/^bob:!:/);
    expect(said(result)).toMatch(/^warning: user bob: no passwd/);
  },
  '41 lock_passwd stays locked at the second boot': async () => {
    const root = debianRoot();
    for (let boot = 1; boot <= 2; boot += 1) {
      await step(root, 'users: {bob: {lock_passwd: true, passwd: x, no_create_home: true}}');
      expect(lineOf(root, 'shadow', 'bob')).toMatch(/^bob:!/);
    }
  },
  '42 a home that belongs to root makes nobody root': async () => {
    const root = debianRoot({ 'opt/x': '' });
    const result = await step(root, 'users: {bob: {homedir: /opt, lock_passwd: true}}');
    expect(lineOf(root, 'passwd', 'bob')).toMatch(/^bob:x:1\d{3}:/);
    if (root.stat('/opt')?.uid === 0) expect(said(result)).toMatch(/warning: .*\/opt belongs to user number 0/);
  },
  '43 to a user who is there groups are added, the rest is told': async () => {
    const root = debianRoot();
    const account = '{lock_passwd: true, no_create_home: true';
    await step(root, `users: {bob: ${account}}}`);
    const result = await step(root, `users: {bob: ${account}, groups: [sudo], shell: /bin/zsh}}`);
    expect(lineOf(root, 'group', 'sudo')).toBe('sudo:x:27:bob');
    expect(lineOf(root, 'passwd', 'bob')).toMatch(/:\/bin\/sh$/);
    expect(said(result)).toMatch(/warning: .*shell/);
  },
  '44 a group that is not there yet is made, with a warning': async () => {
    const root = debianRoot();
    const result = await step(root, 'users: {bob: {lock_passwd: true, no_create_home: true, groups: [docker]}}');
    expect(lineOf(root, 'group', 'docker')).toMatch(/:bob$/);
    expect(said(result)).toMatch(/warning: .*docker/);
  },
  '45 an entity "user" without uid and gid gets free ones, with a warning': async () => {
    const root = debianRoot();
    const result = await ensure(root, 'kind: user\nusername: foo\npassword: x');
    expect(lineOf(root, 'passwd', 'foo')).toMatch(/^foo:x:1000:1000:/);
    expect(said(result)).toMatch(/warning: .*no uid is given/);
  },
  '46 an entity "group" without gid gets a free one': async () => {
    const root = debianRoot();
    await ensure(root, 'kind: group\ngroup_name: foo\npassword: x\nusers: root');
    expect(lineOf(root, 'group', 'foo')).toBe('foo:x:1000:root');
  },
  '47 an entity "group" with gid -1 keeps the one that it has': async () => {
    const root = debianRoot();
    for (let boot = 1; boot <= 2; boot += 1) await ensure(root, 'kind: group\ngroup_name: users\ngid: -1');
    expect(lineOf(root, 'group', 'users')).toMatch(/^users:x:100:/);
  },
  '48 deleting a group that is not there changes nothing': async () => {
    const root = debianRoot();
    const result = await remove(root, 'kind: group\ngroup_name: nobody-has-it');
    expect([failuresOf(result), newLines(root)]).toEqual([[], []]);
    expect(root.readText('/etc/group')).toMatch(/^root:/);
  },
  '49 a user is deleted by the name alone': async () => {
    const root = debianRoot();
    await remove(root, 'kind: user\nusername: games');
    expect(lineOf(root, 'passwd', 'games')).toBeUndefined();
  },
  '50 blank lines in /etc/group disturb nobody': async () => {
    const root = debianRoot({ 'etc/group': 'root:x:0:\n\n# note\nusers:x:100:\n\n' });
    const result = await ensure(root, 'kind: group\ngroup_name: users\nusers: root');
    expect([failuresOf(result), root.readText('/etc/group')]).toEqual([
      [],
      'root:x:0:\n\n# note\nusers:x:100:root\n\n',
    ]);
  },
  '51 the environment value 007 stays 007': async () => {
    const root = temporaryRoot();
    await step(root, 'environment: {KEY: 007}');
    expect(root.readText('/etc/environment')).toBe('KEY="007"\n');
  },
  '52 comments and other lines of /etc/environment stay': async () => {
    const old = '# comment\nPATH=$HOME/bin\nno assignment\nB=1\n';
    const root = temporaryRoot({ 'etc/environment': old });
    await step(root, 'environment: {A: x}');
    expect(root.readText('/etc/environment')).toBe(`${old}A="x"\n`);
  },
  '53 environment_file keeps its mode 0600': async () => {
    const root = temporaryRoot();
    await step(root, `files: [{path: /e, permissions: 0600, ${me}}], environment: {A: x}, environment_file: /e`);
    expect([modeOf(root, '/e'), root.readText('/e')]).toEqual(['0600', 'A="x"\n']);
  },
  '54 hostname with .Values is rendered': async () => {
    const root = temporaryRoot({ 'proc/sys/kernel/hostname': 'old\n', 'etc/os-release': 'ID=debian\n' });
    expect(failuresOf(await step(root, 'hostname: "{{.Values.os.vendor}}-x"'))).toEqual([]);
    expect(root.readText('/etc/hostname')).toBe('debian-x\n');
  },
  '55 other names of 127.0.0.1 stay': async () => {
    const root = temporaryRoot({ 'etc/hosts': '127.0.0.1 localhost db cache\n' });
    await step(root, 'hostname: n1');
    expect(root.readText('/etc/hosts')).toBe('127.0.0.1 localhost db cache n1\n');
  },
  '56 force: true of systemd_firstboot is --force': () => {
    expect(firstbootArguments(new Map([['force', 'true']]))).toEqual(['--force']);
  },
  '57 systctl is sysctl, with a warning': async () => {
    const root = temporaryRoot({ 'proc/sys/net/x': '0' });
    const result = await step(root, 'systctl: {net.x: "1"}');
    expect([root.readText('/proc/sys/net/x'), said(result)]).toEqual([
      '1',
      'warning: the key "systctl" is read as "sysctl"',
    ]);
  },
  '58 an override of foo.timer is in foo.timer.d': () => {
    expect(overridePath({ service: 'foo.timer', name: 'x' })).toBe('/etc/systemd/system/foo.timer.d/x.conf');
  },
  '59 dns with search alone writes it and keeps the name servers': async () => {
    const root = temporaryRoot({ 'etc/resolv.conf': 'nameserver 10.0.0.1\n' });
    await step(root, 'dns: {search: [a]}');
    expect(root.readText('/etc/resolv.conf')).toBe('search a\nnameserver 10.0.0.1\n');
  },
  '60 packages: {upgrade: true} upgrades': async () => {
    const root = standInRoot('ID=alpine', { apk: '' });
    expect(failuresOf(await step(root, 'packages: {upgrade: true}'))).toEqual([]);
    expect(root.calls()).toEqual(['apk [upgrade] [--no-cache]']);
  },
  '61 a partition that fills its disk is expanded: nothing to do': () => {
    const full = applied({ expand_partition: { size: 0 } }, modelDisk(512, [oem]));
    expect(planOf({ expand_partition: { size: 0 } }, full).actions).toEqual([]);
  },
  '62 a partition without pLabel is added once, by its fsLabel': () => {
    const wish = { add_partitions: [{ fsLabel: 'DATA', size: 64 }] };
    const disk = applied(wish, modelDisk(512, [oem]));
    expect(planOf(wish, disk).actions).toEqual([]);
  },
  '63 of label and path of a device the label counts': () => {
    const device = { label: 'COS_OEM', path: '/dev/sdx' };
    const lines = layout.describe({ device, expand_partition: { size: 0 } });
    expect(lines).toEqual([expect.stringContaining('the disk with the label COS_OEM')]);
  },
  '64 the last partition has the size that was asked for': () => {
    const disk = applied({ add_partitions: [{ fsLabel: 'DATA', size: 100 }] }, modelDisk(512, [oem]));
    expect(tableText(disk).at(-1)).toContain('65+100');
  },
  '65 users: [default, {name: a}] makes a': async () => {
    const root = debianRoot();
    const text = '#cloud-config\nusers: [default, {name: a, lock_passwd: true, no_create_home: true}]\n';
    const result = await run(root, text, { stage: 'boot' });
    expect([failuresOf(result), said(result)]).toEqual([[], '']);
    expect(lineOf(root, 'passwd', 'a')).toMatch(/^a:x:1000:/);
  },
  '66 a type error in the stages of a #cloud-config file costs that value only': async () => {
    const text = `#cloud-config\nhostname: h\nstages: {s: [{commands: {a: b}}, ${mark('good')}]}\n`;
    const result = await run(temporaryRoot(), text);
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['failed', 'ok']);
    expect(said(result)).toBe('error: commands: this must be a list, not a mapping');
  },
  '67 write_files may belong to a user of the same file': async () => {
    const uid = self.uid === 0 ? 1234 : self.uid;
    const root = debianRoot();
    const text = `#cloud-config
write_files: [{path: /f, owner: bob, content: x}]
users: [{name: bob, uid: ${uid}, primary_group: root, lock_passwd: true, no_create_home: true}]
`;
    const result = await run(root, text, { stage: 'boot' });
    if (self.gid === 0) expect(failuresOf(result)).toEqual([]);
    expect(namesOf(result)).toBe('cloud-config users cloud-config write_files');
    expect(failuresOf(result).join()).not.toContain('there is no user');
  },
  '68 hostname of a #cloud-config file is set in initramfs alone': async () => {
    const root = temporaryRoot();
    expect((await run(root, '#cloud-config\nhostname: n1\n', { stage: 'boot' })).outcome).toBe('skipped');
    await run(root, '#cloud-config\nhostname: n1\n', { stage: 'initramfs' });
    expect(root.readText('/etc/hostname')).toBe('n1\n');
  },
  '69 keys of github in a #cloud-config file are fetched in the stage network': () => {
    const { document } = parseCloudConfig('#cloud-config\nssh_authorized_keys: ["github:me"]\n', 'f');
    expect([...(document?.stages ?? [])].map(([stage, list]) => [stage, list[0]?.values.authorized_keys])).toEqual([
      ['network', new Map([['root', ['github:me']]])],
    ]);
  },
  '70 of several data sources the first in the list wins, however slow': async () => {
    const root = temporaryRoot();
    const clouds: HttpClient = async (url) => {
      const isAws = url.includes('169.254.169.254');
      if (isAws) await new Promise((resolve) => setTimeout(resolve, 20));
      const isData = url.endsWith('/user-data');
      const body = isData ? `stages: {s: [{name: of-${isAws ? 'aws' : 'gcp'}}]}` : 'x';
      return { url, status: 200, headers: new Headers({ 'metadata-flavor': 'Google' }), body: Buffer.from(body) };
    };
    await run(root, 'stages: {s: [{datasource: {providers: [aws, gcp]}}]}', { http: clouds });
    expect(root.readText('/run/config/userdata.yaml')).toContain('of-aws');
  },
  '71 gzip user data is unpacked': async () => {
    const root = temporaryRoot();
    const packed = gzipSync('#cloud-config\nstages: {s: [{name: from-gzip}]}\n').toString('base64');
    await step(root, `files: [{path: /seed, permissions: 0600, ${me}, encoding: b64, content: ${packed}}]`);
    await step(root, 'datasource: {providers: [file], path: /seed}');
    expect(root.readText('/run/config/userdata.yaml')).toContain('name: from-gzip');
  },
  '72 a download of equal size that has changed is fetched': async () => {
    let body = 'old';
    const server = createServer((_, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/f`;
    const root = temporaryRoot();
    for (body of ['old', 'new']) {
      await step(root, `downloads: [{path: /f, permissions: 0600, ${me}, url: "${url}"}]`);
      expect(root.readText('/f')).toBe(body);
    }
  },
  '73 a second document in a file is a warning': async () => {
    const result = await run(temporaryRoot(), `stages: {s: [${mark('a')}]}\n---\nstages: {s: [${mark('b')}]}\n`);
    expect([namesOf(result), said(result)]).toEqual([
      'a',
      'warning: a second YAML document begins here and is not used',
    ]);
  },
  '74 uid: 1000 as a number is the uid 1000': async () => {
    const root = debianRoot();
    await step(root, 'users: {bob: {uid: 1500, lock_passwd: true, no_create_home: true}}');
    expect(lineOf(root, 'passwd', 'bob')).toMatch(/^bob:x:1500:/);
  },
  '75 an empty step is dropped and not counted': async () => {
    const result = await steps(temporaryRoot(), `- null\n- ${mark('a')}\n-\n- {name: b, after: [f.0]}\n`);
    expect([namesOf(result), said(result)]).toEqual(['a b', '']);
  },
};

const entity = (key: string, root: Root, text: string) =>
  steps(root, `- ${key}:\n  - entity: |\n${text.replace(/^/gm, '      ')}`);
const ensure = (root: Root, text: string) => entity('ensure_entities', root, text);
const remove = (root: Root, text: string) => entity('delete_entities', root, text);

it.each(Object.entries(TRAPS))('%s', (_, check) => check());

it('each of the 75 is there, once and in order', () => {
  expect(Object.keys(TRAPS).map((title) => Number(title.split(' ')[0]))).toEqual(
    Array.from({ length: 75 }, (_, index) => index + 1),
  );
});
