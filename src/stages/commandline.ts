// What the kernel command line says to stages: further sources (`cos.setup=`, `elemental.setup=`) and steps in dot
// notation. It is the machine's, whatever root a stage acts on: a hook in a mounted system reads it too.

/** Where the running kernel tells its command line. */
export const MACHINE_COMMAND_LINE = '/proc/cmdline';

/**
 * The values of all `cos.setup=` and `elemental.setup=` words, in order, without quotes: everything after the first `=`,
 * so that an address keeps its query (the originals cut it at the second).
 */
export function setupSources(commandLine: string): string[] {
  const words = commandLine.match(/(?:"[^"]*(?:"|$)|[^\s"])+/g) ?? [];
  return words.flatMap((word) => {
    const value = /^(?:cos|elemental)\.setup=(.*)$/s.exec(word.replaceAll('"', ''))?.[1];
    const source = value?.replace(/^'(.*)'$/s, '$1').trim();
    return source ? [source] : [];
  });
}
