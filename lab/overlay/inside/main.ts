// Runs one experiment in the guest: `bun main.ts NAME JSON`. Its result is the line that the host looks for.

import { EXPERIMENTS } from './experiments.ts';

const [name = '', json = '{}'] = process.argv.slice(2);
const [, experiment] = Object.entries(EXPERIMENTS).find(([known]) => known === name) ?? [];
if (experiment === undefined) throw new RangeError(`there is no experiment ${name}`);
// The host's side knows the types (SnapshotGuest.experiment).
console.log(`<<result ${JSON.stringify(await Reflect.apply(experiment, undefined, [JSON.parse(json)]))}>>`);
