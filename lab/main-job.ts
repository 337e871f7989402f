// `npm start`: shows the main job to a person. A real machine is installed, changed, upgraded and booted, and what is
// said about it was looked at. Ends with where everything is and how to boot into it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { interruptible } from '../src/cli/interrupt.ts';
import { renderError } from '../src/cli/reporter.ts';
import { formatBytes } from '../src/lifecycle/sizes.ts';
import { HoldfastError } from '../src/system/errors.ts';
import { demoMachineDirectory, PROJECT_DIRECTORY } from './cache.ts';
import { ensureExecutable } from './executable.ts';
import { type Shown, Story } from './main-job/story.ts';

const offline = process.argv.includes('--offline');
const directory = demoMachineDirectory();
const bold = (text: string) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[22m` : text);
const green = (text: string) => (process.stdout.isTTY ? `\x1b[32m${text}\x1b[39m` : text);
const say = (text: string) => process.stdout.write(`${text}\n`);

interface Done {
  title: string;
  seconds: number;
  bytes: Shown['bytes'];
}

process.exitCode = await interruptible(async (signal) => {
  const done: Done[] = [];
  const story = new Story({ directory, executable: await ensureExecutable(say), signal, log: say, offline });
  // A guest doesn't know of our signal: it is switched off, and whatever waits for it ends.
  signal.addEventListener('abort', () => void story.end());
  const part = async (title: string, work: () => Promise<Shown>) => {
    if (signal.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted before: ${title}`);
    say(`\n${bold(`${done.length + 1}. ${title}`)}`);
    const started = performance.now();
    const { shown, bytes } = await work();
    const seconds = (performance.now() - started) / 1000;
    done.push({ title, seconds, bytes });
    for (const text of shown) say(`   ${green('✓')} ${text}`);
  };
  try {
    await part('Build the demo system, version 1 and 2, as container images', () => story.buildImages());
    await part('Publish both in a registry', () => story.publish());
    await part('Install version 1 on a 12 GiB disk image', () => story.install());
    await part('Switch the machine on', () => story.switchOn());
    await part('The system is immutable', () => story.showImmutable());
    await part('Ask for vim: a stage file in /oem', () => story.dropStageFile());
    await part('An image that nobody has signed is refused', () => story.showTrust());
    await part('Upgrade to version 2, inside the machine', () => story.upgrade());
    await part('Reboot: version 2, and the change is still there', () => story.showUpgraded());
    await part('Roll back to version 1, and forward again', () => story.showRollback());
    await story.switchOff();
    summarise(done);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      process.stderr.write('\ninterrupted; the machine is switched off and nothing is left behind\n');
      return 130;
    }
    process.stderr.write(`\n${renderError(error)}\n`);
    if (existsSync(story.consoleLog)) process.stderr.write(`the machine's console: ${story.consoleLog}\n`);
    return error instanceof HoldfastError ? error.exitStatus : 1;
  } finally {
    await story.end();
  }
});

function summarise(done: readonly Done[]): void {
  say(`\n${bold('What was shown')}`);
  let total = 0;
  for (const { title, seconds, bytes } of done) {
    total += seconds;
    say(
      `  ${`${seconds.toFixed(1)} s`.padStart(8)}  ${title}${bytes === undefined ? '' : ` (${formatBytes(bytes.count)} ${bytes.of})`}`,
    );
  }
  say(`  ${`${total.toFixed(1)} s`.padStart(8)}  in all`);
  say('');
  say(`  disk image   ${join(directory, 'disk.img')}`);
  say(`  console log  ${join(directory, 'console.log')}`);
  say(`  executable   ${join(PROJECT_DIRECTORY, 'dist/holdfast')}`);
  say(`\nBoot into it yourself:  ${bold('npm run vm')}`);
}
