// `layout`: partitions of a disk, added, formatted and expanded. It works on disks of the machine, found from inside the
// root; what it does is in ../layout, loaded only when a step asks for it.

import type { StepHandler, StepValue } from './handler.ts';

export const layout: StepHandler<'layout'> = {
  key: 'layout',
  describe,
  async apply(value, context) {
    const { runLayout } = await import('../layout/run.ts');
    await runLayout(value, context);
  },
};

function describe({ device, expand_partition: expand, add_partitions: add = [] }: StepValue<'layout'>): string[] {
  const { label, path, init_disk: init, disk_name: name } = device ?? {};
  const where = label ? `the disk with the label ${label}` : path ? path : undefined;
  if (where === undefined) return ['nothing: no device is named'];
  const expansion = expand === undefined ? [] : [`${where}: expand the last partition ${sizeText(expand.size, 'to ')}`];
  const additions = add.map(({ fsLabel, pLabel, size, filesystem = 'ext4' }) => {
    const named = fsLabel || pLabel;
    return `${where}: add ${named ? `the partition ${named}` : 'a partition'} (${filesystem || 'ext4'}, ${sizeText(size)}) unless it is there`;
  });
  // A size is for the partition that is there, all that is left for the last one after adding.
  const first = expand?.size ? [...expansion, ...additions] : [...additions, ...expansion];
  return [
    ...(init ? [`${where}: write a new partition table unless it is ${name || 'YIP_DISK'} already`] : []),
    ...first,
  ];
}

function sizeText(sizeMib: number | undefined, to = ''): string {
  return sizeMib ? `${to}${sizeMib} MiB` : to === '' ? 'all that is left' : 'to all that is left';
}
