// Builds what is shipped: `dist/holdfast`, one executable for this machine's architecture that needs nothing but libc,
// and `dist/holdfast.mjs`, the same program for Node 20 and later. With `--arch arm64` (or x64) also the executable for
// another architecture, `dist/holdfast-arm64`. `dist/authoring` is the package's face for programs, `dist/man` its
// manual pages. Run by Bun.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manPages } from '../src/cli/man-page.ts';
import { buildProgram } from '../src/cli/program.ts';

const project = join(import.meta.dirname, '..');
const dist = join(project, 'dist');

/** The package that holds Bun's runtime, by architecture. */
const RUNTIMES: Readonly<Record<string, string>> = { x64: '@oven/bun-linux-x64', arm64: '@oven/bun-linux-aarch64' };

const EXECUTABLE_OPTIONS = [
  '--compile',
  '--minify',
  // Saves parsing at every start (docs/decisions/0001).
  '--bytecode',
  '--format=esm',
  // What a command doesn't use isn't loaded either: 8 ms instead of 10.6 for --version.
  '--splitting',
  // By default a compiled program reads .env and bunfig.toml of its working directory; a boot tool must not.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
];

function bundle(out: string, options: readonly string[], entry = 'src/main.ts'): void {
  const temporary = `${out}.new${out.endsWith('.mjs') ? '.mjs' : ''}`;
  execFileSync(process.execPath, ['build', join(project, entry), ...options, '--outfile', temporary], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  chmodSync(temporary, 0o755);
  renameSync(temporary, out);
}

/** Bun's runtime for another architecture, as the lock file has it. */
function foreignRuntime(arch: string): string {
  const name = RUNTIMES[arch];
  if (name === undefined) throw new Error(`there is no executable for ${arch}; there is for ${Object.keys(RUNTIMES)}`);
  const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const directory = join(project, '.cache', `runtime-${arch}-${version}`);
  const runtime = join(directory, 'package/bin/bun');
  if (existsSync(runtime)) return runtime;
  console.log(`fetching ${name} ${version}`);
  const work = `${directory}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  execFileSync('npm', ['pack', '--silent', `${name}@${version}`, '--pack-destination', work], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const archive = join(work, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name} ${version} is not what package-lock.json says`);
  execFileSync('tar', ['-xzf', archive, '-C', work, 'package/bin/bun']);
  rmSync(archive);
  renameSync(work, directory);
  return runtime;
}

mkdirSync(dist, { recursive: true });
const show = (file: string, what: string) =>
  console.log(`dist/${file}: ${what}, ${(statSync(join(dist, file)).size / 1e6).toFixed(1)} MB`);

bundle(join(dist, 'holdfast'), EXECUTABLE_OPTIONS);
show('holdfast', `linux-${process.arch}`);
const wanted = process.argv.indexOf('--arch');
const arch = wanted < 0 ? process.arch : (process.argv[wanted + 1] ?? '');
if (arch !== process.arch) {
  bundle(join(dist, `holdfast-${arch}`), [
    ...EXECUTABLE_OPTIONS,
    `--target=bun-linux-${arch}`,
    `--compile-executable-path=${foreignRuntime(arch)}`,
  ]);
  show(`holdfast-${arch}`, `linux-${arch}`);
}
bundle(join(dist, 'holdfast.mjs'), ['--target=node', '--format=esm', '--minify-syntax']);
show('holdfast.mjs', 'Node 20 and later');

// What `import … from "holdfast"` gives, and its types.
const authoring = join(dist, 'authoring');
rmSync(authoring, { recursive: true, force: true });
mkdirSync(authoring);
bundle(join(authoring, 'holdfast.mjs'), ['--target=node', '--format=esm'], 'src/authoring/holdfast.ts');
execFileSync(
  'node',
  [
    join(project, 'node_modules/typescript/bin/tsc'),
    ...['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--outDir', authoring],
    ...['--module', 'nodenext', '--target', 'es2022', '--allowImportingTsExtensions'],
    join(project, 'src/authoring/holdfast.ts'),
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
const types = join(authoring, 'holdfast.d.ts');
// The compiler keeps the names of the sources, which the package doesn't have.
writeFileSync(types, readFileSync(types, 'utf8').replaceAll(/(from '\.\/[\w.]+)\.ts'/g, "$1.js'"));
show('authoring/holdfast.mjs', 'import { defineConfig } from "holdfast"');

// Manual pages, which npm puts where man looks.
const man = join(dist, 'man');
rmSync(man, { recursive: true, force: true });
mkdirSync(man);
const pages = Object.entries(manPages(buildProgram([], () => {})));
for (const [name, text] of pages) writeFileSync(join(man, name), text);
console.log(`dist/man: ${pages.length} manual pages`);
