// How long things in a machine may take. Software emulation on a busy host is slow and uneven (boots of 27 s have taken
// 67 s), so these are bounds for "never", not expectations. HOLDFAST_PATIENCE stretches them all, e.g. `2`.

const stretch = Number(process.env['HOLDFAST_PATIENCE'] ?? '1');
const factor = Number.isFinite(stretch) && stretch > 0 ? stretch : 1;

/** From power-on or reset to a shell, and any other wait for the console. */
export const BOOT_TIMEOUT_MS = 300_000 * factor;
/** A command in the guest, unless it says otherwise. */
export const COMMAND_TIMEOUT_MS = 300_000 * factor;
/** From the request to switch off or restart until the machine has done it. */
export const SHUTDOWN_TIMEOUT_MS = 180_000 * factor;
/** Until the guest's shell answers a line that costs it nothing; then the line is sent again. */
export const ECHO_TIMEOUT_MS = 20_000 * factor;
/** Until QEMU has opened its sockets. */
export const QEMU_START_TIMEOUT_MS = 30_000 * factor;
