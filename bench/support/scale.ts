/** Factor on the sizes of every benchmark (KURA_BENCH_SCALE): 1 measures, 0.05 shows that all of them run. */
export const SCALE = Number(process.env.KURA_BENCH_SCALE ?? 1)
if (!(SCALE > 0 && SCALE <= 10)) throw new Error('KURA_BENCH_SCALE must be a number above 0 and at most 10.')

/** A size at the scale of this run, never below `least`. */
export const scaled = (size: number, least = 1): number => Math.max(least, Math.round(size * SCALE))
