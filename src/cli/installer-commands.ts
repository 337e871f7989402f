// The commands of installation media: names, flags, help and examples.

import { Option } from 'commander';
import { configDir, dryRun, insecureRegistry, output, repeated, trustOptions } from './options.ts';
import type { Define } from './program.ts';

export function defineInstallerCommands(define: Define): void {
  define(
    'installer',
    'ask what an installation needs to know, then install: for live media, on any terminal',
    [
      new Option('--unattended', 'ask nothing: install as "install:" of the stage files of this live system says'),
      new Option(
        '--from <source>',
        'with --unattended: a stage file, a directory of them or a web address, instead of the usual places; may be repeated',
      ).argParser(repeated),
      ...trustOptions(),
      insecureRegistry(),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./installer/interactive.ts')).installerCommand,
    {
      root: true,
      example: `  holdfast installer
  holdfast installer --dry-run           the plan and the stage file
  holdfast installer --unattended --from /run/config.yaml`,
    },
  );
}
