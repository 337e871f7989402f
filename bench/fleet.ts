// `npm run bench -- fleet`: rollouts to fleets of 10 to 100,000 machines, simulated. Nothing is measured here, and the same numbers
// come out on every machine; with `--write`, those of docs/fleet.md are made anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetReport, withTables } from './fleet/report.ts';

export const FLEET_PAGE = join(import.meta.dirname, '../docs/fleet.md');

export function benchFleet({ write = false }: { write?: boolean } = {}): ReturnType<typeof fleetReport> {
  const report = fleetReport();
  if (write) writeFileSync(FLEET_PAGE, withTables(readFileSync(FLEET_PAGE, 'utf8'), report.tables));
  return report;
}
