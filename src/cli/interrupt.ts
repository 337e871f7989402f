// SIGINT and SIGTERM become an abort signal, so that a running plan stops between two effects and cleans up. A second
// signal changes nothing: cutting the cleanup short is what would leave mounts behind.

/** Runs `work` with a signal that is aborted on SIGINT, SIGTERM or SIGHUP. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) {
      process.stderr.write('still cleaning up…\n');
      return;
    }
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}
