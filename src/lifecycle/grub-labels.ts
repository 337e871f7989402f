// This machine's labels by the names that grub.cfg has for them.

import type { GrubLabels } from '../boot/install-grub.ts';
import type { Labels } from '../slots/names.ts';

export function grubLabels({ partitions, slots }: Labels): GrubLabels {
  return {
    state_label: partitions.state,
    recovery_label: partitions.recovery,
    oem_label: partitions.oem,
    persistent_label: partitions.persistent,
    active_label: slots.active,
    passive_label: slots.passive,
    system_label: slots.recovery,
  };
}
