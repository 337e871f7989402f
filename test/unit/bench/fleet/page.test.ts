// docs/fleet.md has the tables that the simulation makes today.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fleetReport, withTables } from '../../../../bench/fleet/report.ts';
import { FLEET_PAGE } from '../../../../bench/fleet.ts';

test('the tables are those of today: npm run bench -- fleet --write', () => {
  const page = readFileSync(FLEET_PAGE, 'utf8');
  const { tables, results } = fleetReport();
  expect(withTables(page, tables)).toBe(page);
  // What the page says in words.
  for (const result of Object.values(results).flat()) {
    if (!/place|without a trial/.test(result.name) || /cache/.test(result.name)) expect(result.lost).toBe(0);
  }
  const stopped = results['bad-image']?.find(({ name }) => name === 'unhealthy, one Plan');
  expect(stopped?.onFallback).toBe(1000);
});
