// What every `npm run` command starts: makes a fresh clone on a bare machine able to run it, then runs it. Plain Node 20
// without dependencies, since it runs before anything is installed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ChildFailed, runChild } from './bootstrap/child.mjs';
import { installDebianPackages } from './bootstrap/debian-packages.mjs';
import { checkHost, checkRoot } from './bootstrap/host.mjs';
import { installNpmPackages } from './bootstrap/npm-packages.mjs';

const project = join(import.meta.dirname, '..');
const modules = join(project, 'node_modules');
const node = process.execPath;
/** Called directly: install scripts are off, so the package's wrapper isn't there. */
const bun = join(modules, '@oven', process.arch === 'arm64' ? 'bun-linux-aarch64' : 'bun-linux-x64', 'bin/bun');

const step = (text) => process.stdout.write(`==> ${text}\n`);
const run = (argv, options) => runChild(argv, { cwd: project, ...options });

/** @param projects vitest projects, run in the order that vitest.config.ts gives them. */
const vitest = (projects, args) =>
  run([
    node,
    join(modules, 'vitest/vitest.mjs'),
    'run',
    ...projects.flatMap((name) => ['--project', name]),
    '--passWithNoTests',
    ...args,
  ]);

async function lint(args = []) {
  step('Types and style');
  await run([node, join(modules, 'typescript/bin/tsc')]);
  await run([node, join(modules, '@biomejs/biome/bin/biome'), 'check', ...args]);
}

/** The demo images and packages that booted tests share, so that their time shows here and not inside a test. */
async function prepare() {
  step('Demo images and packages');
  await run([bun, join(project, 'lab/prepare.ts')]);
}

/** `machine`: runs as root with the Debian packages of the lab. */
const VERBS = {
  start: {
    machine: true,
    about: 'the main job: install, change, upgrade, boot, and the change is still there',
    run: (args) => run([bun, join(project, 'lab/main-job.ts'), ...args]),
  },
  test: {
    machine: true,
    about: 'everything that CI checks: types, style, unit, system, VM and crash tests',
    run: async (args) => {
      // It waits for the network and for one processor, most of the time; what fails in it shows when it is needed.
      const prepared = prepare();
      prepared.catch(() => {});
      await lint();
      step('Unit tests');
      await vitest(['unit'], args);
      await prepared;
      step('System, VM and crash tests');
      await vitest(['system', 'vm', 'crash'], args);
    },
  },
  'test:unit': { machine: false, about: 'tests of pure code, seconds', run: (args) => vitest(['unit'], args) },
  'test:system': {
    machine: true,
    about: 'tests with real loop devices and file systems',
    run: (args) => vitest(['system'], args),
  },
  'test:vm': {
    machine: true,
    about: 'tests in booted machines; a name picks one of them',
    run: async (args) => {
      await prepare();
      step('Tests');
      await vitest(['vm'], args);
    },
  },
  'test:crash': {
    machine: true,
    about: 'power cuts at more than a thousand instants of install, upgrade, rollback, reset; ends with a table',
    run: (args) => run([bun, join(project, 'lab/crash/main.ts'), ...args]),
  },
  lint: { machine: false, about: 'types, style and the import rule', run: lint },
  build: {
    machine: false,
    about: 'dist/holdfast, the executable',
    run: (args) => run([bun, join(project, 'scripts/build.ts'), ...args]),
  },
  docs: {
    machine: false,
    about: 'writes the reference pages that are generated from the code',
    run: (args) => run([bun, join(project, 'scripts/docs.ts'), ...args]),
  },
  bench: {
    machine: true,
    about: 'measurements',
    run: (args) => run([bun, join(project, 'bench/main.ts'), ...args]),
  },
  vm: {
    machine: true,
    about: 'boots the machine that `npm start` made; this terminal becomes its console',
    run: (args) => run([bun, join(project, 'lab/shell.ts'), ...args], { terminal: true }),
  },
};

async function main([verb, ...args]) {
  const chosen = Object.hasOwn(VERBS, verb ?? '') ? VERBS[verb] : undefined;
  if (chosen === undefined) {
    const list = Object.entries(VERBS).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`);
    throw new ChildFailed(`usage: node lab/bootstrap.mjs VERB [ARGUMENTS]\n${list.join('\n')}`, 1);
  }
  checkHost();
  if (chosen.machine) checkRoot(verb);
  await installNpmPackages({ project, step, run });
  if (chosen.machine) await installDebianPackages({ step });
  const embed = join(project, 'scripts/embed-os-files.mjs');
  if (existsSync(embed)) await run([node, embed]);
  await chosen.run(args);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ChildFailed)) throw error;
  if (error.message !== '') process.stderr.write(`${error.message}\n`);
  process.exitCode = error.status;
}
