// The commands that run, check and write cloud-config stage files: names, flags, help and examples.

import { Option } from 'commander';
import { dryRun, output, rootOption, sources } from './options.ts';
import type { Define } from './program.ts';

export function defineStageCommands(define: Define): void {
  define(
    'run-stage <stage>',
    'run a stage of the cloud-config files, with its .before and .after',
    [
      rootOption(),
      sources(),
      new Option('--strict', 'fail when a step or a file fails'),
      new Option('--boot', 'what fails is also one line on the console (used by the units of the boot)'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./run-stage.ts')).runStageCommand,
    { example: '  holdfast run-stage network\n  holdfast run-stage --dry-run after-upgrade-chroot' },
  );
  define(
    'cloud-init <file...>',
    'run one stage of the named cloud-config files, directories or web addresses (- is standard input)',
    [
      new Option('-s, --stage <stage>', 'the stage to run').default('default'),
      new Option('-d, --dotnotation', 'they hold words like stages.boot[0].commands[0]="echo hello", not YAML'),
      rootOption(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./run-stage.ts')).cloudInitCommand,
    {
      example: `  holdfast cloud-init --stage boot my.yaml
  echo 'stages: {t: [{commands: [date]}]}' | holdfast cloud-init --stage t -`,
    },
  );
  define(
    'plan <stage> [source...]',
    'show what a stage would do: sources, order, what is skipped and why, templates expanded',
    [
      rootOption(),
      sources(),
      new Option('--evaluate-if', 'run the commands of "if" to see whether their steps would run'),
      ...output(),
    ],
    async () => (await import('./plan.ts')).planCommand,
    {
      example: `  holdfast plan network
  holdfast plan boot my.yaml               a file, before it goes anywhere
  holdfast plan --root /mnt/target after-install-chroot`,
    },
  );
  define(
    'validate <source...>',
    'check cloud-config files: files, directories, URLs, - for standard input',
    [new Option('--strict', 'fail on warnings too'), ...output()],
    async () => (await import('./validate.ts')).validateCommand,
    {
      example: `  holdfast validate my.yaml
  holdfast validate --strict /system/oem /oem    no warning either
  ssh machine cat /oem/99_custom.yaml | holdfast validate -`,
    },
  );
  define(
    'schema [what]',
    'print a JSON Schema: cloud-config (stage files, the default), policy, plan, status',
    [new Option('--compact', 'on one line')],
    async () => (await import('./schema.ts')).schemaCommand,
    {
      example: `  holdfast schema status               of what holdfast status --json prints
  holdfast schema plan                 of what upgrade --plan --json prints
  holdfast schema > cloud-config.schema.json
  and as the first line of a stage file:
  # yaml-language-server: $schema=./cloud-config.schema.json`,
    },
  );
  define(
    'render <file>',
    'print the YAML of a stage file that is written in TypeScript, JavaScript or JSON',
    [new Option('-o, --output <file>', 'write it to a file')],
    async () => (await import('./render.ts')).renderCommand,
    {
      example: `  holdfast render site.ts > 90_site.yaml

  site.ts:
    import { defineConfig } from 'holdfast';
    export default defineConfig({ stages: { boot: [{ commands: ['date'] }] } });`,
    },
  );
  define(
    'feature <verb> [names...]',
    'list, enable or disable features: optional stage files of the image',
    [rootOption(), dryRun(), ...output()],
    async () => (await import('./feature.ts')).featureCommand,
    { example: '  holdfast feature list\n  holdfast feature enable k3s' },
  );
}
