// The order of names in files that are compared and kept: by bytes, the same on every machine.

export function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
