// `holdfast compat NAME …`: the commands of cOS and Elemental under their own names. The scripts below os/usr call it;
// each name's code is loaded when it runs.

import { HoldfastError } from '../../system/errors.ts';
import { outliveReaders, printText } from '../print.ts';
import type { Foreign } from './lifecycle.ts';
import type { Translation } from './translation.ts';

type Runner = (argv: readonly string[], foreign: Foreign) => Promise<number>;

/** By name; all of them are scripts in /usr/bin or /usr/sbin. */
const COMMANDS: Readonly<Record<string, Runner>> = {
  cos: async ([command = '', ...argv], foreign) => {
    const { COS_COMMANDS, translateShellTool } = await import('./shell-tools.ts');
    if (command === 'rebrand') return (await import('./rebrand.ts')).runRebrand();
    const tool = Object.hasOwn(COS_COMMANDS, command) ? COS_COMMANDS[command] : undefined;
    if (tool === undefined) return usage(`cos ${[...Object.keys(COS_COMMANDS), 'rebrand'].join('|')} [options]`);
    const named: Foreign = { ...foreign, voice: { tool: 'shell', name: `cos ${command}` } };
    return carryOut(named, () => translateShellTool(tool, argv, named));
  },
  'cos-deploy': shellTool('DEPLOYER'),
  'cos-feature': async (argv) => (await import('./cos-feature.ts')).runCosFeature(argv),
  'cos-installer': shellTool('INSTALLER'),
  'cos-rebrand': async (argv) => (argv.length > 0 ? usage('cos-rebrand') : (await import('./rebrand.ts')).runRebrand()),
  'cos-reset': shellTool('RESETTER'),
  'cos-setup': async (argv, foreign) => {
    const { translateCosSetup } = await import('./stage-tools.ts');
    return carryOut(foreign, () => translateCosSetup(argv));
  },
  'cos-tmpl-render': async (argv) => (await import('./tmpl-render.ts')).runTemplateRender(argv),
  'cos-upgrade': shellTool('UPGRADER'),
  elemental: async (argv, foreign) => {
    const { translateElemental } = await import('./elemental.ts');
    const named: Foreign = { ...foreign, voice: { tool: 'elemental', name: 'elemental' } };
    return carryOut(named, () => translateElemental(argv, named));
  },
  'suc-upgrade': async (argv) => (await import('../program.ts')).runCli(['suc-upgrade', ...argv]),
  yip: async (argv, foreign) => {
    const { translateYip } = await import('./stage-tools.ts');
    return carryOut(foreign, () => translateYip(argv));
  },
};

export const FOREIGN_NAMES = Object.keys(COMMANDS);

/** @returns the foreign command's exit status. */
export async function runCompat([name = '', ...argv]: readonly string[]): Promise<number> {
  outliveReaders();
  const run = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (run === undefined) return usage(`holdfast compat NAME [ARGUMENTS], with one of ${FOREIGN_NAMES.join(', ')}`);
  return run(argv, { voice: { tool: 'shell', name }, environment: process.env, arch: process.arch });
}

function usage(text: string): number {
  process.stderr.write(`Usage: ${text}\n`);
  return 1;
}

function shellTool(which: 'INSTALLER' | 'UPGRADER' | 'RESETTER' | 'DEPLOYER'): Runner {
  return async (argv, foreign) => {
    const tools = await import('./shell-tools.ts');
    return carryOut(foreign, () => tools.translateShellTool(tools[which], argv, foreign));
  };
}

async function carryOut({ voice }: Foreign, translate: () => Translation): Promise<number> {
  const { statusOf } = await import('./foreign-reporter.ts');
  let translation: Translation;
  try {
    translation = translate();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const hint = error.hint === undefined ? '' : `\n${error.hint}`;
    process.stderr.write(`${voice.name}: ${error.message}${hint}\n`);
    return statusOf(voice, error.exitStatus);
  }
  if (translation.kind === 'text') {
    await printText(`${translation.lines.join('\n')}\n`);
    return translation.status;
  }
  const { args } = translation;
  if (args.length === 1 && args[0] === '--version') {
    const { VERSION } = await import('../version.ts');
    process.stdout.write(`holdfast ${VERSION}\n`);
    return 0;
  }
  const { runCli } = await import('../program.ts');
  if (translation.kind === 'plain') {
    const status = await runCli(args);
    return status === 0 ? 0 : (translation.failure ?? status);
  }
  Object.assign(process.env, translation.environment);
  const { foreignReporter } = await import('./foreign-reporter.ts');
  const { openLog } = await import('./log.ts');
  const log = openLog(translation.log, {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
  });
  const reporter = foreignReporter(translation.voice, log, translation.warnings);
  try {
    const manner = translation.lenient ? [(await isStrictBySetting(args)) ? '--strict' : '--strict=false'] : [];
    const status = await runCli([...args, ...manner], () => reporter);
    return statusOf(voice, status);
  } finally {
    log.close();
  }
}

/** Whether a file of settings or the environment says that hooks must succeed. What is wrong with them the action tells. */
async function isStrictBySetting(args: readonly string[]): Promise<boolean> {
  const { loadSettings } = await import('../../lifecycle/settings.ts');
  const { Root } = await import('../../system/root.ts');
  const at = args.indexOf('--config-dir');
  try {
    const settings = await loadSettings({
      root: new Root('/'),
      configDirectory: at < 0 ? undefined : args[at + 1],
      environment: process.env,
    });
    return settings.value('strict') ?? false;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
