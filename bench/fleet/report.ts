// Rollouts as tables, the way docs/fleet.md has them.

import { exploreMachine } from './every-state.ts';
import type { Way } from './machine.ts';
import { simulateRollout } from './rollout.ts';
import type { RolloutResult } from './rollout-options.ts';
import { BAD_IMAGE, BROKEN, GROWTH, type Scenario, TRANSFER } from './scenarios.ts';

/**
 * Writes to the API for one node, counted from what the controller and Kubernetes do: the Plan's status twice, the job made,
 * let go, its status three times, the pod made and its status five times, cordon, label and uncordon, suc-upgrade's note twice.
 */
export const API_WRITES_PER_NODE = 17;

export interface FleetReport {
  tables: Readonly<Record<string, readonly string[]>>;
  results: Readonly<Record<string, readonly (RolloutResult & { name: string })[]>>;
}

export function fleetReport(): FleetReport {
  const runs = { growth: run(GROWTH), transfer: run(TRANSFER), 'bad-image': run(BAD_IMAGE), broken: run(BROKEN) };
  return {
    results: runs,
    tables: {
      states: statesTable(),
      growth: table(
        [
          'machines',
          'hours',
          'TB from the registry',
          'deadlines missed',
          'power cuts',
          'on the fallback on the way',
          'lost',
          'API writes/s at the peak',
        ],
        runs.growth.map((result) => [
          result.name,
          hours(result.seconds),
          String(Number((result.registryBytes / 1e12).toPrecision(3))),
          String(result.missedDeadlines),
          String(result.powerCuts),
          String(result.fallbacks),
          String(result.lost),
          (result.peakPerSecond * API_WRITES_PER_NODE).toFixed(1),
        ]),
      ),
      transfer: table(
        ['10,000 machines', 'hours', 'GB from the registry', 'deadlines missed', 'lost'],
        runs.transfer.map((result) => [
          result.name,
          hours(result.seconds),
          String(Number((result.registryBytes / 1e9).toPrecision(3))),
          String(result.missedDeadlines),
          String(result.lost),
        ]),
      ),
      'bad-image': table(
        ['10,000 machines, a tenth at a time; the image', 'upgraded', 'on the fallback', 'not begun', 'lost', 'hours'],
        runs['bad-image'].map((result) => [
          result.name,
          ...[result.upgraded, result.onFallback, result.untouched, result.lost].map(String),
          hours(result.seconds),
        ]),
      ),
      broken: table(
        ['10,000 machines, 5 % of them lose power', 'upgraded', 'on the fallback', 'not begun', 'lost'],
        runs.broken.map((result) => [
          result.name,
          ...[result.upgraded, result.onFallback, result.untouched, result.lost].map(String),
        ]),
      ),
    },
  };
}

/** @returns the page with its tables made anew, between `<!-- NAME -->` and `<!-- /NAME -->`. @throws Error when a table has no place. */
export function withTables(page: string, tables: FleetReport['tables']): string {
  return Object.entries(tables).reduce((text, [name, lines]) => {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!place.test(text)) throw new Error(`the page has no place for the table ${name}`);
    return text.replace(place, (_, begin: string, end: string) => `${begin}${lines.join('\n')}\n${end}`);
  }, page);
}

function run(scenarios: readonly Scenario[]): (RolloutResult & { name: string })[] {
  return scenarios.map(({ name, options }) => ({ name, ...simulateRollout(options) }));
}

function statesTable(): string[] {
  const ways: [Way, string][] = [
    ['swap', 'swap'],
    ['swap-without-trial', 'swap without a trial'],
    ['in-place', 'written over in place'],
  ];
  return table(
    [
      'way',
      'states',
      'ways from one to the next',
      'states that nothing boots from',
      'most starts until something runs',
    ],
    ways.map(([way, name]) => {
      const { states, transitions, lost, mostStarts } = exploreMachine(way);
      return [name, ...[states, transitions, lost.length, mostStarts].map(String)];
    }),
  );
}

function hours(seconds: number): string {
  return (seconds / 3600).toFixed(1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)];
}
