// Stage files in TypeScript, from anywhere: through the executable, through Node, and as the package that npm installs. Half
// a minute, of which the build is most.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT_DIRECTORY } from '../../../lab/cache.ts';
import { ensureExecutable } from '../../../lab/executable.ts';
import { run, runChecked } from '../../../src/system/process.ts';

let executable: string;
const node: [string, string] = [process.execPath, join(PROJECT_DIRECTORY, 'dist/holdfast.mjs')];
const directory = mkdtempSync(join(tmpdir(), 'render-'));

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

const BODY = (extension: string) => `import { defineConfig } from 'holdfast';
import { editor } from './parts.${extension}';
export default defineConfig({ stages: { boot: [{ commands: [\`apt-get install -y \${editor}\`] }] } });
`;
const yaml = (name: string) => `# Made by "holdfast render ${name}"; change that file, not this one.
stages:
  boot:
    - commands:
        - apt-get install -y vim
`;

test('the executable reads TypeScript, with what it imports', async () => {
  write('parts.ts', "export const editor: string = 'vim';\n");
  expect(await run([executable, 'render', write('site.ts', BODY('ts'))])).toMatchObject({
    status: 0,
    stdout: yaml('site.ts'),
    stderr: '',
  });
});

test('the program for Node reads JavaScript and JSON, and says what to do about TypeScript', async () => {
  write('parts.mjs', "export const editor = 'vim';\n");
  expect((await run([...node, 'render', write('site.mjs', BODY('mjs'))])).stdout).toBe(yaml('site.mjs'));
  const json = write('site.json', '{"stages": {"boot": [{"commands": ["apt-get install -y vim"]}]}}');
  expect((await run([...node, 'render', json])).stdout).toBe(yaml('site.json'));
  const typescript = await run([...node, 'render', join(directory, 'site.ts')]);
  if (Number(process.versions.node.split('.')[0]) >= 24) expect(typescript.stdout).toBe(yaml('site.ts'));
  else expect(typescript.stderr).toContain('hint: use the executable of holdfast');
});

test('functions and promises are waited for; --output writes a file', async () => {
  const file = write('later.ts', 'export default async () => ({ hostname: "one" });\n');
  const output = join(directory, 'later.yaml');
  expect(await run([executable, 'render', file, '--output', output])).toMatchObject({ status: 0, stdout: '' });
  expect(await runChecked(['cat', output])).toMatch(/^#cloud-config\n# Made by .*\nhostname: one\n$/);
});

test.each([
  [
    'a mistake in the stage file',
    'export default { stages: { boot: [{ hostname: ["a"] }] } };',
    1,
    'error: hostname: this',
  ],
  [
    'a value without form',
    'export default { stages: { boot: [{ hostname: () => 1 }] } };',
    11,
    'stages.boot[0].hostname',
  ],
  ['no default export', 'export const a = 1;', 11, 'has no default export [HF-CONFIG]\nhint: write: export default'],
  ['a program that fails', 'throw new Error("no luck");', 11, "can't be run: no luck"],
  ['broken TypeScript', 'export default {', 11, "can't be run"],
])('%s is said', async (_what, text, status, message) => {
  const result = await run([executable, 'render', write('broken.ts', text)]);
  expect(result.status).toBe(status);
  expect(result.stderr).toContain(message);
});

test('the package of npm has the function and its types', async () => {
  const [packed] = JSON.parse(
    await runChecked(['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', directory], {
      cwd: PROJECT_DIRECTORY,
    }),
  );
  const modules = join(directory, 'node_modules');
  mkdirSync(modules);
  await runChecked(['tar', '-xzf', join(directory, packed.filename), '-C', modules]);
  symlinkSync('package', join(modules, 'holdfast'));
  const good = write(
    'good.mts',
    "import { defineConfig } from 'holdfast';\nexport default defineConfig({ stages: { boot: [{ commands: ['a'] }] } });\n",
  );
  const bad = write(
    'bad.mts',
    "import { defineConfig } from 'holdfast';\nexport default defineConfig({ stages: { boot: [{ comands: ['a'] }] } });\n",
  );
  const check = (file: string) =>
    run([
      process.execPath,
      join(PROJECT_DIRECTORY, 'node_modules/typescript/bin/tsc'),
      ...['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', file],
    ]);
  expect(await check(good)).toMatchObject({ status: 0, stdout: '' });
  expect((await check(bad)).stdout).toContain("'comands'");
  const use = "import('holdfast').then(({ defineConfig }) => console.log(JSON.stringify(defineConfig({ name: 'a' }))))";
  expect(await runChecked([process.execPath, '--eval', use], { cwd: directory })).toBe('{"name":"a"}\n');
});
