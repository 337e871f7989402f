// At the end of a run: which suite took how long, and its longest files, so that what makes CI slow is seen where it runs.

import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/** Files of a suite that are named. */
const SHOWN = 8;
/** What is shorter is nobody's concern. */
const SHORT_MS = 1000;

interface Times {
  startedAt: number;
  endedAt: number;
  files: { name: string; ms: number }[];
}

export default class TimesReporter implements Reporter {
  readonly #suites = new Map<string, Times>();

  onTestModuleStart(module: TestModule): void {
    const times = this.#suites.get(module.project.name);
    if (times === undefined) {
      this.#suites.set(module.project.name, { startedAt: Date.now(), endedAt: Date.now(), files: [] });
    }
  }

  onTestModuleEnd(module: TestModule): void {
    const times = this.#suites.get(module.project.name);
    if (times === undefined) return;
    const { duration, setupDuration, collectDuration } = module.diagnostic();
    times.endedAt = Date.now();
    times.files.push({
      name: relative('test', module.relativeModuleId),
      ms: duration + setupDuration + collectDuration,
    });
  }

  onTestRunEnd(): void {
    for (const [suite, times] of this.#suites) {
      const longest = times.files.filter(({ ms }) => ms >= SHORT_MS).sort((a, b) => b.ms - a.ms);
      if (longest.length === 0) continue;
      const all = times.files.reduce((sum, { ms }) => sum + ms, 0);
      console.log(`\n ${suite}: ${seconds(times.endedAt - times.startedAt)} s for ${seconds(all)} s of tests`);
      for (const { name, ms } of longest.slice(0, SHOWN)) console.log(`  ${seconds(ms).padStart(6)} s  ${name}`);
    }
  }
}

const seconds = (ms: number) => (ms / 1000).toFixed(0);
