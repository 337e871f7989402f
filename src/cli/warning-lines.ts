// How an action that has done its work says so, with everything that was not as it should be.

/** `Upgrade completed`, or `Upgrade completed with warnings (2):` and the first line of each. */
export function warningLines(action: string, warnings: readonly string[]): string[] {
  if (warnings.length === 0) return [`${action} completed`];
  return [
    `${action} completed with warnings (${warnings.length}):`,
    ...warnings.map((text) => `  ! ${text.split('\n')[0]}`),
  ];
}
