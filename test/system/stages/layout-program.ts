// Runs a layout as a process of its own, which can be killed: `bun layout-program.ts DISK LAYOUT`, the layout as JSON
// without its device. Ends with status 1 when the step failed.

import { runLayoutOn } from './layout-disk.ts';

const [disk = '', layout = '{}'] = process.argv.slice(2);
const { errors } = await runLayoutOn(disk, JSON.parse(layout));
if (errors.length > 0) process.stderr.write(`${errors.join('\n')}\n`);
process.exitCode = errors.length > 0 ? 1 : 0;
