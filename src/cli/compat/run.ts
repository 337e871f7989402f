// `holdfast compat NAME …`: the commands of cOS and Elemental under their own names. The scripts below os/usr call it;
// each name's code is loaded when it runs.

type Runner = (argv: readonly string[]) => Promise<number>;

/** By name; all of them are scripts in /usr/bin or /usr/sbin. */
const COMMANDS: Readonly<Record<string, () => Promise<Runner>>> = {
  'cos-feature': async () => (await import('./cos-feature.ts')).runCosFeature,
};

export const FOREIGN_NAMES = Object.keys(COMMANDS);

/** @returns the foreign command's exit status. */
export async function runCompat([name = '', ...argv]: readonly string[]): Promise<number> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    process.stderr.write(`usage: holdfast compat NAME [ARGUMENTS], with one of ${FOREIGN_NAMES.join(', ')}\n`);
    return 1;
  }
  return (await load())(argv);
}
