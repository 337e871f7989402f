// The commands for a machine on which something is wrong: names, flags, help and examples.

import { Option } from 'commander';
import { dryRun, output } from './options.ts';
import type { Define } from './program.ts';

export function defineDoctorCommands(define: Define): void {
  define(
    'doctor [areas...]',
    'look at this machine: what is wrong, why it matters, what mends it; status 2 or 3 then',
    [new Option('--all', 'show every finding, not one line of each area that is well'), ...output()],
    async () => (await import('./doctor.ts')).doctorCommand,
    {
      root: true,
      example: `  holdfast doctor
  holdfast doctor slots stage-files
  holdfast doctor --json | jq '.findings[]? | select(.outcome != "ok")'`,
    },
  );
  define(
    'report',
    'pack what a maintainer needs to understand this machine into one archive, without secrets',
    [
      new Option('-o, --output <file>', 'where to, "-" is standard output; default: holdfast-report-DATE.tar.gz'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./report.ts')).reportCommand,
    {
      root: true,
      example: `  holdfast report
  ssh root@machine holdfast report --output - > report.tar.gz
  holdfast report --dry-run      what would be in it`,
    },
  );
  define(
    'promote [directory]',
    'write a container file that puts this machine’s own packages, commands and files into an image',
    [
      new Option('--from <image>', 'the image to build upon; default: the installed one, by its digest'),
      new Option('--changed', 'also what stage files and others have changed, by the ledger of this system'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./promote.ts')).promoteCommand,
    {
      root: true,
      example: `  holdfast promote --dry-run
  holdfast promote /tmp/next-image && docker build -t os:v3 /tmp/next-image
  holdfast promote --changed --from registry.example/os:v2 /tmp/next-image`,
    },
  );
}
