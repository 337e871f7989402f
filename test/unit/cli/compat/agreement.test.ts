// Whatever a foreign command line becomes is a command line that holdfast understands: every option of every foreign
// command, against the options that holdfast's commands define.

import { expect, test } from 'vitest';
import { BUILD_ISO, PULL_IMAGE } from '../../../../src/cli/compat/build.ts';
import { translateElemental } from '../../../../src/cli/compat/elemental.ts';
import type { FlagSpec } from '../../../../src/cli/compat/flags.ts';
import type { Foreign } from '../../../../src/cli/compat/lifecycle.ts';
import { GLOBAL, INSTALL, RESET, UPGRADE } from '../../../../src/cli/compat/options.ts';
import { DEPLOYER, translateShellTool } from '../../../../src/cli/compat/shell-tools.ts';
import type { Translation } from '../../../../src/cli/compat/translation.ts';
import { buildProgram } from '../../../../src/cli/program.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';

const foreign: Foreign = { voice: { tool: 'elemental', name: 'elemental' }, environment: {}, arch: 'x64' };
const program = buildProgram([], () => {});

/** The options in a command line that its command doesn't define. */
function unknownOptions(args: readonly string[]): string[] {
  const [name, ...rest] = args;
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined) return [`the command ${name}`];
  const known = command.options.flatMap(({ long, short }) => [long, short]);
  return rest.filter((word) => /^--?[a-z]/.test(word) && !known.includes(word.replace(/=.*/, '')));
}

/** A command line with this option alone, and a value that is none of those that are refused. */
function written({ name, takes }: FlagSpec): string[] {
  return takes === undefined ? [`--${name}`] : [`--${name}=${name === 'platform' ? 'linux/amd64' : 'x'}`];
}

const rows: [string, () => Translation][] = [
  ...[...GLOBAL, ...INSTALL].map((spec): [string, () => Translation] => [
    `elemental install --${spec.name}`,
    () => translateElemental(['install', '/dev/sda', ...written(spec)], foreign),
  ]),
  ...[...GLOBAL, ...UPGRADE].map((spec): [string, () => Translation] => [
    `elemental upgrade --${spec.name}`,
    () => translateElemental(['upgrade', ...written(spec)], foreign),
  ]),
  ...[...GLOBAL, ...RESET].map((spec): [string, () => Translation] => [
    `elemental reset --${spec.name}`,
    () => translateElemental(['reset', ...written(spec)], foreign),
  ]),
  ...[...GLOBAL, ...BUILD_ISO].map((spec): [string, () => Translation] => [
    `elemental build-iso --${spec.name}`,
    () => translateElemental(['build-iso', 'dir:/a', 'dir:/b', ...written(spec)], foreign),
  ]),
  ...[...GLOBAL, ...PULL_IMAGE].map((spec): [string, () => Translation] => [
    `elemental pull-image --${spec.name}`,
    () => translateElemental(['pull-image', 'quay.io/os', '/d', ...written(spec)], foreign),
  ]),
  ...[...GLOBAL, ...DEPLOYER.options].map((spec): [string, () => Translation] => [
    `cos-deploy --${spec.name}`,
    () => translateShellTool(DEPLOYER, written(spec), foreign),
  ]),
  ...[
    'upgrade --recovery --system x',
    'upgrade-recovery',
    'run-stage boot --strict',
    'run-stage x --cloud-init-paths /a',
  ].map((line): [string, () => Translation] => [
    `elemental ${line}`,
    () => translateElemental(line.split(' '), foreign),
  ]),
  ...['cloud-init -s x -d a', 'state', 'mount --sysroot /x', 'init --mkinitrd=false'].map(
    (line): [string, () => Translation] => [`elemental ${line}`, () => translateElemental(line.split(' '), foreign)],
  ),
];

test.each(rows)('%s', (_, translate) => {
  let translation: Translation;
  try {
    translation = translate();
  } catch (error) {
    // Refused as it is, or only with another option beside it.
    expect(error).toBeInstanceOf(HoldfastError);
    return;
  }
  if (translation.kind !== 'text') expect(unknownOptions([...translation.args, ...leniency(translation)])).toEqual([]);
});

function leniency(translation: Translation): string[] {
  return translation.kind === 'run' && translation.lenient ? ['--strict=false'] : [];
}
