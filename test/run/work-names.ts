// The names of work directories in /run/holdfast: `upgrade-PID`, `source-PID-RANDOM`.

/** The process whose number such a name carries. */
export function pidInName(name: string): number | undefined {
  const pid = /-(\d+)(?:-|$)/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
