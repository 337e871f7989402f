// Stages with the real executable: where files may come from, the machine's own kernel command line included (a file that
// is mounted over /proc/cmdline), and what the exit status says. Takes about two seconds after the build.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { type RunOptions, run } from '../../../src/system/process.ts';

let executable: string;
let directory: string;
let log: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  log = join(directory, 'log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const holdfast = (args: readonly string[], options: RunOptions = {}) => run([executable, ...args], options);
/** A step of the stage `try` that leaves its name in the log. */
const writes = (name: string, stage = 'try') => `stages: {${stage}: [{commands: ["echo ${name} >> ${log}"]}]}`;
const written = () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []);

function file(path: string, text: string): string {
  const full = join(directory, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, text);
  return full;
}

function withCommandLine(text: string, args: readonly string[], options: RunOptions = {}) {
  const line = file('cmdline', `BOOT_IMAGE=(loop0)/boot/vmlinuz root=LABEL=COS_STATE ro ${text}\n`);
  const mounting = 'mount --bind "$1" /proc/cmdline && shift && exec "$@"';
  return run(['unshare', '--mount', 'sh', '-c', mounting, 'sh', line, executable, ...args], options);
}

it('standard input is YAML, also as one line without an end', async () => {
  const result = await holdfast(['cloud-init', '--stage', 'try', '-'], { input: writes('stdin') });
  expect([result.status, result.stderr, written()]).toEqual([0, '', ['stdin']]);
  expect(result.stdout).toMatch(/^ {2}try: step of <stdin>:1\nstage try: steps: 1 ok, 0 skipped, 0 failed/);
});

it('files, directories and texts run in the order in which they are named', async () => {
  const args = [file('one.txt', writes('one')), file('two/2.yaml', writes('two')), '-', writes('argument')];
  args[1] = join(directory, 'two');
  expect((await holdfast(['cloud-init', '-s', 'try', ...args], { input: writes('stdin') })).status).toBe(0);
  expect(written()).toEqual(['one', 'two', 'stdin', 'argument']);
});

it('dot notation is read from any source when it is asked for', async () => {
  const words = file('words', `stages.try[0].commands[0]="echo file >> ${log}"\n`);
  const input = `stages.try[0].commands="echo stdin >> ${log}" stages.try[0].nonsense=x`;
  const result = await holdfast(['cloud-init', '-s', 'try', '-d', words, '-'], { input });
  expect([result.status, written()]).toEqual([0, ['file', 'stdin']]);
  expect(result.stdout).toContain('warning: the word stages.try[0].nonsense is not used');
});

it('a name that is nothing is passed over with a warning, as a machine may lack a directory', async () => {
  const path = file('a.yaml', writes('a'));
  const result = await holdfast(['cloud-init', '-s', 'try', '/nowhere', path, './nothing.yaml']);
  expect([result.status, written()]).toEqual([0, ['a']]);
  expect(result.stdout + result.stderr).toContain('warning: /nowhere does not exist, it is passed over\n');
  expect(result.stdout + result.stderr).toContain('warning: ./nothing.yaml does not exist, it is passed over\n');
});

it('names that are all nothing are a usage error', async () => {
  const result = await holdfast(['cloud-init', '-s', 'try', '/nowhere.yaml', 'nothing']);
  expect(result.status).toBe(1);
  expect(result.stderr).toBe(
    'error: /nowhere.yaml, nothing do not exist [HF-USAGE]\n' +
      'hint: name files, directories, web addresses (http://, https://), or - for standard input\n',
  );
});

it('relative paths of the flag and of the environment begin in the working directory', async () => {
  file('flag.yaml', writes('flag'));
  file('env/a.yaml', writes('env'));
  const options = { cwd: directory, env: { ...process.env, CLOUD_INIT_PATHS: './env ./nowhere' } };
  const result = await holdfast(['run-stage', 'try', '--strict', '--cloud-init-paths', 'flag.yaml'], options);
  expect([result.status, written()]).toEqual([0, ['env', 'flag']]);
});

it.each(['run-stage', 'cloud-init'])('%s goes on when nobody reads what it says', async (command) => {
  const steps = Array.from(
    { length: 300 },
    (_, number) => `{name: "step ${number}", commands: ["echo ${number} >> ${log}"]}`,
  );
  const path = file('many.yaml', `stages: {try: [${steps.join(', ')}]}`);
  const args = command === 'run-stage' ? 'try --cloud-init-paths "$1"' : '-s try "$1"';
  const script = `{ "$0" ${command} ${args} 2>&1; echo $? > "$1.status"; } | head -n 1`;
  await run(['bash', '-c', script, executable, path]);
  expect([readFileSync(`${path}.status`, 'utf8'), written().length]).toEqual(['0\n', 300]);
});

it("a shell's <(…) and /dev/stdin are files", async () => {
  const command = 'exec "$0" cloud-init -s try <(echo "$1") /dev/stdin <<< "$2"';
  const result = await run(['bash', '-c', command, executable, writes('pipe'), writes('stdin')]);
  expect([result.status, written()]).toEqual([0, ['pipe', 'stdin']]);
});

it.each([
  ['run-stage', 'boot'],
  ['plan', 'boot'],
  ['cloud-init', '-'],
])('%s %s does not take a root that is not there for one without files', async (...args) => {
  const result = await holdfast([...args, '--root', '/no/such/root'], { input: '' });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain('error: --root /no/such/root: there is no such directory');
});

it('run-stage reads the paths of the environment, of its flag, of cos.setup=, and the kernel command line, in this order', async () => {
  for (const name of ['env', 'flag', 'setup', 'other']) {
    file(`${name}/a.yaml`, `${writes(name).slice(0, -1)}, try.after: [{commands: ["echo ${name}-after >> ${log}"]}]}`);
  }
  const at = (name: string) => join(directory, name);
  const result = await withCommandLine(
    `cos.setup=${at('setup')} stages.try[0].commands[0]="echo line >> ${log}" stages.try.before[0].commands="echo before >> ${log}" elemental.setup="${at('other')}/a.yaml"`,
    ['run-stage', 'try', '--strict', '--cloud-init-paths', `${at('flag')},/nowhere`],
    { env: { ...process.env, CLOUD_INIT_PATHS: `${at('env')}  /nowhere` } },
  );
  expect([result.status, result.stderr]).toEqual([0, '']);
  expect(written()).toEqual([
    ...['env', 'flag', 'env-after', 'flag-after'],
    ...['setup', 'other', 'setup-after', 'other-after'],
    ...['before', 'line'],
  ]);
});

it('cloud-init runs the stage that is named, without its .before and .after', async () => {
  const step = (name: string) => `${name}: [{commands: ["echo ${name} >> ${log}"]}]`;
  const path = file('a.yaml', `stages: {${['try.after', 'try', 'try.before'].map(step).join(', ')}}`);
  expect([(await holdfast(['cloud-init', '-s', 'try', path])).status, written()]).toEqual([0, ['try']]);
  await holdfast(['cloud-init', '-s', 'try.after', path]);
  expect(written()).toEqual(['try', 'try.after']);
  expect((await holdfast(['cloud-init', '-s', 'try', '--dry-run', path])).stdout).toContain('1 step: 1 would run');
  expect((await holdfast(['plan', 'try', path])).stdout).toContain('3 steps: 3 would run');
});

it('with another root the command line of this machine is none of its business', async () => {
  const root = join(directory, 'root');
  mkdirSync(root);
  await withCommandLine(`stages.try[0].commands[0]="echo line >> ${log}"`, ['run-stage', 'try', '--root', root]);
  expect(written()).toEqual([]);
});

it.each([
  [[], 0],
  [['--strict'], 65],
])('everything runs and failures are shown; with %j the exit status is %i', async (flags, status) => {
  const bad = file('bad.yaml', 'stages: {try: [');
  const fails = file('fails.yaml', 'stages: {try: [{name: f, commands: ["echo why; exit 7"]}]}');
  const good = file('good.yaml', writes('good'));
  const paths = ['--cloud-init-paths', [bad, fails, good].join(',')];
  const result = await holdfast(['run-stage', 'try', ...flags, ...paths]);
  expect([result.status, written()]).toEqual([status, ['good']]);
  expect(result.stdout).toContain(
    `failed: ${fails}:1 "f" (try)\n  commands: echo why; exit 7 failed with status 7\n  | why\n`,
  );
  expect(result.stdout).toContain(`error: the YAML is broken`);
});

it.each([
  ['fs', 0, 'warning'],
  ['after-nothing', 65, 'error'],
])('a server that can not be reached: the strict stage %s ends with %i', async (stage, status, severity) => {
  const result = await holdfast(['run-stage', stage, '--strict', '--cloud-init-paths', 'http://127.0.0.1:1/config']);
  expect(result.status).toBe(status);
  expect(result.stdout).toContain(`${severity}: http://127.0.0.1:1/config can't be read`);
});

it('LOGLEVEL=debug shows what commands print and what was passed over', async () => {
  const shown = file('a.yaml', 'stages: {try: [{commands: ["echo printed"]}]}');
  const stage = (level: string) =>
    holdfast(['run-stage', 'try', '--cloud-init-paths', `${shown},/nowhere`], {
      env: { ...process.env, LOGLEVEL: level },
    });
  const debug = await stage('debug');
  expect(debug.stdout).toContain('    printed\n');
  expect(debug.stdout).toContain('  /nowhere is not there, it is passed over\n');
  expect((await stage('info')).stdout).not.toMatch(/printed|nowhere/);
});
